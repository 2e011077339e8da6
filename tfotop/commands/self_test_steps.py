"""The child of ``tfotop doctor --self-test``: prints a JSON object for each step, and ends at the first that fails.

The kernel itself is asked, in three independent ways: TCP_INFO of the client's socket (TCPI_OPT_SYN_DATA), the
counters TCPFastOpen* of the namespace, and what accept() hands over before any further packet.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tfotop.sample import Problem
from tfotop.sources import netstat, tcp_metrics

CLONE_NEWNET: Final = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
TCP_FASTOPEN, MSG_FASTOPEN, TCP_INFO = 23, 0x20000000, 11
OPTIONS, SYN_DATA = 5, 32  # struct tcp_info, TCPI_OPT_SYN_DATA
REQUEST, ANSWER, QUEUE = b"self-test", b"answer", 16
ADDRESS: Final = "127.0.0.1"
PATIENCE_S: Final = 3.0
SETTING: Final = "/proc/sys/net/ipv4/tcp_fastopen"

Counters = dict[str, int]


class Failed(Exception):
    """A step did not go as it must; the text says what was seen instead."""


def main() -> int:
    """Run the steps in a namespace of our own; exit 1 at the first that fails."""
    for name, step in steps(Kernel()):
        try:
            what, ok = step(), True
        except (Failed, OSError) as failed:
            what, ok = str(failed), False
        print(json.dumps({"step": name, "ok": ok, "what": what}), flush=True)
        if not ok:
            return 1
    return 0


def steps(kernel: "Kernel") -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and step, in order."""
    yield "namespace", kernel.namespace
    yield "loopback", kernel.loopback
    yield "settings", kernel.settings
    yield "listener", kernel.listener
    yield "first contact", kernel.first_contact
    yield "cookie", kernel.cookie
    yield "hit", kernel.hit
    yield "answer", kernel.answer
    yield "counters", kernel.counters


class Kernel:
    """What the steps hand on."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._listener: socket.socket
        self._client: socket.socket
        self._child: socket.socket
        self._begin: Counters = {}

    def namespace(self) -> str:
        """A network namespace for this process alone."""
        if self._libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return f"network namespace {os.stat('/proc/self/ns/net').st_ino}, gone with this test"

    def loopback(self) -> str:
        """Its loopback device is down at first."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            (flags,) = struct.unpack_from("16xH", fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16s16x", b"lo")))
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
        return "lo is up"

    def settings(self) -> str:
        """Both bits of net.ipv4.tcp_fastopen."""
        file = Path(SETTING)
        before = file.read_text().strip()
        file.write_text("3\n")
        after = file.read_text().strip()
        if after != "3":
            raise Failed(f"net.ipv4.tcp_fastopen is {after} after 3 was written")
        self._begin = counters()
        return f"net.ipv4.tcp_fastopen was {before}, is 3"

    def listener(self) -> str:
        """A listener with a Fast Open queue."""
        self._listener = socket.socket()
        self._listener.settimeout(PATIENCE_S)
        self._listener.bind((ADDRESS, 0))
        self._listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, QUEUE)
        self._listener.listen(QUEUE)
        queue = self._listener.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN)
        if queue != QUEUE:
            raise Failed(f"max_qlen is {queue} after {QUEUE} was asked for")
        return f"max_qlen {queue}"

    def first_contact(self) -> str:
        """Without a cookie the client asks for one; its request goes after the handshake, as ever."""
        moved = counters()
        with self._connect() as client:
            if acknowledged(client):
                raise Failed("SYN data was acknowledged although there was no cookie")
            with self._listener.accept()[0] as child:
                received(child)
        asked = counters().get("TCPFastOpenCookieReqd", 0) - moved.get("TCPFastOpenCookieReqd", 0)
        if asked != 1:
            raise Failed(f"TCPFastOpenCookieReqd moved by {asked}, not by 1")
        return "a cookie was asked for, and the request arrived after the handshake"

    def cookie(self) -> str:
        """The client's kernel keeps what the SYN-ACK brought."""
        problems: list[Problem] = []
        metrics = tcp_metrics.read(problems.append)
        if metrics is None:
            raise Failed("; ".join(p.text for p in problems) or "tcp_metrics cannot be read")
        sizes = [m.fo_cookie_len for m in metrics if m.destination == ADDRESS and m.fo_cookie_len]
        if not sizes:
            raise Failed("no cookie in tcp_metrics: the SYN-ACK brought none")
        return f"a cookie of {sizes[0]} bytes is cached"

    def hit(self) -> str:
        """With the cookie the request is in the SYN, and the SYN-ACK acknowledges it."""
        self._client = self._connect()
        if not acknowledged(self._client):
            raise Failed("the SYN data was not acknowledged (TCPI_OPT_SYN_DATA is not set)")
        self._child = self._listener.accept()[0]
        received(self._child)
        return f"{len(REQUEST)} bytes in the SYN were acknowledged by the SYN-ACK"

    def answer(self) -> str:
        """The connection works."""
        with self._child, self._client:
            self._child.sendall(ANSWER)
            if self._client.recv(64) != ANSWER:
                raise Failed("the answer did not come back whole")
        return "the answer came back"

    def counters(self) -> str:
        """The kernel counted it on both sides."""
        now = counters()
        names = ("TCPFastOpenActive", "TCPFastOpenPassive")
        moved = [now.get(name, 0) - self._begin.get(name, 0) for name in names]
        if moved != [1, 1]:
            raise Failed("; ".join(f"{name} moved by {n}, not by 1" for name, n in zip(names, moved, strict=True)))
        return "TCPFastOpenActive +1, TCPFastOpenPassive +1"

    def _connect(self) -> socket.socket:
        client = socket.socket()
        for option in (
            socket.SO_SNDTIMEO,
            socket.SO_RCVTIMEO,
        ):  # sendto must block: the request waits for the handshake
            client.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(PATIENCE_S), 0))
        client.sendto(REQUEST, MSG_FASTOPEN, self._listener.getsockname())
        return client


def acknowledged(client: socket.socket) -> bool:
    """Whether the SYN-ACK acknowledged data of the SYN."""
    return bool(client.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)[OPTIONS] & SYN_DATA)


def received(child: socket.socket) -> None:
    """The request arrives whole."""
    child.settimeout(PATIENCE_S)
    request, deadline = b"", time.monotonic() + PATIENCE_S
    while len(request) < len(REQUEST) and time.monotonic() < deadline:
        request += child.recv(64)
    if request != REQUEST:
        raise Failed("the request did not arrive whole")


def counters() -> Counters:
    """The TCP counters of the namespace that this process is in by now."""
    return netstat.read_directory("/proc/thread-self/net", lambda _problem: None) or {}


if __name__ == "__main__":
    sys.exit(main())
