"""Output that is taken slowly, or not at all."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

import pytest

from tfotop.commands.output import put
from tfotop.stop import Stop

MUCH = "é" * 200_000


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Handlers as before at the end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield Stop()
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@contextmanager
def reading() -> Iterator[int]:
    """Standard output is a pipe whose other end this is; for a block, since pytest sets its own for each phase."""
    ours, theirs = os.pipe()
    with pytest.MonkeyPatch.context() as patch, TextIOWrapper(open(theirs, "wb"), "utf-8") as out:
        patch.setattr(sys, "stdout", out)
        yield ours
    os.close(ours)


def taken(reader: int, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := os.read(reader, 5000)):
        data += more
    return data


def test_a_slow_reader_gets_all_also_after_the_end_was_asked_for(stop: Stop) -> None:
    wanted, found = MUCH.encode(), list[bytes]()
    with reading() as reader:
        slow = threading.Thread(target=lambda: found.append(taken(reader, len(wanted))), daemon=True)
        slow.start()
        stop.requested = True
        put(MUCH, stop)
        slow.join(10)
    assert found == [wanted]


def test_who_is_stuck_ends_when_asked(stop: Stop) -> None:
    with reading() as reader:
        out = sys.stdout.fileno()

        def ask() -> None:
            while select.select([], [out], [], 0)[1]:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGTERM)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        put(MUCH, stop)
        assert stop.requested
        assert MUCH.encode().startswith(taken(reader, 4096))


def test_a_reader_that_is_gone_is_an_error(stop: Stop) -> None:
    with reading() as reader:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, reader)
        os.close(null)
        with pytest.raises(BrokenPipeError):
            put(MUCH, stop)
