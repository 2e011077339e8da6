"""The last 15 minutes of models, to step back into: of each, packed, what changed since the one before.

Memory is bounded by MOST_BYTES, whatever the load. Above it, neighbours are taken together, so that the steps become
longer, those of long ago first; and where more than PEERS_PER_SAMPLE peers change in each sample, not every sample
becomes a step. What a step shows is exact: it is the model that was, not one that was put together from others.
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from tfotop.model.fold import MOST_HISTORY
from tfotop.model.state import Model, Rates
from tfotop.model.steps import Entry, entry, join
from tfotop.sample import Handshake

SPAN_NS: Final = 15 * 60 * 1_000_000_000
MOST_BYTES: Final = 4 << 20
PEERS_PER_SAMPLE: Final = 1000
TOGETHER: Final = 60  # steps beyond the span that wait until they leave in one go
LITTLE: Final = 7 / 8  # of MOST_BYTES: thinning goes on down to it


class History:
    """Give it each model; it keeps the ``entries`` of which ``model_at`` makes any of them again."""

    def __init__(self, span_ns: int = SPAN_NS, most_bytes: int = MOST_BYTES) -> None:
        self._span_ns, self._most_bytes = span_ns, most_bytes
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._waiting: tuple[Rates, ...] = ()  # of samples that are no step of their own
        self._last: Handshake | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The steps that are kept, oldest first. The first may be longer ago than the span."""
        return tuple(self._entries)

    @property
    def size(self) -> int:
        """Bytes that the steps take."""
        return self._size

    def add(self, model: Model) -> None:
        """Keep a model, newer than all before. Most of the work is in the peers that changed."""
        self._waiting = (*self._waiting, model.rates)[-MOST_HISTORY:]
        since = self._entries[-1].mono_ns if self._entries else -1
        changed = list(takewhile(lambda state: state.sample_mono_ns > since, reversed(model.peers.values())))
        if self._entries and len(changed) > PEERS_PER_SAMPLE * len(self._waiting):
            return
        self._append(entry(model, changed[::-1], _after(self._last, model.handshakes), self._waiting))
        self._waiting, self._last = (), model.handshakes[-1] if model.handshakes else self._last
        self._forget(model.mono_ns - self._span_ns)
        self._thin()

    def _append(self, made: Entry) -> None:
        self._entries.append(made)
        self._size += made.size

    def _forget(self, before_ns: int) -> None:
        """What is older than the span becomes one step, on which the others stand."""
        old = sum(1 for _ in takewhile(lambda kept: kept.mono_ns < before_ns, self._entries))
        if old > TOGETHER:
            self._join(0, old)

    def _thin(self) -> None:
        if self._size > self._most_bytes:
            while self._size > self._most_bytes * LITTLE and len(self._entries) > 2:
                self._join(thinnest([kept.mono_ns for kept in self._entries]), 2)

    def _join(self, first: int, count: int) -> None:
        """Make one step of so many."""
        joined = join([self._entries[i] for i in range(first, first + count)])
        self._entries.rotate(-first)
        for _ in range(count):
            self._size -= self._entries.popleft().size
        self._entries.appendleft(joined)
        self._size += joined.size
        self._entries.rotate(first)


def thinnest(times_ns: Sequence[int]) -> int:
    """Where the next two steps are best taken as one: where that is the least beside how long ago it was.

    The newest step stays by itself, and so does the oldest while there are others.
    """
    now = times_ns[-1] + 1

    def loss(i: int) -> float:
        return (times_ns[i + 1] - times_ns[i - 1]) / (now - times_ns[i])

    return min(range(1, len(times_ns) - 2), key=loss, default=0)


def _after(last: Handshake | None, handshakes: Sequence[Handshake]) -> list[Handshake]:
    """Those behind ``last``; all of them if it is not among them."""
    return list(takewhile(lambda h: h is not last, reversed(handshakes)))[::-1]
