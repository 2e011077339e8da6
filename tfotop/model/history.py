"""The last minutes, to step back into: samples are kept, and any of their models is folded again when it is asked for.

Samples hold only what changed; models of 65,536 peers would be too large. A model is kept for each ``EVERY`` samples
to fold from. Both ends are bounded: by time, and by the peers and handshakes that the samples hold together.
"""

from collections import deque
from typing import Final, NamedTuple

from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Sample

SPAN_NS: Final = 15 * 60 * 1_000_000_000
MOST_ROWS: Final = 10_000  # about 20 MB
EVERY: Final = 60


class Entry(NamedTuple):
    """A sample, and every so often the model after it."""

    sample: Sample
    rows: int
    model: Model | None


class History:
    """Fold samples as they come; give back the model of any of the last 15 minutes."""

    def __init__(self, span_ns: int = SPAN_NS, most_rows: int = MOST_ROWS, every: int = EVERY) -> None:
        self._span_ns, self._most_rows, self._every = span_ns, most_rows, every
        self._entries: deque[Entry] = deque()
        self._rows = self._since = 0
        self.newest: Model | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, sample: Sample) -> Model:
        """The model after ``sample``, which is now the newest."""
        self.newest = fold(self.newest, sample)
        self._since = 0 if not self._entries or self._since + 1 >= self._every else self._since + 1
        rows = 1 + (len(sample.sensor.peers) + len(sample.sensor.handshakes) if sample.sensor else 0)
        self._entries.append(Entry(sample, rows, self.newest if self._since == 0 else None))
        self._rows += rows
        self._forget(sample.mono_ns)
        return self.newest

    def _forget(self, now_ns: int) -> None:
        """Drop the oldest; the first that stays must have a model to fold from."""
        while len(self._entries) > 1 and (
            self._rows > self._most_rows or now_ns - self._entries[0].sample.mono_ns > self._span_ns
        ):
            gone = self._entries.popleft()
            self._rows -= gone.rows
            first = self._entries[0]
            if first.model is None:
                self._entries[0] = first._replace(model=fold(gone.model, first.sample))

    def back(self, steps: int) -> Model | None:
        """The model ``steps`` samples before the newest, or the oldest that is kept."""
        if not self._entries:
            return None
        index = max(0, len(self._entries) - 1 - steps)
        start = index
        while self._entries[start].model is None:
            start -= 1
        model = self._entries[start].model
        for i in range(start + 1, index + 1):
            model = fold(model, self._entries[i].sample)
        return model
