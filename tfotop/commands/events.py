"""``tfotop events``: a line for each handshake as it is decided."""

import argparse
import time
from typing import TYPE_CHECKING, Final

from tfotop.commands.common import complain, selection
from tfotop.commands.output import put
from tfotop.model.selection import Selection
from tfotop.sources.handshakes import Sensor, SensorFailed, Starting
from tfotop.stop import Stop

if TYPE_CHECKING:
    from tfotop.sources.collector import Collector

SETTLE_S: Final = 0.1


def run(chosen: argparse.Namespace) -> int:
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
    some = "" if selection(chosen) == Selection() else ", printing those that were asked for"
    complain(f"watching every handshake of this host{some}; Ctrl-C ends")
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
            put("\n".join(lines) + "\n", stop)
