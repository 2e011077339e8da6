"""The commands: sources on one side, views on the other."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tfotop.model.selection import Selection
from tfotop.model.state import Model
from tfotop.sample import Problem
from tfotop.sources.handshakes import Sensor, SensorFailed, Starting
from tfotop.stop import Stop

if TYPE_CHECKING:
    from tfotop.sources.collector import Collector

RECORDS_PER_S: Final = 200  # for the screen and the ladder; `events` has no limit
SETTLE_S: Final = 0.1
STREAM_PEERS: Final = 1000  # of which a snapshot shows the newest 100
NO_SENSOR: Final = Problem(source="sensor", text="eBPF is off (--no-bpf)", remedy="run without --no-bpf")
NO_SENSOR_YET: Final = Problem(source="sensor", text="eBPF is being compiled", remedy="one moment")


def selection(chosen: argparse.Namespace) -> Selection:
    """The shared options as a Selection."""
    return Selection(chosen.role, chosen.port, chosen.peer, chosen.netns)


def complain(text: str) -> None:
    """One line on standard error."""
    print(f"tfotop: {text}", file=sys.stderr, flush=True)


def start(chosen: argparse.Namespace, records_per_s: int) -> Starting | None:
    """Begin to compile at once, in a child, unless told not to."""
    return None if chosen.no_bpf else Starting(records_per_s)


def events(chosen: argparse.Namespace) -> int:
    """``tfotop events``: needs the sensor; exit 2 without it."""
    if chosen.no_bpf:
        complain("events needs eBPF: run without --no-bpf")
        return 2
    starting, stop = Starting(0), Stop()
    from tfotop.sources.collector import Collector  # while the child compiles
    from tfotop.views import text
    from tfotop.views.format import problem

    try:
        sensor = starting.finish()
    except SensorFailed as failed:
        complain(problem(failed.problem))
        return 2
    if sensor.missing:
        complain(sensor.missing)
    collector = Collector(None)
    collector.sensor = sensor
    collector.remember_owners(time.monotonic())
    complain("watching every handshake of this host; Ctrl-C ends")
    try:
        _print_events(chosen, sensor, collector, stop)
    finally:
        lost = text.losses(sensor.losses())
        sensor.close()
        if lost:
            complain(lost)
    return 0


def _print_events(chosen: argparse.Namespace, sensor: Sensor, collector: "Collector", stop: Stop) -> None:
    from tfotop.views import json_lines, text

    wanted, left, ended = selection(chosen), chosen.n, False
    while not ended:
        sensor.wait(int(SETTLE_S * 1000))
        ended = stop.requested
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        collector.remember_owners(mono_ns / 1e9)
        owner = collector.owner(mono_ns / 1e9)
        new = filter(wanted.of_handshake, sensor.new_handshakes(mono_ns, wall_ns, owner, everything=ended))
        lines = [json_lines.line(json_lines.event(h)) if chosen.json else text.event(h) for h in new]
        if left is not None:
            lines = lines[:left]
            left -= len(lines)
            ended = ended or left == 0
        if lines:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()


def stream(chosen: argparse.Namespace) -> int:
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
        model = fold(model, collector.sample(time.monotonic_ns(), time.time_ns()), STREAM_PEERS)
        shown = wanted.apply(model)
        sys.stdout.write(json_lines.line(json_lines.stream(shown)) if chosen.json else text.snapshot(shown))
        sys.stdout.write("\n" if chosen.json else "\n\n")
        sys.stdout.flush()
        left = None if left is None else left - 1
        due = max(due + chosen.interval, time.monotonic())
        if left != 0:
            stop.wait(due - time.monotonic())
    if collector.sensor:
        collector.sensor.close()
    return 0


def attach(collector: "Collector", starting: Starting | None) -> None:
    """Give the sensor to the collector when its child is done, or the reason why there is none."""
    if starting is None:
        return
    try:
        collector.sensor = starting.finish()
    except SensorFailed as failed:
        collector.problem = failed.problem


def screen(chosen: argparse.Namespace) -> int:
    """``tfotop``: paints at once; the sensor joins when it is ready."""
    starting = start(chosen, RECORDS_PER_S)
    from tfotop.feed import Feed  # while the child compiles
    from tfotop.sources.collector import Collector
    from tfotop.views.tui.app import TfotopApp, run

    collector = Collector(NO_SENSOR_YET if starting else NO_SENSOR)

    def feed(deliver: Callable[[Model], object]) -> Callable[[], None]:
        running = Feed(collector, chosen.interval, starting, deliver)
        running.start()
        return running.stop

    app = TfotopApp(platform.node(), platform.release(), chosen.interval, selection(chosen))
    status = run(app, feed)
    # The feed may be in the middle of a reading. What it holds, and with it the sensor, goes with the process: at once.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
