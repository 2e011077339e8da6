"""What was seen in one interval, and when: frozen records, raw and cumulative, nothing derived.

Units are in the names. ``None`` means not known, never zero. Time enters the program here and nowhere else.
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The base of everything in a Sample: immutable, compared by value, written as JSON."""


class Problem(Record, frozen=True, kw_only=True):
    """Something that could not be read: what, why, and how to get it, each in a few words."""

    source: str
    text: str
    remedy: str | None = None


class Sysctls(Record, frozen=True, kw_only=True):
    """Integers below /proc/sys/net of one namespace; ``blackhole_timeout_s`` 0 means off."""

    tcp_fastopen: int | None = None
    blackhole_timeout_s: int | None = None
    tcp_syncookies: int | None = None
    tcp_max_syn_backlog: int | None = None
    somaxconn: int | None = None


class Keys(Record, frozen=True, kw_only=True):
    """Fingerprints of net.ipv4.tcp_fastopen_key; ``None`` for a key that is not there (or is all zero)."""

    primary: str | None = None
    backup: str | None = None


class Process(Record, frozen=True, kw_only=True):
    """A process as named at the time it was seen; ``comm`` is as the kernel gives it, not yet safe to print."""

    pid: int
    comm: str


class Listener(Record, frozen=True, kw_only=True):
    """One listening TCP socket; SO_REUSEPORT siblings are listeners of their own.

    ``max_qlen`` is getsockopt(TCP_FASTOPEN), ``None`` when it could not be read (not root, or no process holds it).
    ``backlog`` and ``accept_queue`` are idiag_wqueue and idiag_rqueue (net/ipv4/tcp_diag.c).
    """

    cookie: int
    address: str
    port: int
    inode: int
    backlog: int
    accept_queue: int
    max_qlen: int | None = None
    process: Process | None = None
    own_key: str | None = None
    own_backup: str | None = None


class Metric(Record, frozen=True, kw_only=True):
    """A tcp_metrics entry with Fast Open data (include/uapi/linux/tcp_metrics.h)."""

    destination: str
    source: str | None = None
    age_ms: int | None = None
    rtt_us: int | None = None
    fo_mss: int | None = None
    fo_cookie_len: int | None = None
    fo_cookie_id: str | None = None
    fo_syn_drops: int | None = None
    fo_syn_drop_age_ms: int | None = None


class Connection(Record, frozen=True, kw_only=True):
    """A live connection that used, or tried, Fast Open, from sock_diag's raw tcp_info.

    ``client_fail``: tcpi_fastopen_client_fail, 0 none, 1 no cookie, 2 data not acked, 3 SYN retransmitted.
    ``syn_data``: tcpi_options & 32. ``tfo_child``: tcpi_options & 128, ``None`` where the kernel never sets it.
    """

    local: str
    peer: str
    cookie: int
    syn_data: bool
    client_fail: int
    tfo_child: bool | None = None
    rtt_us: int | None = None


class Namespace(Record, frozen=True, kw_only=True):
    """One network namespace: its inode number names it only while it lives; ``cookie`` is unique (SO_NETNS_COOKIE).

    ``counters`` were read before the sensor, ``counters_after`` after it: the truth at its reading lies between.
    ``pid`` is a process that lives in it, ``None`` where there is none.
    """

    inum: int
    name: str | None = None
    cookie: int | None = None
    own: bool = False
    processes: int = 0
    pid: int | None = None
    counters: dict[str, int] | None = None
    counters_after: dict[str, int] | None = None
    sysctls: Sysctls | None = None
    keys: Keys | None = None
    listeners: tuple[Listener, ...] | None = None
    metrics: tuple[Metric, ...] | None = None
    connections: tuple[Connection, ...] | None = None


class Handshake(Record, frozen=True, kw_only=True):
    """One handshake of one role, its outcome final. Addresses as in ``events --json``; identifiers as in words.py."""

    ts_ns: int
    role: str
    netns: int | None
    local: str
    peer: str
    pid: int | None = None
    comm: str | None = None
    outcome: str
    variant: str | None = None
    reason: str | None = None
    option: str | None = None
    cookie_len: int | None = None
    cookie_id: str | None = None
    new_cookie_len: int | None = None
    new_cookie_id: str | None = None
    syn_data_bytes: int = 0
    syn_data_acked_bytes: int | None = None
    syn_retransmits: int = 0
    handshake_rtt_us: int | None = None
    first_byte_us: int | None = None
    qlen: int | None = None
    max_qlen: int | None = None
    tcp_fastopen: int | None = None
    synack_us: int | None = None
    ack_us: int | None = None
    last_syn_us: int | None = None
    socket_cookie: int | None = None


