"""The kernel's Fast Open counters and those around them: value, rate, tfotop's own count, and what each means."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from tfotop.model.agreement import COUNTERS
from tfotop.model.state import Model
from tfotop.views.format import printable, rate
from tfotop.views.tui.handshake_columns import cut
from tfotop.views.tui.panels import sparkline

FAST_OPEN: Final = "TCPFastOpen"
NOTHING_YET: Final = "nothing read yet"
WIDTHS: Final = (25, 9, 6)  # name, value, rate
CHECK_WIDTH: Final = 14
BARS: Final = 10  # twice as many where the check is shown too
WITH_CHECK: Final = 140
STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 90)
UNITS: Final = ((10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T"), (10**15, "P"), (10**18, "E"))
UNKNOWN: Final = ("new, not known here", "This kernel has it, and this tfotop does not know it.")

# Counter -> what it means, in a few words and in one sentence (net/ipv4/tcp_fastopen.c, tcp_input.c, tcp_output.c,
# tcp_timer.c, syncookies.c). Those of Fast Open come first, and after them any that are not listed here.
MEANINGS: Final = {
    "TCPFastOpenActive": ("client: data taken", "Client: the server acknowledged the data in the SYN."),
    "TCPFastOpenActiveFail": ("client: data not taken", "Client: the SYN's data was not acknowledged, or it was lost."),
    "TCPFastOpenPassive": ("server: accepted", "Server: connections accepted at the SYN."),
    "TCPFastOpenPassiveAltKey": ("server: by backup key", "Server: accepted by the backup key; a new cookie was sent."),
    "TCPFastOpenPassiveFail": ("server: cookie refused", "Server: the cookie was not valid, or no socket was made."),
    "TCPFastOpenListenOverflow": ("server: TFO queue full", "Server: a listener's Fast Open queue was full."),
    "TCPFastOpenCookieReqd": ("server: cookie wanted", "Server: SYNs that asked for a cookie, granted or not."),
    "TCPFastOpenBlackhole": ("client: switched off", "Client: Fast Open switched off, a blackhole suspected."),
    "SyncookiesSent": ("SYN cookies: no TFO", "SYNs answered with a SYN cookie: no Fast Open for these."),
    "SyncookiesRecv": ("SYN cookies back", "ACKs that brought a valid SYN cookie back."),
    "SyncookiesFailed": ("bad SYN cookies", "ACKs whose SYN cookie was not valid."),
    "TCPReqQFullDoCookies": ("SYN queue was full", "SYN queue full: SYN cookies were used."),
    "TCPReqQFullDrop": ("SYN queue full: drop", "SYN queue full, SYN cookies off: the SYN was dropped."),
    "ListenOverflows": ("accept queue was full", "Accept queue full: the application accepts too slowly."),
    "ListenDrops": ("dropped by listeners", "Connections that a listener dropped, for any cause."),
    "TCPSynRetrans": ("SYN, SYN-ACK again", "SYNs and SYN-ACKs that were sent again."),
    "TCPTimeouts": ("timed out, sent again", "Retransmission timeouts: the third may count as ActiveFail."),
}  # fmt: skip


class Row(NamedTuple):
    """One counter over all namespaces; ``None`` is not known. ``tfotop``: its own count of the interval."""

    name: str
    value: int
    per_s: float | None
    tfotop: int | None
    agrees: bool


def lines(model: Model | None, width: int) -> list[str]:
    """One line for each counter that this kernel has, below a line of titles."""
    if model is None:
        return [cut(NOTHING_YET, width)]
    bars = bars_width(width)
    found = [_line(_cells(row, model, bars), MEANINGS.get(row.name, UNKNOWN), width) for row in rows(model)]
    if not found:
        return [cut("no counters could be read", width)]
    titles = ("COUNTER", "VALUE", "/s", f"{_span(model, bars):{bars}}", "TFOTOP")
    return [_line(titles, ("MEANING",), width), *found]


def detail(model: Model, _lines: Sequence[str], index: int) -> str:
    """What one of the counters means, in a sentence."""
    found = list(rows(model))
    if not 0 <= index < len(found):
        return ""
    return f"{printable(found[index].name)}: {MEANINGS.get(found[index].name, UNKNOWN)[1]}"


def bars_width(width: int) -> int:
    """How many bars there are on a line of so many columns."""
    return BARS if width < WITH_CHECK else 2 * BARS


def rows(model: Model) -> Iterator[Row]:
    """The counters of this kernel, summed over the namespaces."""
    readings = [n.reading.counters for n in model.namespaces if n.reading.counters is not None]
    moves = [n.moved for n in model.namespaces if n.moved is not None]
    checks = [check for n in model.namespaces for check in n.checks]
    for name in _shown({name for reading in readings for name in reading}):
        moved = [move[name] for move in moves if name in move]
        mine = [check for check in checks if check.counter == name]
        yield Row(
            name=name,
            value=sum(reading.get(name, 0) for reading in readings),
            per_s=sum(moved) / model.interval_s if moved and model.interval_s else None,
            tfotop=sum(check.tfotop for check in mine) if mine else None,
            agrees=all(check.agrees for check in mine),
        )


def _shown(present: set[str]) -> list[str]:
    unknown = sorted(name for name in present if name.startswith(FAST_OPEN) and name not in MEANINGS)
    known = [name for name in MEANINGS if name in present]
    first = [name for name in known if name.startswith(FAST_OPEN)]
    return [*first, *unknown, *known[len(first) :]]


def _span(model: Model, bars: int) -> str:
    """How long the time is that the bars tell of."""
    if model.interval_s is None:
        return ""
    seconds = round(together(len(model.history), bars) * bars * model.interval_s)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def together(intervals: int, bars: int) -> int:
    """How many intervals one bar stands for, so that all of them fit."""
    return next((n for n in STEPS if n * bars >= intervals), -(-intervals // bars))


def over_time(model: Model, name: str, bars: int) -> str:
    """The rate over the whole history. An interval stays in its bar while others come: the newest bar fills up."""
    history, each = model.history, together(len(model.history), bars)
    newest = 1 + (round(model.mono_ns / 1e9 / model.interval_s) % each if model.interval_s else 0)
    values: list[float | None] = []
    end = len(history)
    while end > 0 and len(values) < bars:
        start = max(0, end - (each if values else newest))
        known = [rates.counters.get(name, 0.0) for rates in history[start:end] if rates.counters is not None]
        values.append(sum(known) / len(known) if known else None)
        end = start
    return sparkline(values[::-1], bars)


def _cells(row: Row, model: Model, bars: int) -> tuple[str, ...]:
    per_s = rate(row.per_s)
    if row.per_s is not None and len(per_s) > WIDTHS[2]:
        per_s = shortened(round(row.per_s), WIDTHS[2])
    if row.tfotop is not None:
        own = f"{shortened(row.tfotop, 6, '+'):>6} {'=' if row.agrees else 'DIFFERS'}"
    else:
        own = f"{'-':>6}" if row.name in COUNTERS else ""
    return printable(row.name), shortened(row.value, WIDTHS[1]), per_s, over_time(model, row.name, bars), own


def _line(cells: tuple[str, ...], meanings: tuple[str, ...], width: int) -> str:
    """The cells that fit, each whole, then the longest text that fits. The check needs a wide terminal."""
    name, value, per_s, bars, own = cells
    name_width, value_width, rate_width = WIDTHS
    room = min(name_width, width)
    text = set_cell_size(cut(name, room), room)
    checks = (f"{own:{CHECK_WIDTH}}",) if width >= WITH_CHECK else ()
    for cell in (f"{value:>{value_width}}", f"{per_s:>{rate_width}}", bars, *checks):
        if cell_len(text) + 1 + len(cell) > width:
            return text.rstrip()
        text += f" {cell}"
    left = width - cell_len(text) - 1
    meaning = next((m for m in sorted(meanings, key=len, reverse=True) if len(m) <= left), "")
    return f"{text} {meaning}".rstrip()


def shortened(number: int, width: int, sign: str = "-") -> str:
    """The number itself where it fits, else in the smallest unit that makes it fit. ``sign``: ``+`` shows it always."""
    texts = [f"{number:{sign}d}", *(f"{number / divisor:{sign}.1f}{unit}" for divisor, unit in UNITS)]
    return next((text for text in texts if len(text) <= width), "-")
