"""What the tests of outcomes have in common."""

import os
import socket

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    TcpInfo,
    begin,
    exchange,
    until,
)
from .bed.traffic import MSG_FASTOPEN
from .watching import Sight

BOTH = pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])


# Linux 6.1 does not show the SYN-ACK of an IPv6 listener to cgroup programs (6.12 does): its cookie is not known there.
HIDES_V6_SYNACKS = tuple(map(int, os.uname().release.split(".")[:2])) < (6, 6)


def address(bed: Bed, six: bool) -> str:
    return bed.server.v6 if six else bed.server.v4


def primed(bed: Bed, sight: Sight, six: bool = False) -> Server:
    """A server whose cookie the client has; the events of that are taken."""
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    assert exchange(bed.client, address(bed, six), server.port).answer
    sight.skip()
    return server


def third_timeout(bed: Bed, port: int) -> None:
    """The client sends a SYN with data and gives up after the third timeout in a row, whenever that is.

    It is after 1, 1, 1 s, or after 1, 2, 4 s before Linux 6.5 (tcp_syn_linear_timeouts).
    """
    with begin(bed.client, bed.server.v4) as sock:
        sock.setblocking(False)
        sock.sendto(REQUEST, MSG_FASTOPEN, (bed.server.v4, port))
        until(lambda: TcpInfo.of(sock).retransmits >= 3, 12, "the third timeout")


def endpoint(host: str, port: int) -> str:
    host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def answer_and_close(listener: socket.socket) -> None:
    child, _ = listener.accept()
    with child:
        assert child.recv(64) == REQUEST
        child.send(b"answer")
