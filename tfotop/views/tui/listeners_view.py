"""Every listener with its Fast Open queue, key and process, and the first one that refuses what clients ask for."""

from collections.abc import Iterator, Sequence, Set
from typing import Final, NamedTuple, overload

from rich.cells import cell_len, set_cell_size

from tfotop.diagnosis.settings import SERVER_OFF, server_fix
from tfotop.model.selection import split_endpoint
from tfotop.model.state import Model, NamespaceState
from tfotop.sample import Keys, Listener
from tfotop.views.format import count, printable, switch
from tfotop.views.tui.counters_view import NOTHING_YET
from tfotop.views.tui.handshake_columns import cut
from tfotop.words import SERVER_BIT

TITLES: Final = (
    ("", "ADDRESS"),
    ("", "PORT"),
    ("TFO", "QUEUE"),
    ("", "BACKLOG"),
    ("ACCEPT", "QUEUE"),
    ("", "KEY"),
    ("SERVER", "BIT"),
    ("", "PROCESS"),
    ("", "NETNS"),
)
TITLE_LINES: Final = 2
ADDRESS, PORT, TFO_QUEUE, BACKLOG, ACCEPT_QUEUE, KEY, BIT, PROCESS, NETNS = range(len(TITLES))
RIGHT: Final = (PORT, TFO_QUEUE, BACKLOG, ACCEPT_QUEUE)
LEAST: Final = {ADDRESS: 12, PROCESS: 12, NETNS: 8}  # these may be cut, down to so many
LEFT_OUT_FIRST: Final = (BACKLOG, NETNS, ACCEPT_QUEUE, KEY, PROCESS, BIT, TFO_QUEUE, PORT)
REFUSED_AT_THE_LISTENER: Final = ("server_bit_off", "no_queue")


class Row(NamedTuple):
    """A listener and the namespace that it is in."""

    state: NamespaceState
    listener: Listener


