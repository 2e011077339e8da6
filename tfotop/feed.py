"""Collecting beside the screen: one thread reads the sources and folds, and hands over each new model."""

import threading
import time
from collections.abc import Callable

from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sources.collector import Collector
from tfotop.sources.handshakes import SensorFailed, Starting


class Feed:
    """Runs until ``stop``. ``on_model`` is called in the feed's own thread."""

    def __init__(
        self, collector: Collector, interval_s: float, starting: Starting | None, on_model: Callable[[Model], object]
    ) -> None:
        self._collector, self._interval_s, self._starting = collector, interval_s, starting
        self._on_model, self._stop = on_model, threading.Event()
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
            model = fold(model, self._collector.sample(time.monotonic_ns(), time.time_ns()))
            self._on_model(model)
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
