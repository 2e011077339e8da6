"""One exchange: connect, request, first byte of the answer, end; with Fast Open or without, each step timed.

The socket does not block: poll() tells when the SYN-ACK and the first byte came, and no step waits past its limit.
"""

import errno
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from tfotop.probe import records
from tfotop.probe.resolve import FAMILIES, Address
from tfotop.sources.sock_diag import CLIENT_FAIL, CLIENT_FAIL_SHIFT, FLAGS, OPTIONS, RTT, SYN_DATA, endpoint

MSG_FASTOPEN: Final = 0x20000000  # include/linux/socket.h
SO_COOKIE: Final = 57
TCP_INFO_BYTES: Final = 104
TOTAL_RETRANS: Final = 100  # where tcpi_total_retrans lies in struct tcp_info
SLICE_NS: Final = 100_000_000
FAREWELL_NS: Final = 500_000_000
MOST_ANSWER_BYTES: Final = 1 << 16
MS: Final = 1_000_000


class Interrupted(Exception):
    """The user asked for the end while an exchange was under way."""


class How(NamedTuple):
    """What to send where. The limits count from the start: the SYN-ACK must be there, and the first byte."""

    address: Address
    payload: bytes
    fast_open: bool
    handshake_ns: int
    first_byte_ns: int


class Info(NamedTuple):
    """The fields of struct tcp_info that a probe reads."""

    syn_data_acked: bool
    client_fail: int
    retransmits: int
    rtt_us: int

    @classmethod
    def of(cls, sock: socket.socket) -> "Info":
        """Those of a socket, in whatever state."""
        raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        return cls(
            syn_data_acked=bool(raw[OPTIONS] & SYN_DATA),
            client_fail=(raw[FLAGS] & CLIENT_FAIL) >> CLIENT_FAIL_SHIFT,
            retransmits=_word(raw, TOTAL_RETRANS),
            rtt_us=_word(raw, RTT),
        )


class Measured:
    """What an exchange has shown so far; complete or not, it is what happened."""

    def __init__(self) -> None:
        self.local: str | None = None
        self.socket_cookie: int | None = None
        self.connect_us: int | None = None
        self.first_byte_us: int | None = None
        self.syn_data_bytes = 0
        self.syn_retransmits: int | None = None
        self.info: Info | None = None
        self.answer = b""
        self.error: str | None = None
        self.error_text: str | None = None


def measure(how: How, stopped: Callable[[], bool]) -> Measured:
    """Make one exchange. Errors of the connection are in the result; raises Interrupted when ``stopped``."""
    done = Measured()
    with socket.socket(FAMILIES[how.address.family], socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        done.socket_cookie = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)
        try:
            _converse(sock, how, stopped, done)
        except OSError as error:
            done.error, done.error_text = _named(error, done.connect_us is not None), _text(error)
        _look(sock, done)
        if done.first_byte_us is not None:
            _part(sock, stopped)
    return done


def _converse(sock: socket.socket, how: How, stopped: Callable[[], bool], done: Measured) -> None:
    start_ns = time.monotonic_ns()
    sent = _begin(sock, how)
    done.syn_data_bytes = sent
    _wait(sock, select.POLLOUT, start_ns + how.handshake_ns, stopped)
    connected_ns = time.monotonic_ns()
    if failed := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(failed, os.strerror(failed))
    done.connect_us = (connected_ns - start_ns) // 1000
    done.syn_retransmits = Info.of(sock).retransmits
    if sent < len(how.payload):
        sock.send(how.payload[sent:])  # less than one segment: the empty buffer takes it whole
    _wait(sock, select.POLLIN, start_ns + how.first_byte_ns, stopped)
    done.answer = sock.recv(4096)
    if done.answer:
        done.first_byte_us = (time.monotonic_ns() - start_ns) // 1000
    else:
        done.error = records.CLOSED


def _begin(sock: socket.socket, how: How) -> int:
    """Send the SYN; how many bytes the kernel took for it. Without a cookie it takes none and asks for one."""
    try:
        if how.fast_open:
            return sock.sendto(how.payload, MSG_FASTOPEN, how.address.sockaddr)
        sock.connect(how.address.sockaddr)
    except BlockingIOError:  # EINPROGRESS
        return 0
    return 0


def _wait(sock: socket.socket, event: int, until_ns: int, stopped: Callable[[], bool]) -> None:
    """Until something happens to the socket; TimeoutError after ``until_ns``. An error comes with the next call."""
    poll = select.poll()
    poll.register(sock, event)
    while True:
        left_ns = until_ns - time.monotonic_ns()
        if left_ns <= 0:
            raise TimeoutError
        if poll.poll(min(left_ns, SLICE_NS) / MS):
            return
        if stopped():
            raise Interrupted


def _look(sock: socket.socket, done: Measured) -> None:
    """What the socket says when all is over, except for its end."""
    done.info = info = Info.of(sock)
    host, port = sock.getsockname()[:2]
    done.local = endpoint(host.partition("%")[0], port) if port else None
    if done.connect_us is None:
        done.syn_retransmits = info.retransmits
    elif info.client_fail == records.SYN_RETRANSMITTED:  # the data has been sent again too, as one more
        done.syn_retransmits = max(1, (done.syn_retransmits or 0) - 1)
    elif info.client_fail == records.DATA_NOT_ACKED:
        done.syn_retransmits = 0


def _part(sock: socket.socket, stopped: Callable[[], bool]) -> None:
    """Close as a client should: a socket with unread data would answer with a reset."""
    until_ns, read = time.monotonic_ns() + FAREWELL_NS, 0
    try:
        sock.shutdown(socket.SHUT_WR)
        while read < MOST_ANSWER_BYTES:
            _wait(sock, select.POLLIN, until_ns, stopped)
            if not (more := sock.recv(65536)):
                return
            read += len(more)
    except (OSError, Interrupted):
        return  # the measurement is done


def _named(error: OSError, connected: bool) -> str:
    if (isinstance(error, TimeoutError) and error.errno is None) or error.errno == errno.ETIMEDOUT:
        return records.NO_ANSWER if connected else records.NO_SYN_ACK
    return {
        errno.EOPNOTSUPP: records.BIT_OFF,
        errno.ECONNREFUSED: records.REFUSED,
        errno.ECONNRESET: records.RESET,
        errno.EPIPE: records.RESET,
        errno.EHOSTUNREACH: records.UNREACHABLE,
        errno.ENETUNREACH: records.UNREACHABLE,
        errno.EACCES: records.UNREACHABLE,
        errno.EPERM: records.UNREACHABLE,
    }.get(error.errno or 0, records.FAILED)


def _text(error: OSError) -> str | None:
    return error.strerror if error.errno else None


def _word(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], sys.byteorder)
