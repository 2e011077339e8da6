"""``tfotop doctor``: watches for a few seconds, then says what is wrong, on what evidence, and what mends it."""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from tfotop.commands.common import NO_SENSOR, RECORDS_PER_S, attach, complain, selection, start
from tfotop.model.state import Model
from tfotop.sample import Sample
from tfotop.stop import Stop

if TYPE_CHECKING:
    from tfotop.diagnosis.finding import Finding
    from tfotop.sources.collector import Collector

MOST_READINGS: Final = 16


def run(chosen: argparse.Namespace) -> int:
    """``tfotop doctor``: exit 0 healthy, 1 something is wrong, 2 cannot tell."""
    if chosen.self_test:
        from tfotop.commands.self_test import run as self_test

        return self_test(chosen)
    if chosen.peer is not None:
        complain("doctor judges settings and whole namespaces: --peer is for the screen, events and stream")
        return 2
    if chosen.fix and chosen.json:
        complain("doctor --fix talks with you: leave out --json")
        return 2
    if chosen.fix and not (sys.stdin.isatty() and sys.stdout.isatty()):
        complain("doctor --fix asks before each change: run it on a terminal")
        return 2
    return judge(chosen, observe(chosen))


def observe(chosen: argparse.Namespace) -> Model:
    """The model of one interval: the whole window, or less if it was stopped."""
    starting, stop = start(chosen, RECORDS_PER_S), Stop()
    from tfotop.model.fold import fold  # while the child compiles
    from tfotop.sources.collector import Collector

    collector = Collector(NO_SENSOR)
    collector.prepare(time.monotonic())
    attach(collector, starting)
    first = fold(None, collector.sample(time.monotonic_ns(), time.time_ns()))
    complain(f"watching for {chosen.seconds:g} s; Ctrl-C judges what was seen so far")
    stop.wait(chosen.seconds)
    collector.prepare(float("inf"))  # settings and sockets as they are at the end, however short the window was
    model = fold(first, _whole(collector, collector.sample(time.monotonic_ns(), time.time_ns())))
    if collector.sensor:
        collector.sensor.close()
    return model


def _whole(collector: "Collector", sample: Sample) -> Sample:
    """The last sample with all the peers that changed: one reading of the sensor takes a part of a crowd."""
    reading = sample.sensor
    for _ in range(MOST_READINGS):
        if collector.sensor is None or reading is None:
            return sample
        extra = collector.sensor.read(sample.mono_ns, sample.wall_ns, collector.owners.of)
        if not extra.peers:
            break
        reading = replace(reading, peers=reading.peers + extra.peers, handshakes=reading.handshakes + extra.handshakes)
    return replace(sample, sensor=reading)


def judge(chosen: argparse.Namespace, model: Model) -> int:
    """Print what was found, mend it if that was asked for; the exit status."""
    from tfotop.diagnosis.findings import findings, gaps, status
    from tfotop.views import doctor_text, findings_json, json_lines

    found, window_s = wanted(chosen, findings(model)), model.interval_s or 0.0
    model = selection(chosen).apply(model)
    missing = gaps(model)
    if chosen.json:
        print(json_lines.line(findings_json.report(model, found, missing, window_s)), flush=True)
    else:
        print(doctor_text.report(model, found, missing, window_s, shutil.get_terminal_size().columns), flush=True)
    if chosen.fix:
        from tfotop.commands.mend import run as mend

        mend(model, found)
    return status(found, missing)


def wanted(chosen: argparse.Namespace, found: "Sequence[Finding]") -> "list[Finding]":
    """The findings that the options ask for; what is not known of a finding leaves it in."""
    return [
        one
        for one in found
        if (chosen.role in (None, one.role) or one.role is None)
        and (chosen.netns in (None, one.netns) or one.netns is None)
        and (chosen.port in (None, one.port) or one.port is None)
    ]
