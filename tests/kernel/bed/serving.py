"""Listeners of every kind, and a server that answers the first bytes of each connection."""

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self

from .namespaces import Namespace
from .tcp_info import TcpInfo

TCP_FASTOPEN, TCP_FASTOPEN_KEY, TCP_FASTOPEN_NO_COOKIE = 23, 33, 34  # include/uapi/linux/tcp.h
ANSWER = b"answer"


def listen(
    namespace: Namespace,
    qlen: int | None = 16,
    *,
    backlog: int = 128,
    family: int = socket.AF_INET,
    address: str = "",
    port: int = 0,
    reuseport: bool = False,
    no_cookie: bool = False,
    key: bytes | None = None,
) -> socket.socket:
    """A listening socket on all addresses (or `address`); `qlen` None never asks for Fast Open.

    AF_INET6 listens for v4-mapped peers too. `key`: 16 bytes, or 32 with the backup, for this listener only.
    """
    sock = namespace.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuseport:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    if no_cookie:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)
    if key is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, key)
    sock.bind((address, port))
    if qlen is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, qlen)
    sock.listen(backlog)
    return sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


class Server:
    """Accepts on a listener in a thread of its own, answers the first bytes of each connection, waits for its end.

    `requests` are the first bytes in order of arrival, `infos` the tcp_info of each child when it was accepted.
    """

    def __init__(self, listener: socket.socket, answer: bytes = ANSWER) -> None:
        self.port, self.requests, self.infos = port_of(listener), list[bytes](), list[TcpInfo]()
        self._answer, self._listener = answer, listener
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._serve, name="server", daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, namespace: Namespace, qlen: int | None = 16, answer: bytes = ANSWER, **how: object) -> Self:
        """Listen (see `listen`) and serve until the bed ends."""
        return namespace.closing(cls(listen(namespace, qlen, **how), answer))

    def close(self) -> None:
        """Stop serving; the listener and all children are closed."""
        if self._thread.is_alive():
            self._wake.send(b"x")
            self._thread.join(5)
            self._wake.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return self._finish()
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        try:
            child, _ = listener.accept()
        except OSError:  # taken by a sibling, or reset while it waited
            return
        child.setblocking(False)
        self.infos.append(TcpInfo.of(child))
        self._selector.register(child, selectors.EVENT_READ, self._first)

    def _first(self, child: socket.socket) -> None:
        if request := self._read(child):
            self.requests.append(request)
            with suppress(ConnectionError):
                child.send(self._answer)
            self._selector.modify(child, selectors.EVENT_READ, self._rest)

    def _rest(self, child: socket.socket) -> None:
        self._read(child)

    def _read(self, child: socket.socket) -> bytes:
        """What came; at the end of the connection nothing, and the child is closed."""
        try:
            data = child.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(child)
            child.close()
        return data

    def _finish(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
