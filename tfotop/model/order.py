"""The order of the peers table: by any column, rows that are equal by who was seen first, what is unknown at the end.

The order that nobody chose must not shuffle each second, and must have the sick peer at the top: see ``severity``.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from math import inf
from operator import itemgetter
from typing import Any, Final, NamedTuple

from tfotop.model import latency
from tfotop.model.addresses import number
from tfotop.model.peers import NONE, bad, share_accepted
from tfotop.model.state import PeerState

SICK: Final = frozenset(("rejected", "lost", "refused"))
FRUITLESS: Final = ("cookie_refused", "reset", "unanswered")
SICK_SHARE: Final = 10  # one in so many
AT_ONCE: Final = 4096  # rows that are sorted in one call: a longer one would keep other threads waiting
SHORT: Final = 8  # times shorter
LAST: Final = chr(0x10FFFF)  # behind every name

Entry = tuple[Any, ...]  # what sorts it ..., and the peer


class Column(NamedTuple):
    """How one column orders. ``falling``: its natural order has the largest first."""

    value: Callable[[PeerState], Any]
    falling: bool = True
    text: bool = False


class Order(NamedTuple):
    """By which of COLUMNS; ``inverted`` is against its natural order."""

    column: str = "cookie"
    inverted: bool = False

    @property
    def falling(self) -> bool:
        """Whether the largest are at the top."""
        return COLUMNS[self.column].falling != self.inverted


def severity(state: PeerState) -> int:
    """How much an engineer on call wants to see a peer: sick ones first, then those with Fast Open, then the rest.

    Sick: its last cookie failed, or one in ten handshakes did. Among equals the number of failures decides, then that
    of all handshakes, but only by their powers of two: a row moves when a count has doubled, not each second.
    """
    outcomes = state.reading.outcomes
    failed = bad(state.reading) + sum(outcomes.get(name, 0) for name in FRUITLESS)
    total = sum(outcomes.values())
    sick = state.cookie in SICK or failed * SICK_SHARE > total
    rank = 2 if sick else 0 if state.cookie == NONE else 1
    return rank << 16 | failed.bit_length() << 8 | total.bit_length()


COLUMNS: Final[Mapping[str, Column]] = {
    "peer": Column(lambda s: number(s.reading.address), falling=False, text=True),
    "peers": Column(lambda s: getattr(s, "peers", 1)),
    "role": Column(lambda s: s.reading.role, falling=False, text=True),
    "port": Column(lambda s: s.reading.port or None, falling=False),
    "cookie": Column(severity),
    "accepted": Column(lambda s: s.reading.outcomes.get("accepted", 0)),
    "share": Column(lambda s: share_accepted(s.reading)),
    "rejected": Column(lambda s: bad(s.reading)),
    "rtt": Column(lambda s: latency.rtt_us(s.reading)),
    "tfo": Column(lambda s: latency.typical_us(s.reading.with_tfo)),
    "plain": Column(lambda s: latency.typical_us(s.reading.without_tfo)),
    "sooner": Column(lambda s: s.rtt_delta_us),
    "rtts": Column(lambda s: s.rtt_delta_rtts),
    "seen": Column(lambda s: -s.reading.last_ns, falling=False),
    "process": Column(lambda s: s.reading.process.comm if s.reading.process else None, falling=False, text=True),
}


def entries(states: Iterable[PeerState], order: Order) -> list[Entry]:
    """The states with what sorts them before each, sorted: in the column's natural order, inverted or not."""
    key = _key(COLUMNS[order.column])
    return merged(_entry(key(state), state) for state in states)


def _entry(value: Any, state: PeerState) -> Entry:
    peer = state.reading
    return (value, peer.first_ns, peer.address, peer.port, peer.role, peer.netns_cookie or peer.netns or 0, state)


def _key(column: Column) -> Callable[[PeerState], Any]:
    """What sorts: rising always, so that equal rows keep their order; what is unknown is last."""
    unknown: Any = LAST if column.text else inf
    sign = -1 if column.falling else 1

    def key(state: PeerState) -> Any:
        value = column.value(state)
        return unknown if value is None else value if column.text else sign * value

    return key


def merged(items: Iterable[Entry]) -> list[Entry]:
    """Sorted like ``sorted``, as fast, but in many calls: each holds the interpreter for a few ms only."""
    runs = _runs(list(items))
    while len(runs) > 1:
        runs = [merge(runs[i : i + 2]) for i in range(0, len(runs), 2)]
    return runs[0]


def _runs(items: list[Entry]) -> list[list[Entry]]:
    return [sorted(items[i : i + AT_ONCE]) for i in range(0, len(items), AT_ONCE)] or [[]]


def inserted(kept: list[Entry], new: list[Entry]) -> list[Entry]:
    """Two sorted runs as one, of which the second is short: most of the first is only copied."""
    if len(new) * SHORT > len(kept):
        return merge([kept, new])
    result, start = list[Entry](), 0
    for entry in new:
        place = bisect_left(kept, entry, start)
        result += kept[start:place]
        result.append(entry)
        start = place
    return result + kept[start:]


def merge(runs: list[list[Entry]]) -> list[Entry]:
    """Sorted runs as one: the interpreter's sort finds them by itself."""
    return sorted([entry for run in runs for entry in run])


def rows(found: list[Entry], order: Order) -> list[PeerState]:
    """The states of sorted entries, from the top of the table; unknown at the end also where it is inverted."""
    states = list(map(itemgetter(-1), found))
    if not order.inverted:
        return states
    unknown = LAST if COLUMNS[order.column].text else inf
    known = bisect_left(found, True, key=lambda entry: entry[0] == unknown)
    return states[:known][::-1] + states[known:]
