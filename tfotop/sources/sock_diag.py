"""Live connections that used, or tried, Fast Open, from the kernel's dump of TCP sockets (net/ipv4/inet_diag.c).

The dump is decoded with plain ``struct``: pyroute2 makes a tree of objects of each of perhaps 100,000 sockets, and its
decoding of ``tcp_info`` (include/uapi/linux/tcp.h) loses the bits that matter here. Messages are looked at where they
lie in the receive buffer; only connections with a Fast Open bit become objects. The dump shows the namespace that the
socket is opened in: call through ``namespaces.visit``.
"""

import os
import re
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from tfotop.sample import Connection, Problem
from tfotop.sources import Report, netlink

SOURCE = "sock_diag"
LIMIT = 4096

NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
INET_DIAG_INFO: Final = 2

# enum tcp_state (include/net/tcp_states.h)
ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2 = 1, 2, 3, 4, 5
CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING = 8, 9, 10, 11
CONNECTED: Final = (ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING)

# struct inet_diag_req_v2: family, protocol, extensions, padding, states; then a socket's identity, unused in a dump.
REQUEST = struct.Struct("=4BI48x")
# struct inet_diag_msg up to the cookie (two words, the low one first), then expires, rqueue, wqueue, uid, inode.
DIAG_MSG = struct.Struct("=4B2s2s16s16sI2I5I")
HEADERS_BYTES = netlink.HEADER.size + DIAG_MSG.size

# struct tcp_info: where its bytes lie.
OPTIONS, FLAGS, RTT = 5, 7, 68
SYN_DATA, TFO_CHILD = 32, 128
# Bit 0 of FLAGS is tcpi_delivery_rate_app_limited, the next two are tcpi_fastopen_client_fail; from the other end where
# bit fields are laid out big-endian.
CLIENT_FAIL_SHIFT = 1 if sys.byteorder == "little" else 5
CLIENT_FAIL = 3 << CLIENT_FAIL_SHIFT
# TCPI_OPT_TFO_CHILD: Linux 6.15.
TFO_CHILD_SINCE = (6, 15)

V4_MAPPED = bytes(10) + b"\xff\xff"


class Socket(NamedTuple):
    """struct inet_diag_msg, decoded: one TCP socket."""

    state: int
    local: str
    local_port: int
    peer: str
    peer_port: int
    cookie: int
    rqueue: int
    wqueue: int
    inode: int


def read(report: Report, limit: int = LIMIT) -> tuple[tuple[Connection, ...], int] | None:
    """The connections of this thread's namespace that used or tried Fast Open, at most ``limit``, and how many more.

    ``None`` if the kernel gave no dump (reported). Takes no privilege.
    """
    found: list[Connection] = []
    excess = 0
    try:
        for buffer, start, info in fast_open(CONNECTED):
            if len(found) < limit:
                found.append(connection(buffer, start, info))
            else:
                excess += 1
    except OSError as error:
        report(refused(error))
        return None
    return tuple(found), excess


def fast_open(states: tuple[int, ...]) -> Iterator[tuple[bytearray, int, int]]:
    """Sockets with a Fast Open bit in their tcp_info: buffer, where the message starts, where the tcp_info starts.

    What it yields holds until the next step. Messages of one length nearly always have their attributes at the same
    places, so the place of the tcp_info is remembered by length, and checked by the attribute's header before use.
    """
    places: dict[int, tuple[int, bytes]] = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        for buffer, start, length in sockets(family, states, 1 << (INET_DIAG_INFO - 1)):
            place, header = places.get(length, (0, b""))
            if not place or buffer[start + place - 4 : start + place] != header:
                place = info_place(buffer, start, length)
                if not place:
                    continue  # a request socket has no tcp_info
                places[length] = place, bytes(buffer[start + place - 4 : start + place])
            info = start + place
            if buffer[info + OPTIONS] & (SYN_DATA | TFO_CHILD) or buffer[info + FLAGS] & CLIENT_FAIL:
                yield buffer, start, info


def sockets(family: int, states: tuple[int, ...], extensions: int = 0) -> Iterator[tuple[bytearray, int, int]]:
    """Each TCP socket of a family in one of ``states``: buffer, start and length of its message, header included.

    Raises ``OSError`` if the kernel gives no dump.
    """
    request = REQUEST.pack(family, socket.IPPROTO_TCP, extensions, 0, sum(1 << state for state in states))
    for buffer, start, length in netlink.dump(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, request):
        if length >= HEADERS_BYTES:
            yield buffer, start, length


def info_place(buffer: bytearray, start: int, length: int) -> int:
    """Where the tcp_info begins, counted from ``start``; 0 if the message has none, or one without tcpi_rtt."""
    for kind, at, end in netlink.attributes(buffer, start + HEADERS_BYTES, start + length):
        if kind == INET_DIAG_INFO:
            return at - start if end - at >= RTT + 4 else 0
    return 0


def connection(buffer: bytearray, start: int, info: int) -> Connection:
    """The record of one socket; tcpi_rtt is in microseconds, 0 before the first measurement."""
    this = decode(buffer, start)
    options = buffer[info + OPTIONS]
    (rtt_us,) = struct.unpack_from("=I", buffer, info + RTT)
    return Connection(
        local=endpoint(this.local, this.local_port),
        peer=endpoint(this.peer, this.peer_port),
        cookie=this.cookie,
        syn_data=bool(options & SYN_DATA),
        client_fail=(buffer[info + FLAGS] & CLIENT_FAIL) >> CLIENT_FAIL_SHIFT,
        tfo_child=bool(options & TFO_CHILD) if options & TFO_CHILD or _KNOWS_TFO_CHILD else None,
        rtt_us=rtt_us or None,
    )


def decode(buffer: bytearray, start: int) -> Socket:
    """struct inet_diag_msg of the message that starts at ``start``."""
    fields = DIAG_MSG.unpack_from(buffer, start + netlink.HEADER.size)
    family, state, _, _, local_port, peer_port, local, peer, _, low, high, _, rqueue, wqueue, _, inode = fields
    return Socket(
        state=state,
        local=address(family, local),
        local_port=int.from_bytes(local_port, "big"),
        peer=address(family, peer),
        peer_port=int.from_bytes(peer_port, "big"),
        cookie=low | high << 32,
        rqueue=rqueue,
        wqueue=wqueue,
        inode=inode,
    )


def address(family: int, raw: bytes) -> str:
    """An address in its usual spelling; an IPv4 one that an IPv6 socket holds (v4-mapped) as IPv4."""
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if raw.startswith(V4_MAPPED):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def endpoint(host: str, port: int) -> str:
    """``192.0.2.1:443`` or ``[2001:db8::7]:443``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refused(error: OSError) -> Problem:
    """What to report when the kernel gives no dump; ENOENT means that it has no tcp_diag."""
    remedy = "modprobe tcp_diag" if isinstance(error, FileNotFoundError) else None
    return Problem(source=SOURCE, text=f"no dump of TCP sockets: {error.strerror}", remedy=remedy)


def knows_tfo_child(release: str) -> bool:
    """Whether a kernel of this release sets TCPI_OPT_TFO_CHILD (6.15)."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= TFO_CHILD_SINCE


_KNOWS_TFO_CHILD = knows_tfo_child(os.uname().release)
