"""Collecting beside the screen: one thread reads the sources and folds, keeps the past, hands over each new model."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from tfotop.model.fold import fold
from tfotop.model.history import History
from tfotop.model.selection import Selection
from tfotop.model.state import Model, PeerKey
from tfotop.model.steps import Entry, Peers, model_at, outcomes_of, peers_at
from tfotop.sources.collector import Collector
from tfotop.sources.handshakes import SensorFailed, Starting

LOOKED_AT: Final = 1 << 20  # bytes of steps in which a peer is looked for in one call: about 15 ms
NEAR: Final = 16  # steps that are unpacked for each step back; those before are kept unpacked


class Past:
    """The history of a feed. One thread adds to it, another looks back: what it looks at is never changed."""

    def __init__(self, history: History | None = None) -> None:
        self._history = history or History()
        self._entries: tuple[Entry, ...] = ()
        self._near: tuple[Entry, Peers] | None = None  # a step, and all peers after it
        self._found: tuple[PeerKey | None, dict[int, tuple[Entry, dict[str, int] | None]]] = (None, {})

    def add(self, model: Model) -> None:
        """Keep a model, newer than all before."""
        self._history.add(model)
        self._entries = self._history.entries

    def moments(self) -> Sequence[int]:
        """The times (monotonic, ns) of the models that are kept, oldest first."""
        return [entry.mono_ns for entry in self._entries]

    def at(self, mono_ns: int) -> Model | None:
        """The newest model that is not newer than ``mono_ns``, or the oldest. From one thread at a time."""
        entries = self._entries
        index = max(0, bisect_right([entry.mono_ns for entry in entries], mono_ns) - 1)
        if not entries:
            return None
        skip, before = self._stand(entries[: index + 1])
        return model_at(entries[: index + 1], before, skip)

    def of(self, key: PeerKey) -> list[tuple[int, dict[str, int]]]:
        """When the outcomes of one peer changed, and what they were: the newest at once, older ones in later calls."""
        before = self._found[1] if self._found[0] == key else {}
        found, room = dict[int, tuple[Entry, dict[str, int] | None]](), LOOKED_AT
        for entry in reversed(self._entries):
            if id(entry) in before:
                found[id(entry)] = before[id(entry)]
            elif room > 0:
                room -= entry.size
                found[id(entry)] = entry, outcomes_of(entry, key)
        self._found = key, found
        changed = ((entry.mono_ns, outcomes) for entry, outcomes in reversed(found.values()))
        return [(mono_ns, outcomes) for mono_ns, outcomes in changed if outcomes is not None]

    def forget(self) -> None:
        """Let go of what only makes steps quicker."""
        self._near = None

    def _stand(self, entries: Sequence[Entry]) -> tuple[int, Peers | None]:
        """A step shortly before the last of ``entries`` of which all peers are known, as how many steps to skip."""
        if self._near is not None:
            skip = next((i + 1 for i in range(len(entries))[-2 * NEAR :] if entries[i] is self._near[0]), 0)
            if skip:
                return skip, self._near[1]
        skip = len(entries) - NEAR
        if skip <= 0:
            return 0, None
        self._near = entries[skip - 1], peers_at(entries[:skip])
        return skip, self._near[1]


class Feed:
    """Runs until ``stop``. ``on_model`` is called in the feed's own thread."""

    def __init__(
        self,
        collector: Collector,
        interval_s: float,
        starting: Starting | None,
        on_model: Callable[[Model], object],
        past: Past,
        wanted: Selection | None = None,
    ) -> None:
        self._collector, self._interval_s, self._starting = collector, interval_s, starting
        self._wanted = wanted
        self._on_model, self._past, self._stop = on_model, past, threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End after the sample that is being read, if there is one; nobody waits for it."""
        self._stop.set()

    def _run(self) -> None:
        joining = threading.Thread(target=self._join_sensor, name="sensor", daemon=True)
        joining.start()
        joining.join(0.3)  # usually the sensor is there for the first sample
        model, due = None, time.monotonic()
        while not self._stop.is_set():
            sample = self._collector.sample(time.monotonic_ns(), time.time_ns())
            model = fold(model, sample, wanted=self._wanted)
            self._on_model(model)
            self._past.add(model)  # what is shown does not wait for it
            due = max(due + self._interval_s, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def _join_sensor(self) -> None:
        """The sensor may take a second on a slow host: the screen does not wait for it."""
        if self._starting is None:
            return
        try:
            self._collector.sensor = self._starting.finish()
        except SensorFailed as failed:
            self._collector.problem = failed.problem
