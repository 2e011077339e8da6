"""What only the absence of a packet tells of a handshake in progress: that it is over, and what became of it."""

from typing import Final

from tfotop.sources import layout
from tfotop.sources.layout import RawHandshake
from tfotop.words import OUTCOMES, REASONS

SECOND: Final = 1_000_000_000
# Reasons for which the kernel drops a SYN, as in bpf/verdict.h.
EXPLAIN_SILENCE: Final = {REASONS.index("accept_queue_full"), REASONS.index("syn_queue_full")}


def quiet(values: memoryview, mono_ns: int) -> list[int]:
    """Indexes of the entries in which nothing has happened for 2 s: few, where the table may hold tens of thousands."""
    words = values.cast("Q")
    width, limit = layout.HANDSHAKE.size // 8, mono_ns - 2 * SECOND
    columns = (words[1::width].tolist(), words[3::width].tolist(), words[4::width].tolist())  # last SYN, SYN-ACK, ACK
    return [i for i, times in enumerate(zip(*columns, strict=True)) if max(times) < limit]


def is_over(raw: RawHandshake, mono_ns: int) -> bool:
    """Whether nothing more is to be waited for.

    Without a SYN-ACK: twice the time after which the SYN would have been sent again (RFC 6298: 1 s, doubled each time).
    A SYN-ACK without an ACK: 3 s after the last one. A handshake without a first byte: 2 s.
    """
    if raw.outcome == layout.UNDECIDED:
        return mono_ns > raw.last_syn_ns + (2 << min(raw.syn_retransmits, 6)) * SECOND
    if raw.last_synack_ns and not raw.ack_ns:  # only a server sees these two
        return mono_ns > raw.last_synack_ns + 3 * SECOND
    return mono_ns > (raw.ack_ns or raw.synack_ns) + 2 * SECOND


def infer(raw: RawHandshake) -> tuple[int, int]:
    """Outcome and reason of a SYN whose SYN-ACK is hidden, as in bpf/unseen.h: it was not accepted."""
    if raw.cookie_len == layout.NO_COOKIE_LEN and not raw.syn_data_bytes:
        return OUTCOMES.index("plain"), 0
    if raw.cookie_len or raw.syn_data_bytes:
        return OUTCOMES.index("rejected"), raw.reason
    return OUTCOMES.index("cookie_refused" if raw.reason else "cookie_granted"), raw.reason
