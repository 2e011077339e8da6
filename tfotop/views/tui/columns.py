"""The columns of the peers table: title, width, what stands in a cell, and the order that they stand for."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from rich.cells import cell_len

from tfotop.model import latency
from tfotop.model.groups import Group
from tfotop.model.order import Order
from tfotop.model.peers import bad, share_accepted
from tfotop.model.state import PeerState
from tfotop.views.format import printable
from tfotop.views.tui.handshake_columns import cut

Cell = Callable[[PeerState, int], str]


class Column(NamedTuple):
    """Numbers are right-aligned, units stand in the titles. Neighbours of one ``group`` share a title above theirs.

    ``order`` is the name of the column in model/order.py.
    """

    title: str
    width: int
    cell: Cell
    group: tuple[str, ...] = ("",)  # the same in several lengths, longest first
    right: bool = True
    order: str = ""


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
    if us is None:
        return "-"
    return f"{us / 1000:.1f}" if 50 <= abs(us) < 999_950 else f"{us / 1000:.0f}" if abs(us) > 50 else "0.0"


def _port(state: PeerState, _now_ns: int) -> str:
    return str(state.reading.port) if state.reading.port else "-"


def _peers(state: PeerState, _now_ns: int) -> str:
    return _count(state.peers) if isinstance(state, Group) else "-"


def _seen(state: PeerState, now_ns: int) -> str:
    """Minutes and seconds, for as many minutes as fit: two rows are compared at a glance."""
    minutes, seconds = divmod(max(0, now_ns - state.reading.last_ns) // 1_000_000_000, 60)
    return f"{minutes}:{seconds:02}" if minutes < 1000 else ">999:"


def _process(state: PeerState, _now_ns: int) -> str:
    return printable(state.reading.process.comm) if state.reading.process else "-"


FIRST_BYTE: Final = ("1st BYTE ms", "1st")
SOONER: Final = ("SOONER BY", "SOONER")
PEER_COLUMNS: Final = (
    Column("PEER", 17, lambda s, _: printable(s.reading.address), right=False, order="peer"),
    Column("ROLE", 6, lambda s, _: printable(s.reading.role), right=False, order="role"),
    Column("PORT", 5, _port, order="port"),
    Column("COOKIE", 8, lambda s, _: printable(s.cookie), right=False, order="cookie"),
    Column("ACCEPT", 6, lambda s, _: _count(s.reading.outcomes.get("accepted", 0)), order="accepted"),
    Column("%", 4, lambda s, _: _number(share_accepted(s.reading)), order="share"),
    Column("REJECT", 6, lambda s, _: _count(bad(s.reading)), order="rejected"),
    Column("RTT ms", 6, lambda s, _: _ms(latency.rtt_us(s.reading)), order="rtt"),
    Column("tfo", 5, lambda s, _: _ms(latency.typical_us(s.reading.with_tfo)), FIRST_BYTE, order="tfo"),
    Column("plain", 5, lambda s, _: _ms(latency.typical_us(s.reading.without_tfo)), FIRST_BYTE, order="plain"),
    Column("ms", 6, lambda s, _: _ms(s.rtt_delta_us), SOONER, order="sooner"),
    Column("RTTs", 4, lambda s, _: _number(s.rtt_delta_rtts, 1), SOONER, order="rtts"),
    Column("m:s", 6, _seen, ("SEEN",), order="seen"),
    Column("PROCESS", 15, _process, right=False, order="process"),
)
COUNT: Final = Column("PEERS", 6, _peers, order="peers")
LEFT_OUT_FIRST: Final = ("process", "rtts", "share", "seen", "plain", "tfo", "rtt", "port", "role", "sooner")
SAID_ALREADY: Final = {"port": "port", "process": "process"}  # kind of group -> the column that its name stands for
LONGEST_ADDRESS: Final = 39
FALLING, RISING = "▼", "▲"


def fitting(width: int, kind: str = "") -> tuple[Column, ...]:
    """The columns that fit: all of them, or those that matter most. What is to spare goes to the peer's address.

    ``kind``: the rows are groups of that kind, or peers.
    """
    columns = list(_of_groups(kind) if kind else PEER_COLUMNS)
    for order in LEFT_OUT_FIRST:
        if _width(columns) <= width:
            break
        columns = [column for column in columns if column.order != order]
    spare = max(0, width - _width(columns))
    columns[0] = columns[0]._replace(width=min(LONGEST_ADDRESS, columns[0].width + spare))
    return tuple(columns)


def _of_groups(kind: str) -> tuple[Column, ...]:
    peer, *others = PEER_COLUMNS
    said = SAID_ALREADY.get(kind)
    return (peer._replace(title=kind.upper()), COUNT, *(c for c in others if c.order != said))


def orders(kind: str = "") -> tuple[str, ...]:
    """What the table can be sorted by, from left to right: also columns that do not fit."""
    return tuple(column.order for column in (_of_groups(kind) if kind else PEER_COLUMNS))


def at(columns: Sequence[Column], x: int) -> Column | None:
    """The column at a place from the left."""
    end = 0
    for column in columns:
        end += column.width + 1
        if x < end:
            return column
    return None


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width + 1 for column in columns) - 1


def titles(columns: tuple[Column, ...], order: Order | None = None) -> tuple[str, str]:
    """The two lines at the top: groups, and columns; that of the order has a mark, up or down."""
    groups = []
    for names, members in groupby(columns, key=lambda column: column.group):
        width = _width(list(members))
        name = next((name for name in names if len(name) <= width), "")
        groups.append(name.center(width) if name else " " * width)
    return " ".join(groups), _marked(line(columns, [column.title for column in columns]), columns, order)


def _marked(text: str, columns: Sequence[Column], order: Order | None) -> str:
    """The mark stands in the blank beside the title: before a title that is right-aligned, else behind it."""
    end = -1
    for column in columns:
        start, end = end + 1, end + 1 + column.width
        if order is not None and column.order == order.column:
            place = end - len(column.title) - 1 if column.right else start + len(column.title)
            return text[:place] + (FALLING if order.falling else RISING) + text[place + 1 :]
    return text


def line(columns: Sequence[Column], texts: Sequence[str]) -> str:
    """Cells side by side, each cut to its column; wide characters take two places."""
    return " ".join(_fit(text, column) for column, text in zip(columns, texts, strict=True))


def _fit(text: str, column: Column) -> str:
    text = cut(text, column.width, ending=column.order == "peer")  # an address is told from its neighbours by its end
    blank = " " * (column.width - cell_len(text))
    return blank + text if column.right else text + blank
