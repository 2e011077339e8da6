"""A probe for the screen, in a process of its own: what the screen computes meanwhile must not be in its figures."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

Tell = Callable[[str | None], object]
ROOT = Path(__file__).resolve().parents[2]


class Probing:
    """One running ``tfotop probe``; ``tell`` gets each line in a thread of its own, then ``None``."""

    def __init__(self, words: list[str], tell: Tell) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._tell = tell
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tfotop", "probe", *words],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, name="probe", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end: it still says what it has seen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._tell(line.rstrip("\n"))
        self._process.wait()
        self._tell(None)


def prober(no_bpf: bool) -> Callable[[str, Tell], Callable[[], None]]:
    """What the screen calls with what was typed; it returns how to stop."""

    def begin(text: str, tell: Tell) -> Callable[[], None]:
        try:
            words = shlex.split(text)
        except ValueError as error:
            tell(f"{text!r} cannot be read: {error}; expected HOST[:PORT], then options")
            tell(None)
            return lambda: None
        return Probing([*words, *(["--no-bpf"] if no_bpf else [])], tell).stop

    return begin
