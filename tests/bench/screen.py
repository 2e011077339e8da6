"""The live screen on a terminal of its own, and every byte that it writes there."""

import os
import pty
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .running import TFOTOP, running


class Screen:
    """A program on a pseudo-terminal; ``written`` counts its bytes so far, the newest of which are kept."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self.process, self.written = process, 0
        self._terminal, self._newest, self._came = terminal, b"", threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def per_interval(self, intervals: int) -> list[int]:
        """Bytes in each of the next intervals of one second."""
        found = []
        for _ in range(intervals):
            before = self.written
            time.sleep(1)
            found.append(self.written - before)
        return found

    def write(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def wait_for(self, expected: bytes, since: int, seconds: float) -> bool:
        """Wait until these bytes come behind the first ``since``; False if they do not in time."""
        with self._came:
            return self._came.wait_for(lambda: expected in self._after(since), seconds)

    def _after(self, since: int) -> bytes:
        return self._newest[max(0, len(self._newest) - (self.written - since)) :]

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 16)
            except OSError:  # EIO: the last process has closed its side
                return
            with self._came:
                self.written += len(data)
                self._newest = (self._newest + data)[-(1 << 18) :]
                self._came.notify_all()


@contextmanager
def screen(columns: int, lines: int, argv: Sequence[str] = TFOTOP) -> Iterator[Screen]:
    """A terminal of this size with the live screen, or another program, on it, for the length of a block."""
    ours, theirs = pty.openpty()
    try:
        termios.tcsetwinsize(theirs, (lines, columns))
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(lines)}
        how = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": environment, "start_new_session": True}
        with running(argv, **how) as process:
            os.close(theirs)
            yield Screen(process, ours)
    finally:
        os.close(ours)
