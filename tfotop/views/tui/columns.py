"""The columns of the peers table: title, width, and what stands in a cell."""

from collections.abc import Callable
from typing import Final, NamedTuple

from tfotop.model import latency
from tfotop.model.peers import share_accepted
from tfotop.model.state import PeerState
from tfotop.views.format import printable

Cell = Callable[[PeerState, int], str]


class Column(NamedTuple):
    """``over`` stands in the line above the title. Numbers are right-aligned, units stand in the titles."""

    title: str
    width: int
    cell: Cell
    over: str = ""
    right: bool = True


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ms(us: float | None) -> str:
    return "-" if us is None else f"{us / 1000:.1f}"


def _seen(state: PeerState, now_ns: int) -> str:
    seconds = max(0, now_ns - state.reading.last_ns) // 1_000_000_000
    return f"{seconds}s" if seconds < 600 else f"{seconds // 60}m"


def _process(state: PeerState, _now_ns: int) -> str:
    return printable(state.reading.process.comm) if state.reading.process else "-"


PEER_COLUMNS: Final = (
    Column("PEER", 17, lambda s, _: s.reading.address, right=False),
    Column("ROLE", 7, lambda s, _: s.reading.role, right=False),
    Column("PORT", 5, lambda s, _: str(s.reading.port)),
    Column("COOKIE", 9, lambda s, _: s.cookie, right=False),
    Column("total", 7, lambda s, _: str(s.reading.outcomes.get("accepted", 0)), over="ACCEPTED"),
    Column("%", 4, lambda s, _: _number(share_accepted(s.reading)), over=""),
    Column("REJ", 6, lambda s, _: str(s.reading.outcomes.get("rejected", 0) + s.reading.outcomes.get("lost", 0))),
    Column("RTT ms", 7, lambda s, _: _ms(latency.rtt_us(s.reading))),
    Column("tfo", 7, lambda s, _: _ms(latency.typical_us(s.reading.with_tfo)), over="1st BYTE ms"),
    Column("plain", 7, lambda s, _: _ms(latency.typical_us(s.reading.without_tfo))),
    Column("ms", 7, lambda s, _: _ms(latency.rtt_delta_us(s.reading)), over="SOONER BY"),
    Column("RTTs", 5, lambda s, _: _number(latency.rtt_delta_rtts(s.reading), 1)),
    Column("SEEN", 5, _seen),
    Column("PROCESS", 15, _process, right=False),
)
NARROW_LEAVES_OUT: Final = {"PROCESS", "plain", "REJ"}


def fitting(width: int) -> tuple[Column, ...]:
    """The columns that fit: all of them, or those that matter most."""
    wide = sum(c.width + 1 for c in PEER_COLUMNS) <= width
    columns = PEER_COLUMNS if wide else tuple(c for c in PEER_COLUMNS if c.title not in NARROW_LEAVES_OUT)
    spare = width - sum(c.width + 1 for c in columns)
    if spare > 0:  # a peer's address has up to 39 characters
        columns = (columns[0]._replace(width=min(39, columns[0].width + spare)), *columns[1:])
    return columns


def line(columns: tuple[Column, ...], texts: list[str]) -> str:
    """Cells side by side, each cut to its column."""
    parts = []
    for column, text in zip(columns, texts, strict=True):
        cut = text if len(text) <= column.width else text[: column.width - 1] + "…"
        parts.append(cut.rjust(column.width) if column.right else cut.ljust(column.width))
    return " ".join(parts)
