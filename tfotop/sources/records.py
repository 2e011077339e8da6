"""From the bytes of the sensor's tables to the records of a Sample."""

import socket
from collections.abc import Callable
from functools import lru_cache
from itertools import compress
from typing import Final

from tfotop.sample import NONE, Buckets, Handshake, Latency, Micros, Peer, Process, Total
from tfotop.sources import layout
from tfotop.sources.layout import Flow, RawHandshake
from tfotop.words import OPTIONS, OUTCOMES, REASONS, ROLES, VARIANTS

Owner = Callable[[int | None, int], Process | None]
NO_LATENCY: Final = Latency()
V4_MAPPED: Final = bytes(10) + b"\xff\xff"
NOBODY: Final[Owner] = lambda _netns, _cookie: None  # noqa: E731  a constant, not a function of this module


def address(raw: bytes) -> str:
    """16 bytes as text; v4-mapped as IPv4."""
    if raw.startswith(V4_MAPPED):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def endpoint(raw: bytes, port: int) -> str:
    """``192.0.2.1:443`` or ``[2001:db8::7]:443``."""
    text = address(raw)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def fingerprint(number: int) -> str | None:
    """A cookie's keyed fingerprint as shown: 4 hex digits; ``None`` for no cookie."""
    return f"{number >> 16:04x}" if number else None


def cookie_fingerprint(secrets: tuple[int, int]) -> Callable[[bytes], str]:
    """The fingerprint that bpf/packet.h makes of a cookie, for cookies read elsewhere in the same run."""

    def name(cookie: bytes) -> str:
        number = secrets[0] ^ len(cookie)
        for byte in cookie.ljust(16, b"\0"):
            number = (number ^ byte) * 0x100000001B3 % 2**64
        number = (number ^ secrets[1] ^ number >> 32) * 0x9E3779B97F4A7C15 % 2**64
        return f"{number >> 48:04x}"

    return name


def comm_text(raw: bytes) -> str:
    """The kernel's 16 bytes of a process name; not yet safe to print."""
    return raw.split(b"\0", 1)[0].decode(errors="replace")


def _known(number: int) -> int | None:
    return None if number == layout.UNKNOWN else number


def _length(length: int) -> int | None:
    return None if length == layout.NO_COOKIE_LEN else length


def _since(start_ns: int, end_ns: int) -> int | None:
    return (end_ns - start_ns) // 1000 if end_ns else None


def handshake(flow: Flow, raw: RawHandshake, wall_offset_ns: int, owner: Owner = NOBODY) -> Handshake:
    """The record of a handshake; ``wall_offset_ns`` is wall clock minus monotonic clock."""
    netns = raw.netns or None
    process = owner(netns, raw.socket_cookie) if flow.role else _caller(raw)
    outcome = OUTCOMES[raw.outcome] if raw.outcome < len(OUTCOMES) else "unanswered"
    answered = outcome not in ("unanswered", "reset")
    return Handshake(
        ts_ns=raw.syn_ns + wall_offset_ns,
        role=ROLES[flow.role],
        netns=netns,
        local=endpoint(flow.local, flow.local_port),
        peer=endpoint(flow.peer, flow.peer_port),
        pid=process.pid if process else None,
        comm=process.comm if process else None,
        outcome=outcome,
        variant=VARIANTS[raw.variant],
        reason=REASONS[raw.reason],
        option=OPTIONS[raw.option],
        cookie_len=_length(raw.cookie_len),
        cookie_id=fingerprint(raw.cookie_id),
        new_cookie_len=_length(raw.new_cookie_len),
        new_cookie_id=fingerprint(raw.new_cookie_id),
        syn_data_bytes=raw.syn_data_bytes,
        syn_data_acked_bytes=raw.syn_data_acked_bytes if answered else None,
        syn_retransmits=raw.syn_retransmits,
        handshake_rtt_us=raw.rtt_us or None,
        first_byte_us=_since(raw.syn_ns, raw.first_byte_ns),
        qlen=_known(raw.qlen),
        max_qlen=_known(raw.max_qlen),
        tcp_fastopen=_known(raw.tcp_fastopen),
        synack_us=_since(raw.syn_ns, raw.synack_ns),
        ack_us=_since(raw.syn_ns, raw.ack_ns),
        last_syn_us=_since(raw.syn_ns, raw.last_syn_ns) if raw.syn_retransmits else None,
        socket_cookie=raw.socket_cookie or None,
    )


