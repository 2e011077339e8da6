"""Clients: one exchange (request, answer, close) in each of the ways an application can ask for Fast Open."""

import errno
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from .namespaces import Namespace, end
from .serving import TCP_FASTOPEN_NO_COOKIE
from .tcp_info import TcpInfo

MSG_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 30
Mode = Literal["sendto", "connect_option", "plain"]
REQUEST = b"request"


@dataclass(frozen=True)
class Exchange:
    """One connection as the client saw it. `first_byte_ms`: from the call to the first byte of the answer."""

    local: tuple[str, int]
    answer: bytes
    first_byte_ms: float | None
    info: TcpInfo
    error: str | None = None  # errno name, such as ECONNREFUSED, ETIMEDOUT


def exchange(
    namespace: Namespace,
    address: str,
    port: int,
    request: bytes = REQUEST,
    mode: Mode = "sendto",
    *,
    blocking: bool = True,
    no_cookie: bool = False,
    timeout_s: float = 5.0,
    local_port: int = 0,
) -> Exchange:
    """Connect, send `request`, wait for the answer, close. Errors of the connection are in the result."""
    with begin(namespace, address, no_cookie, local_port) as sock:
        sock.settimeout(timeout_s if blocking else 0)
        started = time.perf_counter()
        answer, error = b"", None
        try:
            send_first(sock, address, port, request, mode, timeout_s)
            if request:
                readable(sock, timeout_s)
                answer = sock.recv(65536)
        except OSError as failed:
            error = errno.errorcode.get(failed.errno or errno.ETIMEDOUT)
        waited = (time.perf_counter() - started) * 1000 if answer else None
        return Exchange(sock.getsockname()[:2], answer, waited, TcpInfo.of(sock), error)


def begin(namespace: Namespace, address: str, no_cookie: bool = False, local_port: int = 0) -> socket.socket:
    """A client's socket for this address, not connected."""
    sock = namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if no_cookie:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)
    if local_port:
        sock.bind(("", local_port))
    return sock


def send_first(
    sock: socket.socket, address: str, port: int, request: bytes, mode: Mode = "sendto", timeout_s: float = 5.0
) -> None:
    """Connect and send the request; a socket with timeout 0 is driven as an event loop would."""
    if mode == "connect_option":
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    try:
        if mode == "sendto":
            sock.sendto(request, MSG_FASTOPEN, (address, port))
            return
        sock.connect((address, port))
    except BlockingIOError:  # no cookie: the data has not been taken (tcp_sendmsg_fastopen)
        finished(sock, timeout_s)
    if request:
        try:
            sock.sendall(request)
        except BlockingIOError:  # the deferred SYN left with the data (TCP_FASTOPEN_CONNECT)
            finished(sock, timeout_s)


def finished(sock: socket.socket, timeout_s: float) -> None:
    """Wait until a connection attempt has ended; OSError if it failed."""
    if not select.select([], [sock], [], timeout_s)[1]:
        raise TimeoutError(errno.ETIMEDOUT, "connect")
    if failed := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(failed, errno.errorcode[failed])


def readable(sock: socket.socket, timeout_s: float) -> None:
    if not select.select([sock], [], [], timeout_s)[0]:
        raise TimeoutError(errno.ETIMEDOUT, "answer")


def as_process(namespace: Namespace, name: str, address: str, port: int, mode: Mode = "sendto") -> int:
    """One exchange by a process of its own whose `comm` is `name`; its pid. It has ended when this returns."""
    process = namespace.popen([sys.executable, "-S", "-E", "-c", SCRIPT, name, address, str(port), mode])
    if process.wait(10):
        raise RuntimeError(f"client {name!r}: exit {process.returncode}")
    return int(process.pid)


SCRIPT = f"""
import ctypes, os, socket, sys
name, address, port, mode = sys.argv[1:]
ctypes.CDLL(None).prctl(15, os.fsencode(name), 0, 0, 0)  # PR_SET_NAME
sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
if mode == "connect_option":
    sock.setsockopt(socket.IPPROTO_TCP, {TCP_FASTOPEN_CONNECT}, 1)
if mode == "sendto":
    sock.sendto({REQUEST!r}, {MSG_FASTOPEN}, (address, int(port)))
else:
    sock.connect((address, int(port)))
    sock.sendall({REQUEST!r})
sys.exit(not sock.recv(65536))
"""


def burst(namespace: Namespace, address: str, port: int, count: int, at_once: int = 32) -> int:
    """`count` exchanges by sendto(MSG_FASTOPEN), `at_once` of them open at a time; how many were answered.

    In a process of its own: a server thread here and clients would take turns at the interpreter's lock.
    """
    process = _burst(namespace, address, port, count, at_once)
    answered, _ = process.communicate(timeout=120)
    return int(answered)


@contextmanager
def bursting(namespace: Namespace, address: str, port: int, most: int = 1_000_000) -> Iterator[None]:
    """Such exchanges, one after another, for the length of a block."""
    process = _burst(namespace, address, port, most, 1)
    try:
        yield
        assert process.poll() is None, "the exchanges ended before the block did"
    finally:
        end(process)


def _burst(namespace: Namespace, address: str, port: int, count: int, at_once: int) -> "subprocess.Popen[Any]":
    arguments = [address, str(port), str(count), str(at_once)]
    return namespace.popen([sys.executable, "-S", "-E", "-c", BURST, *arguments], stdout=subprocess.PIPE)


BURST = f"""
import signal, socket, sys
address, port, count, at_once = sys.argv[1], *map(int, sys.argv[2:])
asked_to_end = []
signal.signal(signal.SIGTERM, lambda *_: asked_to_end.append(True))  # between two exchanges, not in one
def start():
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.settimeout(10)
    sock.sendto({REQUEST!r}, {MSG_FASTOPEN}, (address, port))
    return sock
answered = 0
for done in range(0, count, at_once):
    for sock in [start() for _ in range(min(at_once, count - done))]:
        answered += bool(sock.recv(64))
        sock.close()
    if asked_to_end:
        break
print(answered)
"""
