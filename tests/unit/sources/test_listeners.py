"""Fast Open queues: what is remembered, for how long, and what is forgotten."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tfotop.sample import Listener, Problem, Process
from tfotop.sources import listeners
from tfotop.sources.listeners import Queue, Queues
from tfotop.sources.processes import Holder

NGINX = Process(pid=10, comm="nginx")
ONE = Listener(cookie=1, address="::", port=443, inode=100, backlog=511, accept_queue=0)
TWO = replace(ONE, cookie=2, inode=200)
HOLDERS = {100: Holder(NGINX, 6), 200: Holder(NGINX, 7)}


class Kernel:
    """Answers, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.queue: Queue | None = Queue(16, None)
        self.number = False  # answer with the number of the question

    def ask(self, listener: Listener, _holder: Holder, _report: object) -> Queue | None:
        self.asked.append(listener.cookie)
        return Queue(len(self.asked), None) if self.number else self.queue


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(listeners, "ask", kernel.ask)
    return kernel


def test_queue_key_and_process_are_added(kernel: Kernel) -> None:
    kernel.queue = Queue(5, "a41f")
    assert Queues().complete({7: [ONE]}, HOLDERS, pytest.fail) == {
        7: (replace(ONE, max_qlen=5, own_key="a41f", process=NGINX),)
    }


def test_a_listener_without_a_known_process_stays_as_it_is(kernel: Kernel) -> None:
    assert Queues().complete({7: [ONE]}, {}, pytest.fail) == {7: (ONE,)}
    assert kernel.asked == []


def test_a_listener_that_does_not_answer_keeps_its_process_and_is_asked_again(kernel: Kernel) -> None:
    kernel.queue = None
    queues = Queues()
    for _ in range(2):
        assert queues.complete({7: [ONE]}, HOLDERS, pytest.fail) == {7: (replace(ONE, process=NGINX),)}
    assert kernel.asked == [1, 1]


def test_a_queue_is_asked_again_every_so_many_calls(kernel: Kernel) -> None:
    queues = Queues(reread_every=3)
    lengths = []
    for call in range(7):
        kernel.queue = Queue(call, None)
        lengths.append(queues.complete({7: [ONE]}, HOLDERS, pytest.fail)[7][0].max_qlen)
    assert lengths == [0, 0, 0, 3, 3, 3, 6]


def test_equal_cookies_of_two_namespaces_are_two_listeners(kernel: Kernel) -> None:
    queues = Queues()
    kernel.number = True
    for _ in range(2):
        found = queues.complete({7: [ONE, TWO], 8: [ONE]}, HOLDERS, pytest.fail)
        assert {inum: [one.max_qlen for one in group] for inum, group in found.items()} == {7: [1, 2], 8: [3]}


def test_listeners_gone_are_forgotten(kernel: Kernel) -> None:
    queues = Queues()
    queues.complete({7: [ONE, TWO]}, HOLDERS, pytest.fail)
    queues.complete({7: [TWO]}, HOLDERS, pytest.fail)
    queues.complete({7: [ONE, TWO]}, HOLDERS, pytest.fail)
    assert kernel.asked == [1, 2, 1]


@pytest.mark.parametrize(
    ("number", "reported"),
    [(errno.ESRCH, 0), (errno.EBADF, 0), (errno.EPERM, 1), (errno.ENOSYS, 1), (errno.EMFILE, 1), (errno.ENOTSOCK, 0)],
)
def test_gone_is_silent_and_closed_is_reported(monkeypatch: pytest.MonkeyPatch, number: int, reported: int) -> None:
    def refuse(_pid: int, _fd: int) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(listeners, "duplicate", refuse)
    problems: list[Problem] = []
    assert listeners.ask(ONE, HOLDERS[100], problems.append) is None
    assert len(problems) == reported


def test_more_than_the_limit_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def sockets(family: int, _states: object) -> Iterator[tuple[bytearray, int, int]]:
        yield from [(bytearray(88), 0, 88)] * (3 if family == socket.AF_INET else 0)

    monkeypatch.setattr(listeners, "sockets", sockets)
    problems: list[Problem] = []
    dumped = listeners.dump(problems.append, limit=2)
    assert dumped is not None
    assert (len(dumped), len(problems)) == (2, 1)


def test_a_kernel_without_a_dump_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def sockets(*_: object) -> Iterator[tuple[bytearray, int, int]]:
        raise OSError(2, os.strerror(2))

    monkeypatch.setattr(listeners, "sockets", sockets)
    problems: list[Problem] = []
    assert listeners.dump(problems.append) is None
    assert len(problems) == 1
