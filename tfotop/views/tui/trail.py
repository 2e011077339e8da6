"""How the outcomes of the peer that is looked at came to be: from the past, and from the models that come."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from textual.widget import Widget

from tfotop.model.fold import peer_key
from tfotop.model.state import Model, PeerKey, PeerState

MOST: Final = 900
BEFORE: Final = 2  # intervals
Remembered = Callable[[PeerKey], Sequence[tuple[int, Mapping[str, int]]]]


class Moment(NamedTuple):
    """A peer's outcomes since it was first seen, and when that was read (monotonic)."""

    mono_ns: int
    outcomes: Mapping[str, int]


class Trail:
    """Of one peer at a time. ``remembered`` takes a while, so it is asked in a thread, and then ``done`` is called.

    It is asked with each model anew: it tells of the newest time first, and of older ones in later calls.
    """

    def __init__(self, widget: Widget, remembered: Remembered | None, done: Callable[[], object]) -> None:
        self._widget, self._remembered, self._done = widget, remembered, done
        self._key: PeerKey | None = None
        self._past: list[Moment] = []
        self._live: list[Moment] = []
        self._asked_ns = 0  # the model with which the past was asked last
        self._asking = False

    def of(self, model: Model, state: PeerState) -> list[Moment]:
        """All moments up to that of the model, oldest first."""
        key = peer_key(state.reading)
        if key != self._key:
            self._key, self._past, self._live, self._asked_ns = key, [], [], 0
        if self._remembered is not None and not self._asking and model.mono_ns != self._asked_ns:
            self._asking, self._asked_ns = True, model.mono_ns
            self._widget.run_worker(self._recall(key, self._remembered), group="trail")
        if not self._live or model.mono_ns > self._live[-1].mono_ns:
            self._live = [*self._live, Moment(model.mono_ns, state.reading.outcomes)][-MOST:]
        known = [*self._past, *(m for m in self._live if not self._past or m.mono_ns > self._past[-1].mono_ns)]
        first = [Moment(state.reading.first_ns, {})] if self._from_its_beginning(model, state, known) else []
        return [*first, *(moment for moment in known if moment.mono_ns <= model.mono_ns)]

    def _from_its_beginning(self, model: Model, state: PeerState, known: Sequence[Moment]) -> bool:
        """Whether its first handshake came just before the first moment: then all that was counted there is new."""
        before_ns = known[0].mono_ns - state.reading.first_ns if known else 0
        return bool(self._past) and 0 < before_ns <= BEFORE * (model.interval_s or 0) * 1e9

    async def _recall(self, key: PeerKey, remembered: Remembered) -> None:
        try:
            found = await asyncio.to_thread(remembered, key)
        finally:
            self._asking = False
        if key == self._key:
            self._past = [Moment(*moment) for moment in found]
        self._done()
