"""Which finding stands above the rates: it changes when the finding does, and not with every number in it."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from tfotop.diagnosis.finding import BROKEN, DEGRADED, UNSURE, Finding, rank
from tfotop.diagnosis.findings import findings
from tfotop.model.state import Model
from tfotop.views.format import printable, problem
from tfotop.views.tui.handshake_columns import cut

HOLD_NS: Final = 10 * 10**9  # so long it stays when it is seen no more: it may come and go from second to second
GONE_NS: Final = 60 * 10**9  # so long it is said to have ended
TOLD: Final = (BROKEN, DEGRADED, UNSURE)
COUNTED: Final = re.compile(r"^\d+ handshakes?(?: \([^)]*\))?: ")  # what changes all the time, and the rates tell
AT_LENGTH: Final = 100
TIME: Final = 16  # columns
Name = tuple[str, str | None, int | None, int | None]


class Alert(NamedTuple):
    """What is wrong, in constant words. ``since_ns`` and ``ended_ns``: wall clock; ``None`` where that says nothing."""

    text: str
    fix: str | None = None
    since_ns: int | None = None
    ended_ns: int | None = None
    more: int = 0


class Seen(NamedTuple):
    """The finding that is shown. The times are the model's monotonic ones; ``told_ns``: when it was put in words."""

    name: Name
    rank: tuple[int, ...]
    text: str
    fix: str | None
    since_ns: int | None
    last_ns: int
    told_ns: int


class Alerts:
    """Fed with every model that is shown; time is that of the models."""

    def __init__(self) -> None:
        self._shown: Seen | None = None
        self._began: dict[Name, int | None] = {}  # each finding of the newest model: since when
        self._now_ns = self._newest_ns = 0

    def update(self, model: Model) -> Alert | None:
        """The worst finding now, or the one that has just ended, or what cannot be read; ``None``: nothing is wrong."""
        if model.mono_ns < self._now_ns:  # back in time
            self._shown = None
        now = [finding for finding in findings(model) if finding.now and finding.severity in TOLD]
        began = self._beginnings(model, map(_name, now))
        self._now_ns = model.mono_ns
        self._shown = self._choose(now, began)
        return self._alert(model, now)

    def _beginnings(self, model: Model, names: Iterable[Name]) -> dict[Name, int | None]:
        """Since when each of these is there; ``None`` where nobody looked: in the past, and during a pause."""
        then_ns, before_ns = model.mono_ns, self._newest_ns
        if then_ns < before_ns:
            known = {name: self._began.get(name) for name in names}
            return {name: ns if ns is not None and ns <= then_ns else None for name, ns in known.items()}
        looked = not before_ns or then_ns - before_ns <= max(HOLD_NS, 2e9 * (model.interval_s or 0))
        self._began = {name: self._began.get(name, then_ns if looked else None) for name in names}
        self._newest_ns = then_ns
        return self._began

    def _choose(self, now: Sequence[Finding], began: Mapping[Name, int | None]) -> Seen | None:
        shown, worst = self._shown, now[0] if now else None
        gone = shown and shown.name not in began and (worst is None or shown.rank <= _rank(worst))
        if shown and gone and self._now_ns - shown.last_ns <= (HOLD_NS if now else GONE_NS):
            return shown
        if worst is None:
            return None
        same = shown if shown and shown.name == _name(worst) else None
        if same and self._now_ns - same.told_ns < HOLD_NS:
            return same._replace(last_ns=self._now_ns)
        since_ns = same.since_ns if same else began[_name(worst)]
        fix = worst.fix.short if worst.fix else None
        return Seen(_name(worst), _rank(worst), _words(worst), fix, since_ns, self._now_ns, self._now_ns)

    def _alert(self, model: Model, now: Sequence[Finding]) -> Alert | None:
        missing = [problem(p) for p in model.problems]
        shown = self._shown
        if shown is None:
            return Alert(f"not known: {missing[0]}", more=len(missing) - 1) if missing else None
        wall_ns = model.wall_ns - model.mono_ns
        ended = shown.last_ns + wall_ns if self._now_ns - shown.last_ns > HOLD_NS else None
        others = sum(_name(f) != shown.name for f in now) + len(missing)
        since = None if shown.since_ns is None else shown.since_ns + wall_ns
        return Alert(shown.text, shown.fix, since, ended, others)


def _name(finding: Finding) -> Name:
    """What tells a finding from others, while its numbers change."""
    return finding.id, finding.role, finding.netns, finding.port


def _rank(finding: Finding) -> tuple[int, ...]:
    """Whatever is worse is shown at once; what is not waits until the one that is shown has really ended."""
    return rank(finding)[:-1]


def _words(finding: Finding) -> str:
    return COUNTED.sub("", printable(finding.cause))


def lines(alert: Alert | None, width: int, height: int, keys: Sequence[str]) -> list[str]:
    """Always ``height`` lines (1 to 3), so that nothing below moves: the cause, then what mends it."""
    if alert is None:
        return ["ok  no finding", "", ""][:height]
    since = "since " if width >= AT_LENGTH else ""
    when = "" if alert.since_ns is None else f"{since}{_clock(alert.since_ns)}"
    if alert.ended_ns is not None:
        when = f"ended {_clock(alert.ended_ns)}"
    more = [f"(+{alert.more} more)"] if alert.more else []
    cause = _cause(f"! {alert.text}", max(1, height - 1), width, TIME if when else 0)
    cause[0] = _ends(cause[0], when, width)
    fix = _ends(f"  fix: {printable(alert.fix)}" if alert.fix else "", "  ".join([*more, *keys]), width)
    return [*cause, fix, ""][:height]


def _cause(text: str, height: int, width: int, room: int) -> list[str]:
    """In so many lines at most; the first leaves so much room."""
    first = textwrap.wrap(text, max(2, width - room), break_on_hyphens=False)[:1] if height > 1 else []
    if not first or first[0] == text:
        return [text]
    return [first[0], cut("  " + text[len(first[0]) :].strip(), width)]


def _ends(left: str, right: str, width: int) -> str:
    """One text at the left, one at the right, which is whole where there is room for half of the line besides."""
    if not right or len(right) + 2 > width // 2:
        return cut(left, width)
    return cut(left, width - len(right) - 2).ljust(width - len(right)) + right


def wrapped(alert: Alert | None, width: int) -> list[str]:
    """In as many lines as it needs."""
    fix = [f"fix: {printable(alert.fix)}"] if alert and alert.fix else []
    return [
        line for text in ([f"! {alert.text}", *fix] if alert else []) for line in textwrap.wrap(text, max(1, width))
    ]


def _clock(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9).astimezone().strftime("%H:%M:%S")
