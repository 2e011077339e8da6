"""``tfotop stream``: a snapshot for each interval."""

import argparse
import time
from typing import Final

from tfotop.commands.common import NO_SENSOR, RECORDS_PER_S, attach, selection, start
from tfotop.commands.output import put
from tfotop.stop import Stop

STREAM_PEERS: Final = 1000  # of which a snapshot shows the newest 100


def run(chosen: argparse.Namespace) -> int:
    """``tfotop stream``: runs on with what is left when a source is missing."""
    starting, stop = start(chosen, RECORDS_PER_S), Stop()
    from tfotop.model.fold import fold  # while the child compiles
    from tfotop.sources.collector import Collector
    from tfotop.views import json_lines, text

    collector = Collector(NO_SENSOR)
    collector.prepare(time.monotonic())
    attach(collector, starting)
    model, due, left, wanted = None, time.monotonic(), chosen.n, selection(chosen)
    while left != 0 and not stop.requested:
        model = fold(model, collector.sample(time.monotonic_ns(), time.time_ns()), STREAM_PEERS, wanted)
        shown = wanted.apply(model)
        put(json_lines.line(json_lines.stream(shown)) + "\n" if chosen.json else text.snapshot(shown) + "\n\n", stop)
        left = None if left is None else left - 1
        due = max(due + chosen.interval, time.monotonic())
        if left != 0:
            stop.wait(due - time.monotonic())
    if collector.sensor:
        collector.sensor.close()
    return 0
