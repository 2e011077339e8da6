"""Namespaces, processes and connections for the tests of the readers, made without the code under test."""

import contextlib
import itertools
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyroute2.netns

from tfotop.sample import Problem
from tfotop.sources import namespaces
from tfotop.sources.namespaces import Netns

T = TypeVar("T")
DEADLINE_S = 10.0
KEY = "00112233-44556677-8899aabb-ccddeeff"
NUMBERS = itertools.count()

# A process that listens as told, says so, and stays until its standard input is closed.
LISTENER = """
import os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
ours = socket.socket(family, socket.SOCK_STREAM, int(sys.argv[7]))
ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
ours.bind((sys.argv[1], int(sys.argv[2])))
ours.listen(int(sys.argv[3]))
if int(sys.argv[4]):
    ours.setsockopt(socket.IPPROTO_TCP, 23, int(sys.argv[4]))
if sys.argv[5]:
    ours.setsockopt(socket.IPPROTO_TCP, 33, bytes.fromhex(sys.argv[5]))
if all(os.fork() for _ in range(int(sys.argv[6]))):
    print("ready", flush=True)
sys.stdin.read()
"""


def run(command: str) -> str:
    """What a command prints."""
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


def inside(name: str, function: Callable[[], T]) -> T:
    """Run ``function`` in a named namespace, without the code under test."""

    def entered() -> T:
        pyroute2.netns.setns(name)
        return function()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(entered).result()


def until(function: Callable[[], T]) -> T:
    """Poll until ``function`` gives something true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (result := function()):
        assert time.monotonic() < deadline, f"still {result!r}"
        time.sleep(0.01)
    return result


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A new network namespace with its loopback up, gone afterwards whatever happens."""
    name = f"tfosrc-{os.getpid()}-{next(NUMBERS)}"
    run(f"ip netns add {name}")
    try:
        run(f"ip -n {name} link set lo up")
        run(f"ip netns exec {name} sysctl -qw net.ipv4.tcp_fastopen=3")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def process(name: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process in a namespace that has printed its first line."""
    command = ["ip", "netns", "exec", name, sys.executable, "-c", *argv]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            assert child.stdin is not None
            child.stdin.close()  # also ends its workers
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(DEADLINE_S)
            child.kill()


@contextlib.contextmanager
def listening(
    name: str,
    port: int,
    max_qlen: int = 0,
    key: str = "",
    address: str = "127.0.0.1",
    backlog: int = 50,
    workers: int = 0,
    *,
    protocol: int = 0,
) -> Iterator[int]:
    """The pid of a process that listens."""
    argv = (LISTENER, address, str(port), str(backlog), str(max_qlen), key, str(workers), str(protocol))
    with process(name, *argv) as child:
        yield child.pid


def found(name: str) -> Netns:
    """The namespace as the code under test finds it."""
    problems: list[Problem] = []
    matches = [netns for netns in namespaces.find(problems.append) if netns.name == name]
    assert len(matches) == 1
    return matches[0]


def complain(problem: Problem) -> None:
    raise AssertionError(problem)


def server(family: int = socket.AF_INET, address: str = "127.0.0.1", max_qlen: int = 16) -> socket.socket:
    ours = socket.socket(family)
    ours.bind((address, 0))
    ours.listen(16)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, max_qlen)
    return ours


def say(listener: socket.socket, address: str, family: int = socket.AF_INET) -> tuple[socket.socket, socket.socket]:
    """One Fast Open connection: the client's end and the server's, the request read."""
    client = socket.socket(family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(DEADLINE_S), 0))
    listener.settimeout(DEADLINE_S)
    client.sendto(b"request", socket.MSG_FASTOPEN, (address, listener.getsockname()[1]))
    accepted, _ = listener.accept()
    accepted.settimeout(DEADLINE_S)
    assert accepted.recv(100) == b"request"
    return client, accepted


def close(*sockets: socket.socket) -> None:
    for ours in sockets:
        ours.close()