def _caller(raw: RawHandshake) -> Process | None:
    return Process(pid=raw.pid, comm=comm_text(raw.comm)) if raw.pid else None


def total(key: tuple[int, ...], handshakes: int) -> Total:
    """One row of the table of totals; ``key`` is struct total_key."""
    netns_cookie, netns, role, outcome, reason, variant, data, request = key
    return Total(
        netns=netns or None,
        netns_cookie=netns_cookie or None,
        role=ROLES[role],
        outcome=OUTCOMES[outcome],
        reason=REASONS[reason],
        variant=VARIANTS[variant],
        data=bool(data),
        request=bool(request),
        handshakes=handshakes,
    )


def _recent(values: tuple[int, ...], count: int) -> Micros:
    """The kernel's ring of the newest values, oldest first."""
    start = count % layout.RECENT if count > layout.RECENT else 0
    return Micros(values[start:count] + values[:start]) if count else NONE


def _latency(raw: bytes) -> Latency:
    if not any(raw[:4]):
        return NO_LATENCY
    count, *rest = layout.LATENCY.unpack(raw)
    counts = rest[layout.RECENT :]  # nearly all are 0; a comprehension would take four times as long
    buckets = Buckets(dict(zip(compress(range(layout.BUCKETS), counts), filter(None, counts), strict=True)))
    return Latency(count=count, recent_us=_recent(tuple(rest[: layout.RECENT]), count), buckets=buckets)


@lru_cache(4096)
def _same(number: int) -> int:
    """The number, as one object for all peers that have it."""
    return number


def peer(raw_key: bytes, raw: bytes, owner: Owner = NOBODY) -> Peer:
    """One row of the table of peers."""
    netns_cookie, where, netns, port, role = layout.PEER_KEY.unpack(raw_key)
    netns_cookie, netns, port = _same(netns_cookie), _same(netns), _same(port)
    head = layout.PEER_HEAD.unpack_from(raw)
    first_ns, last_ns, socket_cookie, _epoch, pid, comm, cookie_id = head[:7]
    outcomes = head[7 : 7 + layout.OUTCOMES]
    backup_key, no_cookie, syn_retransmits, rtt_count = head[15:19]
    rtt_us, (last_outcome, last_reason) = head[19 : 19 + layout.RECENT], head[-2:]
    process = owner(netns or None, socket_cookie) if role else None
    if not role and pid:
        process = Process(pid=pid, comm=comm_text(comm))
    end = layout.PEER_HEAD.size
    return Peer(
        netns=netns or None,
        netns_cookie=netns_cookie or None,
        role=ROLES[role],
        address=address(where),
        port=port,
        first_ns=first_ns,
        last_ns=last_ns,
        outcomes={OUTCOMES[i]: n for i, n in enumerate(outcomes) if n},
        last_outcome=OUTCOMES[last_outcome],
        last_reason=REASONS[last_reason],
        backup_key=backup_key,
        no_cookie=no_cookie,
        syn_retransmits=syn_retransmits,
        cookie_id=fingerprint(cookie_id),
        socket_cookie=socket_cookie or None,
        process=process,
        rtt_us=_recent(rtt_us, rtt_count),
        without_tfo=_latency(raw[end : end + layout.LATENCY.size]),
        with_tfo=_latency(raw[end + layout.LATENCY.size : end + 2 * layout.LATENCY.size]),
    )
