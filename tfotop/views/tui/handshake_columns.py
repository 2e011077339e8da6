"""The columns of the live feed of handshakes: title, width, and what stands in a cell."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from tfotop.sample import Handshake
from tfotop.views.format import milliseconds, printable, reason_text

VARIANT_WORDS: Final = {"no_cookie": "without a cookie", "backup_key": "by the backup key"}


class HandshakeColumn(NamedTuple):
    """Numbers are right-aligned, units stand in the titles. What is cut to its end is told apart by it."""

    title: str
    width: int
    cell: Callable[[Handshake], str]
    above: str = ""  # the first line of a title in two
    right: bool = False
    ending: bool = False


def clock(h: Handshake) -> str:
    """The time of the first SYN, to the millisecond."""
    seconds, ns = divmod(h.ts_ns, 10**9)
    try:
        clock = datetime.fromtimestamp(seconds).strftime("%H:%M:%S")
    except (OverflowError, OSError, ValueError):  # a recording may hold any number
        return "-"
    return f"{clock}.{ns // 10**6:03d}"


def outcome(h: Handshake) -> str:
    """The outcome in plain words."""
    return printable(h.outcome).replace("_", " ")


def _reason(h: Handshake) -> str:
    """Why it was not accepted, or how it was: at most one of the two is there. In short, the ladder says it in full."""
    return printable(reason_text(h.reason) or VARIANT_WORDS.get(h.variant or "", h.variant or "-"))


def process(h: Handshake) -> str:
    """``nginx[812]``; ``-`` when not known."""
    return "-" if h.comm is None else printable(h.comm) + ("" if h.pid is None else f"[{h.pid}]")


def _cookie(h: Handshake) -> str:
    if h.cookie_len is None:
        return "-"
    return f"{h.cookie_len} B {printable(h.cookie_id or '')}".rstrip() if h.cookie_len else "request"


def _data(h: Handshake) -> str:
    acked = "-" if h.syn_data_acked_bytes is None else h.syn_data_acked_bytes
    return f"{acked}/{h.syn_data_bytes}" if h.syn_data_bytes else "-"


HANDSHAKE_COLUMNS: Final = (
    HandshakeColumn("TIME", 12, clock),
    HandshakeColumn("ROLE", 6, lambda h: printable(h.role)),
    HandshakeColumn("PEER", 19, lambda h: printable(h.peer), ending=True),
    HandshakeColumn("LOCAL", 19, lambda h: printable(h.local), ending=True),
    HandshakeColumn("OUTCOME", 14, outcome),
    HandshakeColumn("REASON", 24, _reason),
    HandshakeColumn("COOKIE", 9, _cookie),
    HandshakeColumn("acked/sent", 11, _data, above="DATA", right=True),
    HandshakeColumn("RTT ms", 8, lambda h: milliseconds(h.handshake_rtt_us), right=True),
    HandshakeColumn("ms", 8, lambda h: milliseconds(h.first_byte_us), above="1st BYTE", right=True),
    HandshakeColumn("PROCESS", 12, process),
)
LEFT_OUT_FIRST: Final = (
    *("LOCAL", "PROCESS", "COOKIE", "acked/sent", "ms", "RTT ms"),
    *("ROLE", "TIME", "REASON", "OUTCOME"),  # below 80
)
GROW_FIRST: Final = (
    ("PEER", 21),  # IPv4
    ("REASON", 31),
    ("LOCAL", 21),
    ("PROCESS", 23),
    ("PEER", 47),  # IPv6
    ("LOCAL", 47),
)


def fitting(width: int) -> tuple[HandshakeColumn, ...]:
    """The columns that fit: all of them, or those that matter most. What is to spare goes to what is cut most."""
    columns = list(HANDSHAKE_COLUMNS)
    for title in LEFT_OUT_FIRST:
        if _width(columns) <= width:
            break
        columns = [column for column in columns if column.title != title]
    for title, most in GROW_FIRST:
        spare = width - _width(columns)  # below 19 it is negative: then the peer is cut
        columns = [c._replace(width=min(most, c.width + spare)) if c.title == title else c for c in columns]
    return tuple(columns)


def _width(columns: Sequence[HandshakeColumn]) -> int:
    return sum(column.width + 1 for column in columns) - 1


def titles(columns: Sequence[HandshakeColumn]) -> tuple[str, str]:
    """The two lines at the top."""
    return line(columns, [column.above for column in columns]), line(columns, [column.title for column in columns])


def row(columns: Sequence[HandshakeColumn], h: Handshake) -> str:
    """One handshake on one line."""
    return line(columns, [column.cell(h) for column in columns])


def line(columns: Sequence[HandshakeColumn], texts: Sequence[str]) -> str:
    """Cells side by side, each cut to its column; wide characters take two places."""
    return " ".join(_fit(text, column) for column, text in zip(columns, texts, strict=True))


def _fit(text: str, column: HandshakeColumn) -> str:
    text = cut(text, column.width, column.ending)
    blank = " " * (column.width - cell_len(text))
    return blank + text if column.right else text + blank


def cut(text: str, width: int, ending: bool = False) -> str:
    """The text, in so many places at most: its beginning, and with ``ending`` its last two thirds."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    kept = "…" + text[max(0, len(text) - width * 2 // 3) :] if ending else "…"
    if cell_len(kept) > width:  # wide characters
        kept = "…"
    return set_cell_size(set_cell_size(text, width - cell_len(kept)) + kept, width)
