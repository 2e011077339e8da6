"""What several commands do alike: complain, select, start the sensor and attach it."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

from tfotop.model.selection import Selection
from tfotop.sample import Problem
from tfotop.sources.handshakes import SensorFailed, Starting

if TYPE_CHECKING:
    from tfotop.sources.collector import Collector

RECORDS_PER_S: Final = 200  # for the screen and the ladder; `events` has no limit
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


def attach(collector: "Collector", starting: Starting | None) -> None:
    """Give the sensor to the collector when its child is done, or the reason why there is none."""
    if starting is None:
        return
    try:
        collector.sensor = starting.finish()
    except SensorFailed as failed:
        collector.problem = failed.problem
