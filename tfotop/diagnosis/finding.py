"""What a finding is: a cause in one sentence, what it rests on, what mends it, how to see that it did."""

from typing import Final

from tfotop.model.state import State

BROKEN: Final = "broken"  # somebody gets nothing from Fast Open, and a setting here can change that
DEGRADED: Final = "degraded"  # it works in part, or the cause lies with others
UNSURE: Final = "unsure"  # what was read contradicts itself: nothing can be told from it
PAST: Final = "past"  # seen since the start; the settings say that it has ended
ADVICE: Final = "advice"  # nothing is wrong: a round trip that could be saved, a step that is due
SEVERITIES: Final = (BROKEN, DEGRADED, UNSURE, PAST, ADVICE)
WRONG: Final = (BROKEN, DEGRADED)


class Evidence(State, frozen=True, kw_only=True):
    """One value: what it is, where it was read, and the tier of that source (DESIGN: evidence)."""

    what: str
    value: str
    source: str
    tier: int


class Sysctl(State, frozen=True, kw_only=True):
    """A setting of one network namespace, by its name in sysctl(8), and the value that it should have."""

    netns: int
    name: str
    value: str


class Queue(State, frozen=True, kw_only=True):
    """The Fast Open queue that a running listener should have, by the cookie of its socket."""

    netns: int
    cookie: int
    max_qlen: int


class Fix(State, frozen=True, kw_only=True):
    """What mends it: a shell command (root), a configuration line with where it goes, or advice in words; at least one.

    ``sysctl``, ``queues``: what must be true after it, for ``--fix``. ``undo``: the command that takes it back.
    """

    command: str | None = None
    config: str | None = None
    text: str | None = None
    lasting: str | None = None
    undo: str | None = None
    sysctl: Sysctl | None = None
    queues: tuple[Queue, ...] = ()

    @property
    def short(self) -> str:
        """In one line: the configuration (a command with it only makes it act), else the command, else the words."""
        return " ".join((self.config or self.command or self.text or "").split())


class Finding(State, frozen=True, kw_only=True):
    """``id`` is stable. ``candidates`` are ids of causes that the evidence cannot tell apart, ``check`` what would.

    ``role``, ``netns`` (inode number) and ``port`` say what it is about, ``None``: the host, or not known. ``now``: it
    was seen in the last interval, or is so at this moment.
    """

    id: str
    severity: str
    cause: str
    evidence: tuple[Evidence, ...]
    fix: Fix | None
    verify: str | None
    unknown: str | None
    candidates: tuple[str, ...] = ()
    check: str | None = None
    role: str | None = None
    netns: int | None = None
    port: int | None = None
    count: int = 0
    now: bool = True

    @property
    def tier(self) -> int:
        """The tier of the dearest evidence that it rests on."""
        return max((piece.tier for piece in self.evidence), default=0)


def rank(finding: Finding) -> tuple[int, bool, int, int]:
    """Sort key: the worst first, then what happens now, then its usual weight (the order of IDS), then the most."""
    return SEVERITIES.index(finding.severity), not finding.now, IDS.index(finding.id), -finding.count


# All there are, heaviest first among equals.
IDS: Final = (
    "totals_differ",
    "syn_reset",
    "server_bit_off",
    "namespace_default",
    "client_bit_off",
    "listened_before_0x400",
    "no_queue",
    "no_key",
    "accept_queue_full",
    "syn_queue_full",
    "syn_flood",
    "queue_full",
    "queue_capped",
    "queue_small",
    "keys_differ_siblings",
    "keys_differ_namespaces",
    "keys_differ_servers",
    "key_rotated",
    "client_address_changes",
    "bad_cookie",
    "failed_child",
    "rejected_unknown",
    "syn_cookies",
    "blackhole",
    "syn_dropped",
    "syn_drops_cached",
    "option_stripped",
    "unanswered",
    "data_not_acked",
    "none_granted",
    "client_failed_unknown",
    "cookies_never_used",
    "backup_key",
    "proxy_leg",
    "cookie_unused",
)