class Total(Record, frozen=True, kw_only=True):
    """Handshakes since the sensor was attached, for one namespace, role, outcome, reason and variant.

    ``data``: the SYN carried data, which decides whether TCPFastOpenActive and ActiveFail move. ``request``: it carried
    a cookie request, which TCPFastOpenCookieReqd counts whatever came of it.
    """

    netns: int | None
    netns_cookie: int | None
    role: str
    outcome: str
    reason: str | None
    variant: str | None
    data: bool
    request: bool
    handshakes: int


class Micros(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Microseconds, each below 2^32: a sequence of numbers in a sixth of the memory of a tuple.

    Made of numbers, kept as unsigned 32-bit little-endian ones. (An array, like an instance of any other class of ours,
    would be looked at by each garbage collection: 0.1 s at 65,536 peers.)
    """

    packed: bytes | tuple[int, ...] = b""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not isinstance(self.packed, bytes):
            try:
                packed = struct.pack(f"<{len(self.packed)}I", *self.packed)
            except struct.error as error:
                raise ValueError(f"no microseconds below 2^32: {error}") from None
            msgspec.structs.force_setattr(self, "packed", packed)

    def __iter__(self) -> Iterator[int]:
        raw = bytes(self.packed)
        return iter(struct.unpack_from(f"<{len(raw) // 4}I", raw))

    def __len__(self) -> int:
        return len(self.packed) // 4

    def __getitem__(self, index: int) -> int:
        return tuple(self)[index]


NONE: Final = Micros()


class Buckets(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A histogram: what is in each bucket that is not empty, in a third of the memory of a dict, or less.

    Made of a mapping from each bucket's index to its count, kept as pairs of unsigned 8 and 32 bits, little-endian.
    """

    packed: bytes | dict[int, int] = b""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not isinstance(self.packed, bytes):
            pairs = [number for pair in self.packed.items() for number in pair]
            try:
                packed = struct.pack("<" + "BI" * len(self.packed), *pairs)
            except struct.error as error:
                raise ValueError(f"no buckets below 256, or no counts below 2^32: {error}") from None
            msgspec.structs.force_setattr(self, "packed", packed)

    def items(self) -> Iterator[tuple[int, int]]:
        """Indices and counts."""
        raw = bytes(self.packed)
        return struct.iter_unpack("<BI", raw[: len(self) * PAIR])

    def __len__(self) -> int:
        return len(self.packed) // PAIR


PAIR: Final = 5
EMPTY: Final = Buckets()


class Latency(Record, frozen=True, kw_only=True):
    """Times to the first byte of one class: exact for the last few, a histogram for all.

    ``buckets`` maps a bucket's index (latency.py gives its bounds) to its count; ``recent_us`` is oldest first.
    """

    count: int = 0
    recent_us: Micros = NONE
    buckets: Buckets = EMPTY


class Peer(Record, frozen=True, kw_only=True):
    """Everything the kernel's table holds of one peer, role and port, cumulative since ``first_ns`` (monotonic)."""

    netns: int | None
    netns_cookie: int | None
    role: str
    address: str
    port: int
    first_ns: int
    last_ns: int
    outcomes: dict[str, int]
    last_outcome: str
    last_reason: str | None = None
    backup_key: int = 0
    no_cookie: int = 0
    syn_retransmits: int = 0
    cookie_id: str | None = None
    socket_cookie: int | None = None
    process: Process | None = None
    rtt_us: Micros = NONE
    with_tfo: Latency = Latency()
    without_tfo: Latency = Latency()


class Losses(Record, frozen=True, kw_only=True):
    """What the sensor could not keep, cumulative: each is shown, none of them touches the totals."""

    records_limited: int = 0
    records_dropped: int = 0
    handshakes_evicted: int = 0
    peers_unread: int = 0
    totals_full: int = 0


class SensorReading(Record, frozen=True, kw_only=True):
    """One reading of the eBPF sensor: exact totals, the peers that changed, and the newest handshakes."""

    attached_ns: int
    btf: bool
    totals: tuple[Total, ...]
    peers: tuple[Peer, ...]
    handshakes: tuple[Handshake, ...]
    losses: Losses
    in_progress: int = 0


class Cost(Record, frozen=True, kw_only=True):
    """What tfotop itself uses: CPU time so far and resident memory."""

    cpu_ns: int
    rss_bytes: int


class Sample(Record, frozen=True, kw_only=True):
    """Everything seen at one moment. ``tier``: 0 no privileges, 1 root, 2 eBPF (DESIGN: evidence)."""

    wall_ns: int
    mono_ns: int
    tier: int
    namespaces: tuple[Namespace, ...] = ()
    sensor: SensorReading | None = None
    problems: tuple[Problem, ...] = ()
    cost: Cost | None = None
