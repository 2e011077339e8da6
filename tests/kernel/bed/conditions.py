"""States of a server in which Fast Open is refused, made on purpose."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from .filters import PURE_ACK, filtering
from .namespaces import Namespace
from .polling import until
from .serving import listen, port_of
from .settings import CLIENT, SERVER, mode
from .traffic import begin, send_first


def syn_cookies(namespace: Namespace) -> None:
    """Answer every SYN with a SYN cookie, full queue or not (ip-sysctl: tcp_syncookies = 2)."""
    namespace.sysctl("net.ipv4.tcp_syncookies", 2)


def queue(namespace: Namespace, port: int) -> tuple[int, int]:
    """A listener's accept queue: waiting, and the backlog (ss shows them as Recv-Q and Send-Q)."""
    line = namespace.command("ss", "-Hltn", f"sport = :{port}").split()
    return int(line[1]), int(line[2])


def full_accept_queue(client: Namespace, server: Namespace, qlen: int | None = 16) -> socket.socket:
    """A listener whose accept queue is full: every further SYN is dropped without an answer.

    `sk_acceptq_is_full` compares with `>`, so that a backlog of 0 takes one connection.
    """
    listener = listen(server, qlen, backlog=0)
    waiting = begin(client, server.v4)
    send_first(waiting, server.v4, port_of(listener), b"", "plain")
    client.closing(waiting)
    until(lambda: queue(server, port_of(listener))[0] > 0, what="a full accept queue")
    return listener


@contextmanager
def full_fast_open_queue(client: Namespace, server: Namespace, address: str) -> Iterator[socket.socket]:
    """A listener with max_qlen 1 and one child that stays in SYN_RECV (its ACK is dropped on the way in).

    The client must have a valid cookie for `address`.
    """
    listener = listen(server, 1, family=socket.AF_INET6)
    stuck = client.closing(begin(client, address))
    stuck.bind(("", 0))
    with filtering(server, f"tcp sport {port_of(stuck)} {PURE_ACK} counter drop"):
        send_first(stuck, address, port_of(listener), b"stuck")
        until(lambda: syn_recv(server, port_of(listener)) > 0, what="a child in SYN_RECV")
        yield listener


def syn_recv(namespace: Namespace, port: int) -> int:
    """How many children of a port are in SYN_RECV."""
    return len(namespace.command("ss", "-Htn", "state", "syn-recv", f"sport = :{port}").splitlines())


def listen_with_400(namespace: Namespace, before: bool) -> socket.socket:
    """A listener that never asked for Fast Open; bit 0x400 set before listen() (it works) or after (it does not).

    `__inet_listen_sk` in net/ipv4/af_inet.c looks at the bit only when the socket starts to listen.
    """
    bits = CLIENT | SERVER | 0x400
    mode(namespace, bits if before else CLIENT | SERVER)
    listener = listen(namespace, None)
    mode(namespace, bits)
    return listener
