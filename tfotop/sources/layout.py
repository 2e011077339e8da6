"""The bytes of ``bpf/handshake.h`` as Python reads them. A unit test compiles the header and compares every offset."""

from struct import Struct
from typing import Final, NamedTuple

RECENT: Final = 16
BUCKETS: Final = 74
OUTCOMES: Final = 8
NO_COOKIE_LEN: Final = 255
UNKNOWN: Final = 0xFFFFFFFF
UNDECIDED: Final = 255

FLOW: Final = Struct("=Q16s16sHHB3x")
HANDSHAKE: Final = Struct("=7Q2I16s14I8B")
RECORD_SIZE: Final = FLOW.size + HANDSHAKE.size
TOTAL_KEY: Final = Struct("=QIBBBBBB6x")
PEER_KEY: Final = Struct("=Q16sIHBx")
PEER_HEAD: Final = Struct(f"=3Q2I16sI{OUTCOMES}I3II{RECENT}I2B6x")
LATENCY: Final = Struct(f"=I{RECENT}I{BUCKETS}I")
PEER_SIZE: Final = PEER_HEAD.size + 2 * LATENCY.size + 4
TALLIES: Final = (
    "records_limited",
    "records_dropped",
    "totals_full",
    "changes_dropped",
    "tracked",
    "finished",
)

# table in bpf/tables.h -> (key size, value size of one CPU): checked against what bcc compiled before anything runs
TABLES: Final = {
    "totals": (TOTAL_KEY.size, 8),
    "handshakes": (FLOW.size, HANDSHAKE.size),
    "peers": (PEER_KEY.size, PEER_SIZE),
    "epoch": (4, 4),
    "tallies": (4, 8),
    "sighted": (4, 4),
}
RINGS: Final = ("records", "changes")


class Flow(NamedTuple):
    """struct flow."""

    netns_cookie: int
    local: bytes
    peer: bytes
    local_port: int
    peer_port: int
    role: int


class RawHandshake(NamedTuple):
    """struct handshake."""

    syn_ns: int
    last_syn_ns: int
    synack_ns: int
    last_synack_ns: int
    ack_ns: int
    first_byte_ns: int
    socket_cookie: int
    netns: int
    pid: int
    comm: bytes
    isn: int
    synack_isn: int
    syn_tsval: int
    last_syn_tsval: int
    synack_tsval: int
    last_synack_tsval: int
    rtt_us: int
    syn_data_bytes: int
    syn_data_acked_bytes: int
    qlen: int
    max_qlen: int
    tcp_fastopen: int
    cookie_id: int
    new_cookie_id: int
    cookie_len: int
    new_cookie_len: int
    option: int
    outcome: int
    reason: int
    variant: int
    syn_retransmits: int
    synack_retransmits: int
