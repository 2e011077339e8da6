"""What a key has just done, in the footer, for a while. Time is that of the models."""

from typing import Final

SHOWN_NS: Final = 5 * 10**9


class Notices:
    """One line at a time; empty when there is nothing to say."""

    def __init__(self) -> None:
        self.text = ""
        self._now_ns = self._since_ns = 0

    def say(self, text: str) -> None:
        """Say it from now on."""
        self.text, self._since_ns = text, self._now_ns

    def pass_to(self, now_ns: int) -> None:
        """Time has passed."""
        self._now_ns = now_ns
        if not self._since_ns <= now_ns < self._since_ns + SHOWN_NS:
            self.text = ""
