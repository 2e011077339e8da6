"""The live screen on a terminal of its own, and every byte that it writes there."""

import os
import pty
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .running import TFOTOP, running


class Screen:
    """tfotop on a pseudo-terminal; ``written`` counts its bytes so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self.process, self.written = process, 0
        self._terminal = terminal
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

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 16)
            except OSError:  # EIO: the last process has closed its side
                return
            self.written += len(data)


@contextmanager
def screen(columns: int, lines: int) -> Iterator[Screen]:
    """A terminal of this size with the live screen on it, for the length of a block."""
    ours, theirs = pty.openpty()
    try:
        termios.tcsetwinsize(theirs, (lines, columns))
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(lines)}
        how = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": environment, "start_new_session": True}
        with running(TFOTOP, **how) as process:
            os.close(theirs)
            yield Screen(process, ours)
    finally:
        os.close(ours)
