"""The first bytes of all peers, added up once for each model: a few peers at a time, and keys in between."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Final

from textual.widget import Widget

from tfotop.model.state import Model
from tfotop.views.tui.latency_view import Distribution, Sums

PART: Final = 1_000  # peers, about 6 ms


class Spread:
    """``done`` is called when a sum is ready that was not when it was asked for."""

    def __init__(self, widget: Widget, done: Callable[[], object]) -> None:
        self._widget, self._done = widget, done
        self._made_of: Model | None = None
        self._wanted: Model | None = None
        self._shown: list[Distribution] | None = None

    def of(self, model: Model) -> list[Distribution] | None:
        """The newest sums there are, of ``model`` if it has few peers; ``None`` while the first are being made."""
        if model is self._made_of:
            return self._shown
        if len(model.peers) <= PART:
            sums = Sums()
            sums.add(model.peers.values())
            self._made_of, self._shown = model, sums.distributions()
        else:
            running, self._wanted = self._wanted, model
            if running is None:
                self._widget.run_worker(self._work(), group="spread")
        return self._shown

    async def _work(self) -> None:
        """Until the newest model is done; those that came and went meanwhile are left out."""
        while self._wanted is not None and self._wanted is not self._made_of:
            model, sums = self._wanted, Sums()
            states = iter(model.peers.values())
            while part := list(islice(states, PART)):
                sums.add(part)
                await asyncio.sleep(0)
            self._made_of, self._shown = model, sums.distributions()
            self._done()
        self._wanted = None
