"""The end of a command: SIGINT, SIGTERM and SIGHUP ask for it, and it comes between two lines of output."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Installed once, in the main thread."""

    def __init__(self) -> None:
        self.requested = False
        self._wakes, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in ENDS:
            signal.signal(number, self._request)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def _request(self, _number: int, _frame: object) -> None:
        self.requested = True

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a request."""
        if not self.requested:
            select.select([self._wakes], [], [], max(0.0, seconds))


@contextmanager
def at_once() -> Iterator[None]:
    """For the length of a block each raises KeyboardInterrupt: a question would go on waiting for its answer."""
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in ENDS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