class Table(Sequence[str]):
    """The lines of the table; those of listeners are made as they are asked for: there may be thousands."""

    def __init__(self, rows_of: Sequence[Row], width: int) -> None:
        self.rows, self._width = rows_of, width
        self._widths = _widths([*zip(*TITLES, strict=True), *_widest(rows_of)], width)

    def __len__(self) -> int:
        return TITLE_LINES + len(self.rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """A title, or a listener."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        cells = (
            [upper_lower[index] for upper_lower in TITLES]
            if index < TITLE_LINES
            else _cells(self.rows[index - TITLE_LINES])
        )
        text = " ".join(_fit(cells[c], w, c) for c, w in self._widths.items())
        return cut(text.rstrip(), self._width)


def lines(model: Model | None, width: int) -> Sequence[str]:
    """One line for each listener below two lines of titles, or why there are none."""
    if model is None:
        return [cut(NOTHING_YET, width)]
    found = rows(model)
    return Table(found, width) if found else [cut(missing(model, found), width)]


def detail(model: Model, shown: Sequence[str], index: int) -> str:
    """Of a listener that cannot do Fast Open although cookies are asked for, why; else of the first such listener."""
    found = shown.rows if isinstance(shown, Table) else []
    return refusing(model, found[index : index + 1]) or refusing(model, found) or missing(model, found)


def missing(model: Model, found: Sequence[Row]) -> str:
    """What is not known; namespaces that are gone do not count."""
    known = sum(n.reading.listeners is not None for n in model.namespaces)
    unknown = sum(n.reading.listeners is None and n.reading.counters is not None for n in model.namespaces)
    if not known:
        return "Listeners not known."
    if unknown:
        return f"Listeners not known in {unknown} of {known + unknown} namespaces."
    return "" if found else "No listeners."


def rows(model: Model) -> list[Row]:
    """All listeners by port, then address (IPv4 first); SO_REUSEPORT siblings stay apart."""
    found = [Row(state, listener) for state in model.namespaces for listener in state.reading.listeners or ()]
    found.sort(key=lambda row: (row.listener.port, ":" in row.listener.address, row.listener.address))
    return found


def refusing(model: Model, found: Sequence[Row]) -> str:
    """The first listener that cannot do Fast Open although cookies are asked for; empty if there is none.

    First those that were seen to refuse, then those that were told to do Fast Open: the bit is for all of a namespace.
    """
    in_vain = {(h.netns, split_endpoint(h.local)[1], h.reason) for h in model.handshakes if h.role == "server"}
    asked_of = {id(state): _asked(state) for state in model.namespaces}
    queueless = {id(s) for s in model.namespaces if all(one.max_qlen == 0 for one in s.reading.listeners or ())}

    def seen(row: Row, reason: str) -> bool:
        return (row.state.reading.inum, row.listener.port, reason) in in_vain

    def unlikely(row: Row) -> tuple[bool, bool]:
        return not any(seen(row, reason) for reason in REFUSED_AT_THE_LISTENER), not row.listener.max_qlen

    for row in sorted(found, key=unlikely):
        asked = asked_of.get(id(row.state), 0)
        refused = {reason for reason in REFUSED_AT_THE_LISTENER if seen(row, reason)}
        reason = _why_not(row, asked, refused, id(row.state) in queueless)
        if reason:
            what = f"{asked} cookie{' was' if asked == 1 else 's were'} asked for" if asked else "cookies are asked for"
            return f"! {_name(row)} cannot do Fast Open, although {what}: {_remedy(row.state, reason)}"
    return ""


def _remedy(state: NamespaceState, reason: str) -> str:
    """What it means on this host, and what to do, in the fewest words."""
    if reason == "no_queue":
        return "the listener has no Fast Open queue: set TCP_FASTOPEN on it, or bit 0x400, and restart it"
    fix = server_fix(state.reading, state.reading.sysctls.tcp_fastopen if state.reading.sysctls else None)
    return f"{SERVER_OFF}: {fix.command or fix.text}"


def _why_not(row: Row, asked: int, seen: Set[str], queueless: bool) -> str | None:
    """Which was asked is known if it was ``seen``: else any that has a queue, or all lack it (``queueless``)."""
    sysctls = row.state.reading.sysctls
    mode = sysctls.tcp_fastopen if sysctls else None
    if asked and mode is not None and not mode & SERVER_BIT:
        meant = "server_bit_off" in seen or row.listener.max_qlen != 0 or queueless
        return "server_bit_off" if meant else None
    if row.listener.max_qlen == 0 and ("no_queue" in seen or (asked and queueless)):
        return "no_queue"
    return None


def _asked(state: NamespaceState) -> int:
    """How often cookies were asked for, or brought in vain: since tfotop started, else since the namespace was made."""
    mine = (t for t in state.totals if t.role == "server" and (t.request or t.reason in REFUSED_AT_THE_LISTENER))
    return sum(t.handshakes for t in mine) or (state.reading.counters or {}).get("TCPFastOpenCookieReqd", 0)


def _name(row: Row) -> str:
    address = f"[{row.listener.address}]" if ":" in row.listener.address else row.listener.address
    owner = f" {_process(row.listener)}" if row.listener.process else ""
    return printable(f"{address}:{row.listener.port}{owner}")


def _process(listener: Listener) -> str:
    return f"{listener.process.comm}[{listener.process.pid}]" if listener.process else "-"


def _key(listener: Listener, keys: Keys | None) -> str:
    """Its own key, else that of its namespace. Where the listener could not be asked, nobody knows which it is."""
    if listener.own_key is not None:
        return listener.own_key
    if listener.max_qlen is None or keys is None:
        return "-"
    return (keys.primary or "none") + ("+backup" if keys.backup else "")


def _cells(row: Row) -> tuple[str, ...]:
    reading, listener = row.state.reading, row.listener
    cells = (
        listener.address,
        str(listener.port),
        "off" if listener.max_qlen == 0 else count(listener.max_qlen),
        str(listener.backlog),
        str(listener.accept_queue),
        _key(listener, reading.keys),
        switch(reading.sysctls.tcp_fastopen if reading.sysctls else None, SERVER_BIT),
        _process(listener),
        reading.name or str(reading.inum),
    )
    return tuple(printable(cell) for cell in cells)


def _widest(found: Sequence[Row]) -> Iterator[Sequence[str]]:
    """In each column the widest cell, as rows: of cells that are alike only one is made."""
    alike = {
        (len(row.listener.address), row.listener.process, row.listener.own_key, row.state.reading.inum): row
        for row in found
    }
    most = max((row.listener.max_qlen or 0 for row in found), default=0)
    longest = (
        most,
        *(max((getattr(row.listener, n) for row in found), default=0) for n in ("backlog", "accept_queue")),
    )
    for row in alike.values():
        cells = list(_cells(row))
        cells[BACKLOG], cells[ACCEPT_QUEUE] = str(longest[1]), str(longest[2])
        cells[TFO_QUEUE] = max(cells[TFO_QUEUE], str(most), key=len)
        yield cells


def _widths(cells: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Each column as wide as its widest cell; what does not fit is cut where that hurts least, or left out."""
    widths = {column: max(cell_len(row[column]) for row in cells) for column in range(len(TITLES))}
    for left_out in (None, *LEFT_OUT_FIRST):
        if left_out is not None:
            del widths[left_out]
        excess = sum(widths.values()) + len(widths) - 1 - width
        least = {column: min(LEAST.get(column, w), w) for column, w in widths.items()}
        if excess <= sum(widths.values()) - sum(least.values()):
            break
    for _ in range(excess):
        widest = max(widths, key=lambda column: widths[column] - least.get(column, 0))
        widths[widest] -= 1
    return widths


def _fit(text: str, width: int, column: int) -> str:
    """One cell. What is cut keeps both its ends: addresses differ in the last, a process has its number there."""
    if cell_len(text) > width:
        end = len(text) - text.rfind("[") if column == PROCESS else width // 2
        tail = end if text.isascii() and end < width else 0
        text = set_cell_size(text, max(0, width - 1 - tail)) + "…" + text[len(text) - tail :]
    return " " * (width - cell_len(text)) + text if column in RIGHT else set_cell_size(text, width)
