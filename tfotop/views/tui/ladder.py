"""One handshake as a time-sequence picture: only what was seen, when the side that saw it saw it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size

from tfotop.sample import Handshake
from tfotop.views.format import milliseconds, printable, reason_text
from tfotop.views.tui.handshake_columns import cut, outcome, process

TIME_WIDTH: Final = 8
LONGEST_TIME: Final = 12
WITH_GAPS: Final = 90  # from this width on: also the time since the row above
MEANINGS: Final = {
    "plain": "no Fast Open in the SYN",
    "cookie_granted": "the next SYN can carry data",
    "cookie_refused": "a cookie was asked for, none came",
    "lost": "no answer to the first SYN",
    "unanswered": "no SYN-ACK was seen",
    "reset": "a RST came instead of a SYN-ACK",
}


class Arrow(NamedTuple):
    """One row: when, which way, and what it carries. A time that is not known is ``-``."""

    at_us: int | None
    to_server: bool
    label: tuple[str, ...]


def ladder(h: Handshake, width: int) -> list[str]:
    """Title, client on the left, server on the right, what came of it; no line is longer than ``width``."""
    h = _cleaned(h)
    lines = [*_fold(_title(h, width), width), *_picture(h, width), *_fold(_end(h), width), *_fold(_numbers(h), width)]
    return [text if cell_len(text) <= width else set_cell_size(text, width) for text in map(str.rstrip, lines)]


def _cleaned(h: Handshake) -> Handshake:
    def clean(text: str | None) -> str | None:
        return None if text is None else printable(text)

    return replace(
        h,
        local=clean(h.local),
        peer=clean(h.peer),
        comm=clean(h.comm),
        outcome=clean(h.outcome),
        variant=clean(h.variant),
        reason=clean(h.reason),
        cookie_id=clean(h.cookie_id),
        new_cookie_id=clean(h.new_cookie_id),
    )


def _is_server(h: Handshake) -> bool:
    return h.role == "server"


def _title(h: Handshake, width: int) -> list[str]:
    client, server = (h.peer, h.local) if _is_server(h) else (h.local, h.peer)
    ends = [f"client {client} -> {server}"]
    if cell_len(ends[0]) > width:
        ends = [cut(end, width, ending=True) for end in (f"client {client}", f"-> {server}")]
    return [*ends, _result(h), f"seen from the {'server' if _is_server(h) else 'client'}"]


def _result(h: Handshake) -> str:
    words = outcome(h) + (f" ({h.variant.replace('_', ' ')})" if h.variant else "")
    why = reason_text(h.reason, h.tcp_fastopen)
    return f"{words}: {why}" if why else words


def _end(h: Handshake) -> list[str]:
    meaning = MEANINGS.get(h.outcome)
    if h.reason == "syn_cookies" and h.synack_us is None:
        meaning = "no socket sends the SYN-ACK: it cannot be seen"
    elif h.outcome == "accepted":
        meaning = "the server took the data in the SYN" if h.syn_data_bytes else "the SYN carried no data"
    elif h.outcome == "rejected" and h.syn_data_bytes:
        meaning = f"{'the rest of ' if h.syn_data_acked_bytes else ''}the data has to be sent again"
    return [_result(h), f"({meaning})"] if meaning else [_result(h)]


def _numbers(h: Handshake) -> Iterator[str]:
    yield f"handshake RTT {milliseconds(h.handshake_rtt_us)} ms"
    yield f"first byte {milliseconds(h.first_byte_us)} ms" + (" (in the SYN)" if _request_in_syn(h) else "")
    if h.synack_us is None and h.ack_us is not None:  # kernels before 6.6 hide that of an IPv6 listener
        yield "SYN-ACK not seen"
    if h.syn_retransmits and h.last_syn_us is None:
        yield f"SYN sent {h.syn_retransmits + 1} times"
    if h.qlen is not None and h.max_qlen is not None:
        yield f"Fast Open queue {h.qlen} of {h.max_qlen}"
    if h.tcp_fastopen is not None:
        yield f"tcp_fastopen {h.tcp_fastopen:#x}"


def _request_in_syn(h: Handshake) -> bool:
    return _is_server(h) and h.first_byte_us == 0 and h.syn_data_bytes > 0


def _arrows(h: Handshake) -> list[Arrow]:
    """What was seen, in the order of time; at the same time in the order of the protocol."""
    arrows = [Arrow(0, True, ("SYN", *_syn(h)))]
    if h.syn_retransmits and h.last_syn_us is not None:
        times = () if h.syn_retransmits == 1 else (f"the last of {h.syn_retransmits}",)
        arrows.append(Arrow(h.last_syn_us, True, ("SYN again", *times)))
    if h.synack_us is not None:
        arrows.append(Arrow(h.synack_us, False, ("SYN-ACK", *_synack(h))))
    arrows += _after(h)
    arrows.sort(key=lambda arrow: arrow.at_us or 0)
    if h.outcome == "reset" and not _is_server(h):  # seen, but its time is not recorded
        arrows.append(Arrow(None, False, ("RST",)))
    return arrows


def _syn(h: Handshake) -> Iterator[str]:
    kind = " (option 254)" if h.option == "experimental" else ""
    if h.cookie_len is None:
        yield "no option"
    else:
        yield (_cookie(h.cookie_len, h.cookie_id) if h.cookie_len else "cookie request") + kind
    if h.syn_data_bytes:
        yield f"data {h.syn_data_bytes} B" + (": the request" if _request_in_syn(h) else "")


def _synack(h: Handshake) -> Iterator[str]:
    if h.new_cookie_len:
        yield f"new {_cookie(h.new_cookie_len, h.new_cookie_id)}"
    elif h.cookie_len == 0:
        yield "no cookie"
    if h.syn_data_bytes and h.syn_data_acked_bytes is not None:
        acked = f"data acked {h.syn_data_acked_bytes} of {h.syn_data_bytes} B"
        yield acked if h.syn_data_acked_bytes else "data not acked"


def _cookie(length: int, fingerprint: str | None) -> str:
    return f"cookie {length} B" + (f" {fingerprint}" if fingerprint else "")


def _after(h: Handshake) -> Iterator[Arrow]:
    """The ACK, and the first payload from the other side: often the same segment."""
    asked = _is_server(h)
    first = ("request" if asked else "response", "first byte")
    at_once = asked and h.ack_us is not None and h.ack_us == h.first_byte_us
    if h.ack_us is not None:
        yield Arrow(h.ack_us, True, ("ACK", *first) if at_once else ("ACK",))
    if h.first_byte_us is not None and not at_once and not _request_in_syn(h):
        yield Arrow(h.first_byte_us, asked, first)


def _picture(h: Handshake, width: int) -> Iterator[str]:
    arrows = _arrows(h)
    times = [milliseconds(arrow.at_us) for arrow in arrows]
    column = min(LONGEST_TIME, max(TIME_WIDTH, *map(len, times)))
    gaps = _gaps(arrows) if width >= WITH_GAPS else None
    left = column + 2 + (column + 2 if gaps else 0)
    inner = max(1, width - left - 2)

    def beside(*texts: str) -> str:
        return "".join(cut(text, column).rjust(column) + "  " for text in texts[: 2 if gaps else 1])

    yield beside("ms", "+ms") + _heads(h, inner + 2)
    for number, (arrow, time) in enumerate(zip(arrows, times, strict=True)):
        *above, drawn = _drawn(arrow, inner)
        yield from (beside("", "") + text for text in above)
        yield beside(time, gaps[number] if gaps else "") + drawn


def _gaps(arrows: Sequence[Arrow]) -> list[str]:
    times = [arrow.at_us for arrow in arrows]
    return ["", *("" if a is None or b is None else f"+{milliseconds(b - a)}" for a, b in pairwise(times))]


def _heads(h: Handshake, span: int) -> str:
    """Who is on which side; the process on the side that it was seen on."""
    who = "" if h.comm is None else process(h)
    for name in (who, ""):
        client = f"client {name}".rstrip() if name and not _is_server(h) else "client"
        server = f"{name} server".lstrip() if name and _is_server(h) else "server"
        blank = span - cell_len(client) - cell_len(server)
        if blank >= 2:
            break
    return client + " " * max(1, blank) + server


def _drawn(arrow: Arrow, inner: int) -> Iterator[str]:
    """The label on its arrow, or where that is too short, above it."""
    label = "  ".join(arrow.label)
    if cell_len(label) + 6 > inner:
        for text in _fold(arrow.label, max(1, inner - 2)):
            yield f"│ {set_cell_size(text, max(1, inner - 1))}│"
        label = ""
    room = inner - 3
    text = f" {label} " if label else "─"
    shaft = text + "─" * (room - cell_len(text))
    yield f"│──{shaft}►│" if arrow.to_server else f"│◄─{shaft}─│"


def _fold(pieces: Iterable[str], width: int) -> list[str]:
    """Pieces side by side, in as many lines as they need; only what is longer than a line is broken, at its blanks."""
    lines: list[str] = []
    for piece in pieces:
        if lines and cell_len(lines[-1]) + 2 + cell_len(piece) <= width:
            lines[-1] += f"  {piece}"
        elif cell_len(piece) <= width:
            lines.append(piece)
        else:
            lines += _broken(piece, width)
    return lines


def _broken(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(cut(word, width, ending=True))
    return lines
