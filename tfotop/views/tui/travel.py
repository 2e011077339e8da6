"""Time: a pause that freezes the view while collecting goes on, and steps back through the last 15 minutes."""

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from textual.binding import Binding
from textual.reactive import reactive

from tfotop.model.selection import Selection
from tfotop.model.state import Model, PeerKey
from tfotop.views.tui.finding import Finding
from tfotop.views.tui.messages import ModelReady

MINUTE_NS: Final = 60 * 1_000_000_000


class Past(Protocol):
    """The models that were. Both may be called from any thread; ``at`` may take half a second."""

    def moments(self) -> Sequence[int]:
        """The times (monotonic, ns) of the models that are kept, oldest first."""

    def at(self, mono_ns: int) -> Model | None:
        """The newest model that is not newer than ``mono_ns``, or the oldest."""

    def of(self, key: PeerKey) -> Sequence[tuple[int, Mapping[str, int]]]:
        """When the outcomes of one peer changed, and what they were."""


class Travel(Finding):
    """Shows the newest model while ``paused`` is False, else the one of the time that is looked at."""

    BINDINGS = [
        Binding("space", "pause", "pause"),
        Binding("left_square_bracket", "step(-1)", "one step back in time", key_display="[", show=False),
        Binding("right_square_bracket", "step(1)", "one step forward in time", key_display="]", show=False),
        Binding("left_curly_bracket", "minute(-1)", "one minute back in time", key_display="{", show=False),
        Binding("right_curly_bracket", "minute(1)", "one minute forward in time", key_display="}", show=False),
        Binding("L", "live", "live again", show=False),
    ]

    paused: reactive[bool] = reactive(False, init=False)

    def __init__(self, selection: Selection | None = None, past: Past | None = None) -> None:
        super().__init__(selection)
        self._past = past
        self._live: Model | None = None
        self._looked_ns = 0  # the time that is looked at while paused
        self._travelling = False

    def show_time(self) -> None:
        """Bring the new time, or how long ago it is, to the screen."""
        raise NotImplementedError

    def on_model_ready(self, message: ModelReady) -> None:
        """Take it; while paused only to come back to."""
        self._live = message.model
        if self.paused:
            self.show_time()
        else:
            self.take(message.model)

    @property
    def time_state(self) -> str:
        """``LIVE``, or ``PAUSED`` and by how much what is shown is older than the newest model."""
        if not self.paused:
            return "LIVE"
        behind_s = (self._live.mono_ns - self._looked_ns) // 1_000_000_000 if self._live else 0
        return f"PAUSED {_ago(behind_s)}" if behind_s > 0 else "PAUSED"

    def action_pause(self) -> None:
        """Freeze the view; collecting goes on. Or go on with what is live."""
        if self.paused:
            self.action_live()
        else:
            self._pause()

    def action_live(self) -> None:
        """The newest model, and those that come."""
        self.paused = False
        if self._live is not None:
            self.take(self._live)
        self.show_time()

    def action_step(self, steps: int) -> None:
        """So many models on; back if negative."""
        moments, now_ns = self._moments(), self._now_ns
        at = bisect_right(moments, now_ns) - 1
        between = at >= 0 and moments[at] < now_ns  # then the one before is already a step back
        self._look(moments, at + steps + (between and steps < 0))

    def action_minute(self, minutes: int) -> None:
        """So many minutes on; back if negative."""
        moments = self._moments()
        self._look(moments, bisect_right(moments, self._now_ns + minutes * MINUTE_NS) - 1)

    def _moments(self) -> Sequence[int]:
        return self._past.moments() if self._past else ()

    @property
    def _now_ns(self) -> int:
        return self._looked_ns if self.paused else self._live.mono_ns if self._live else 0

    def _pause(self) -> None:
        self._looked_ns = self.shown.model.mono_ns if self.shown else 0
        self.paused = True
        self.show_time()

    def _look(self, moments: Sequence[int], index: int) -> None:
        """Look at one of the moments, the first or the last where there are no more."""
        if not moments:
            return
        self.paused, self._looked_ns = True, moments[min(max(0, index), len(moments) - 1)]
        self.show_time()
        if not self._travelling:
            self._travelling = True
            self.run_worker(self._fetch(), group="travel")

    async def _fetch(self) -> None:
        """The model of the time that is looked at; only of the newest, if keys were faster."""
        shown_ns: int | None = None
        try:
            while self.paused and self._past is not None and shown_ns != self._looked_ns:
                shown_ns = self._looked_ns
                model = await asyncio.to_thread(self._past.at, shown_ns)
                if self.paused and model is not None:
                    self.take(model)
        finally:
            self._travelling = False


def _ago(seconds: int) -> str:
    return f"-{seconds}s" if seconds < 60 else f"-{seconds // 60}m{seconds % 60:02}s"
