"""The end of a command: SIGINT, SIGTERM and SIGHUP ask for it, and it comes between two lines of output."""

import os
import select
import signal


class Stop:
    """Installed in the main thread; a second one takes over, and knows nothing of what the first was asked."""

    def __init__(self) -> None:
        self.requested = False
        self._wakes, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def _request(self, _number: int, _frame: object) -> None:
        self.requested = True

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a request."""
        if not self.requested:
            select.select([self._wakes], [], [], max(0.0, seconds))

    def readable(self, fd: int) -> bool:
        """Wait until something can be read there; False if the end is asked for."""
        if not self.requested:
            select.select([self._wakes, fd], [], [])
        return not self.requested

    def writable(self, fd: int, patience_s: float) -> bool:
        """Wait until something can be written there; False if it cannot for so long after the end is asked for."""
        while not self.requested:
            if select.select([self._wakes], [fd], [])[1]:
                return True
        return bool(select.select([], [fd], [], patience_s)[1])
