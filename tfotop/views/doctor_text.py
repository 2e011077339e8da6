"""The findings as plain text, for a terminal, a log or the screen."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from tfotop.diagnosis.finding import Evidence, Finding, Fix
from tfotop.diagnosis.findings import CANNOT_TELL, HEALTHY, status
from tfotop.diagnosis.missed import Saving, savings
from tfotop.model.state import Model
from tfotop.views import format as show
from tfotop.views.format import milliseconds, printable

TIERS: Final = {0: "no privileges", 1: "root", 2: "eBPF"}
LABEL: Final = 11


def report(model: Model, found: Sequence[Finding], missing: Sequence[str], window_s: float, width: int) -> str:
    """Everything that `tfotop doctor` says."""
    return "\n".join(lines(model, found, missing, window_s, width))


def lines(model: Model, found: Sequence[Finding], missing: Sequence[str], window_s: float, width: int) -> Iterator[str]:
    """The verdict, each finding, what could not be known (``missing``: the model's gaps), and the estimate."""
    yield from _wrapped(f"{verdict(found, missing)} {seen(model, window_s)}", width)
    for number, one in enumerate(found, 1):
        yield ""
        yield from finding_lines(one, number, width)
    notes = [f"cannot tell: {text}" for text in missing] + [f"missing: {show.problem(p)}" for p in model.problems]
    estimates = [estimate(saving, window_s) for saving in savings(model)]
    if notes or estimates:
        yield ""
    for text in (*notes, *estimates):
        yield from _wrapped(text, width)


def verdict(found: Sequence[Finding], missing: Sequence[str]) -> str:
    """One sentence: healthy, wrong, or cannot tell."""
    number = len(found)
    many = f"{number} finding{'' if number == 1 else 's'}"
    words = {HEALTHY: "nothing is wrong", CANNOT_TELL: "cannot tell"}.get(status(found, missing), "something is wrong")
    return f"{words} ({many})."


def seen(model: Model, window_s: float) -> str:
    """How much there was to judge by."""
    basis = f"Watched {window_s:.1f} s, evidence: {TIERS[model.tier]}"
    if not model.attached:
        return f"{basis}."
    asked = sum(t.handshakes for t in model.totals if t.outcome not in ("plain", "unanswered"))
    plain = sum(t.handshakes for t in model.totals if t.outcome == "plain")
    silent = sum(t.handshakes for t in model.totals if t.outcome == "unanswered")
    unanswered = f", {silent} unanswered" if silent else ""
    nothing = "" if asked else "; settings only could be judged: try --for 60 while clients connect"
    return f"{basis}; {asked} handshakes with Fast Open and {plain} without{unanswered}{nothing}."


def _origin(piece: Evidence) -> str:
    tier = TIERS[piece.tier]
    return piece.source if piece.source.startswith(tier) else f"{piece.source}; {tier}"


def finding_lines(one: Finding, number: int, width: int) -> Iterator[str]:
    """One finding: the cause, then a block for each thing that is known of it."""
    yield from _wrapped(f"{number}. {one.severity.upper()}: {one.cause}", width, "   ")
    for piece in one.evidence:
        yield from _labelled("evidence", f"{piece.what} = {piece.value}  [{_origin(piece)}]", width)
    if one.candidates:
        yield from _labelled("candidates", ", ".join(one.candidates), width)
    yield from _labelled("check", one.check, width)
    if one.fix is not None:
        yield from _fix_lines(one.fix, width)
    yield from _labelled("verify", one.verify, width)
    yield from _labelled("unknown", one.unknown, width)
    yield f"   {'id':{LABEL}}{one.id}"


def _fix_lines(fix: Fix, width: int) -> Iterator[str]:
    """A command is never wrapped: it is there to be copied."""
    if fix.config:
        yield from _labelled("configure", fix.config, width)
    if fix.command:
        yield f"   {'fix':{LABEL}}{printable(fix.command)}"
    yield from _labelled("advice" if fix.command or fix.config else "fix", fix.text, width)
    yield from _labelled("to last", fix.lasting, width)
    if fix.undo:
        yield f"   {'undo':{LABEL}}{printable(fix.undo)}"


def estimate(saving: Saving, window_s: float) -> str:
    """What Fast Open would save, marked as an estimate."""
    each = f" x their RTT (median {milliseconds(saving.median_rtt_us)} ms)"
    per_s = f"~{milliseconds(saving.saved_ms * 1000 / window_s)} ms of waiting in each second" if window_s else "-"
    return (
        f"estimate, {saving.role}: {saving.from_known_peers} of {saving.handshakes} handshakes without Fast Open"
        f" ({100 * saving.share:.0f} %) came from peers seen before{each}: Fast Open would save {per_s}"
    )


def _labelled(label: str, text: str | None, width: int) -> Iterator[str]:
    if text:
        indent = " " * (3 + LABEL)
        yield from _wrapped(f"   {label:{LABEL}}{text}", width, indent)


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(text), max(20, width), subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
