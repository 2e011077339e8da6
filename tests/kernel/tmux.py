"""The live screen in a shell in tmux: keys go in as from a keyboard, and the screen is read back."""

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Final, Self

from .bed import PREFIX, until

PROMPT: Final = "ready$"


class Tmux:
    """A server of tmux with one shell in it; ``lines`` is what a person would see."""

    def __init__(self, columns: int = 100, rows: int = 30, **environment: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix=PREFIX)  # or tmux would leave its socket behind
        self._socket = f"{self._directory.name}/socket"
        shell = ["env", "PS1=" + PROMPT, "TZ=UTC", *(f"{k}={v}" for k, v in environment.items())]
        shell += ["bash", "--noprofile", "--norc", "-i"]
        size = ("-x", str(columns), "-y", str(rows))
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, shlex.join(shell))
        self.sees(PROMPT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self._directory.cleanup()

    def kill(self) -> None:
        """The terminal goes away, with all that is in it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", self._socket, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def start(self, *arguments: str) -> None:
        """Start tfotop from the shell, and wait for its screen."""
        self.type(shlex.join([sys.executable, "-m", "tfotop", *arguments]), "Enter")
        self.sees("LIVE", 15)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        self._tmux("send-keys", *keys)

    def type(self, text: str, *keys: str) -> None:
        """Type text, then press keys."""
        self._tmux("send-keys", "-l", text)
        if keys:
            self.press(*keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def shell_pid(self) -> int:
        """The process id of the shell."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return self._tmux("capture-pane", "-p").split("\n")[:-1]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def waits(self, for_it: Callable[[list[str]], object], what: str, timeout_s: float = 10) -> None:
        """Until the screen is so."""
        try:
            until(lambda: for_it(self.lines), timeout_s, what, every_s=0.05)
        except TimeoutError:
            raise AssertionError(f"no {what} on the screen:\n{self.text}") from None

    def sees(self, text: str, timeout_s: float = 10) -> None:
        """Until the text is on the screen."""
        self.waits(lambda lines: any(text in line for line in lines), repr(text), timeout_s)

    def sees_no(self, text: str, timeout_s: float = 10) -> None:
        """Until the text is not on the screen."""
        self.waits(lambda lines: not any(text in line for line in lines), f"end of {text!r}", timeout_s)
