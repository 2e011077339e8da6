"""The columns of the peers table: title, width, and what stands in a cell."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from tfotop.model import latency
from tfotop.model.peers import share_accepted
from tfotop.model.state import PeerState
from tfotop.views.format import printable

Cell = Callable[[PeerState, int], str]


class Column(NamedTuple):
    """Numbers are right-aligned, units stand in the titles. Neighbours of one ``group`` share a title above theirs."""

    title: str
    width: int
    cell: Cell
    group: tuple[str, ...] = ("",)  # the same in several lengths, longest first
    right: bool = True


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _count(number: int) -> str:
    """At most 6 characters, up to 10^14."""
    for divisor, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if number >= divisor:
            return f"{number / divisor:.1f}{unit}"
    return str(number)


def _ms(us: float | None) -> str:
    """At most 5 characters below 100 s, which is more than any handshake lasts."""
    return "-" if us is None else f"{us / 1000:.1f}" if abs(us) < 999_950 else f"{us / 1000:.0f}"


def _rejected(state: PeerState, _now_ns: int) -> str:
    return _count(state.reading.outcomes.get("rejected", 0) + state.reading.outcomes.get("lost", 0))


def _seen(state: PeerState, now_ns: int) -> str:
    seconds = max(0, now_ns - state.reading.last_ns) // 1_000_000_000
    return f"{seconds}s" if seconds < 600 else f"{seconds // 60}m" if seconds < 36_000 else f"{seconds // 3600}h"


def _process(state: PeerState, _now_ns: int) -> str:
    return printable(state.reading.process.comm) if state.reading.process else "-"


FIRST_BYTE: Final = ("1st BYTE ms", "1st")
SOONER: Final = ("SOONER BY", "SOONER")
PEER_COLUMNS: Final = (
    Column("PEER", 17, lambda s, _: s.reading.address, right=False),
    Column("ROLE", 6, lambda s, _: s.reading.role, right=False),
    Column("PORT", 5, lambda s, _: str(s.reading.port)),
    Column("COOKIE", 8, lambda s, _: s.cookie, right=False),
    Column("ACCEPT", 6, lambda s, _: _count(s.reading.outcomes.get("accepted", 0))),
    Column("%", 4, lambda s, _: _number(share_accepted(s.reading))),
    Column("REJECT", 6, _rejected),
    Column("RTT ms", 6, lambda s, _: _ms(latency.rtt_us(s.reading))),
    Column("tfo", 5, lambda s, _: _ms(latency.typical_us(s.reading.with_tfo)), FIRST_BYTE),
    Column("plain", 5, lambda s, _: _ms(latency.typical_us(s.reading.without_tfo)), FIRST_BYTE),
    Column("ms", 6, lambda s, _: _ms(latency.rtt_delta_us(s.reading)), SOONER),
    Column("RTTs", 4, lambda s, _: _number(latency.rtt_delta_rtts(s.reading), 1), SOONER),
    Column("SEEN", 4, _seen),
    Column("PROCESS", 15, _process, right=False),
)
LEFT_OUT_FIRST: Final = ("PROCESS", "RTTs", "%", "SEEN", "plain", "tfo", "RTT ms", "PORT", "ROLE", "ms")
LONGEST_ADDRESS: Final = 39


def fitting(width: int) -> tuple[Column, ...]:
    """The columns that fit: all of them, or those that matter most. What is to spare goes to the peer's address."""
    columns = list(PEER_COLUMNS)
    for title in LEFT_OUT_FIRST:
        if _width(columns) <= width:
            break
        columns = [column for column in columns if column.title != title]
    spare = max(0, width - _width(columns))
    columns[0] = columns[0]._replace(width=min(LONGEST_ADDRESS, columns[0].width + spare))
    return tuple(columns)


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width + 1 for column in columns) - 1


def titles(columns: tuple[Column, ...]) -> tuple[str, str]:
    """The two lines at the top: groups, and columns."""
    groups = []
    for names, members in groupby(columns, key=lambda column: column.group):
        width = _width(list(members))
        name = next((name for name in names if len(name) <= width), "")
        groups.append(name.center(width) if name else " " * width)
    return " ".join(groups), line(columns, [column.title for column in columns])


def line(columns: tuple[Column, ...], texts: list[str]) -> str:
    """Cells side by side, each cut to its column; wide characters take two places."""
    return " ".join(_fit(text, column) for column, text in zip(columns, texts, strict=True))


def _fit(text: str, column: Column) -> str:
    used, width = cell_len(text), column.width
    if used > width:  # an address is told from its neighbours by its end
        tail = width * 2 // 3 if column.title == "PEER" else 0
        text = set_cell_size(text, width - 1 - tail) + "…" + text[len(text) - tail :]
    return " " * (width - used) + text if column.right else set_cell_size(text, width)
