"""Connections per second with tfotop running against without, and with what one would run instead.

Twice: as many as this machine can make, when what tfotop takes is missing elsewhere, and as many as a busy server has.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.kernel.bed.namespaces import end

from . import programs
from .load import Load, Pace, python
from .running import stream
from .table import Row

STREAM = "tfotop stream"
EMPTY = "empty programs on the same hooks"  # what no sensor of this kind can do without
ROUNDS, OURS, WINDOW_S, SETTLE_S = 5, 15, 1.5, 0.5
LEAST, BUSY_PER_S = 0.97, 15_000
SS = """
import subprocess, time
while True:
    subprocess.run(["ss", "-ti"], stdout=subprocess.DEVNULL)
    time.sleep(1)
"""
OTHERS = {
    "tcpdump -w /dev/null tcp": ["tcpdump", "-i", "lo", "-w", "/dev/null", "tcp"],
    "tshark, the cookie of each SYN": [
        *("tshark", "-l", "-n", "-i", "lo", "-f", "tcp[tcpflags] & tcp-syn != 0"),
        *("-T", "fields", "-e", "tcp.options.tfo.cookie"),
    ],
    "ss -ti once a second": python(SS),
}


Pair = tuple[Pace, Pace]  # without, with


def rows() -> Iterator[Row]:
    load = Load()
    try:
        with load.on():
            pairs = measure(load)
        with load.on(per_s=BUSY_PER_S):
            busy = [pair(load, STREAM, without_first=number % 2 == 0) for number in range(ROUNDS)]
    finally:
        load.close()
    yield from saturated(pairs)
    rates = [(without.per_s, beside.per_s) for without, beside in busy]
    name = f"{STREAM}, {BUSY_PER_S:,} connections/s asked for: ratio"
    yield Row(name, ratio(rates), least=LEAST, note=f"{each(rates)}; {spread([base for base, _ in busy])}")


def saturated(pairs: dict[str, list[Pair]]) -> Iterator[Row]:
    without = [base for group in pairs.values() for base, _ in group]
    yield Row(
        "nothing watching: connections/s", statistics.median(base.per_s for base in without), note=spread(without)
    )
    yield Row("nothing watching: CPU of a connection", statistics.median(base.cpu_us for base in without), "us")
    for name, group in pairs.items():
        least = LEAST if name == STREAM else None
        per_s, cpu_us = ([(getattr(a, field), getattr(b, field)) for a, b in group] for field in Pace._fields)
        yield Row(f"{name}: connections/s, ratio", ratio(per_s), least=least, note=each(per_s))
        yield Row(f"{name}: CPU of a connection, ratio", ratio(cpu_us), note=each(cpu_us))


def ratio(pairs: list[tuple[float, float]]) -> float:
    """The median of the pairs: others on the machine come and go between them. It is within 0.03 on a quiet one."""
    return statistics.median(beside / without for without, beside in pairs)


def each(pairs: list[tuple[float, float]]) -> str:
    return "pairs: " + " ".join(f"{beside / without:.2f}" for without, beside in pairs)


def spread(without: list[Pace]) -> str:
    values = [pace.per_s for pace in without]
    return f"{len(values)} windows of {WINDOW_S} s, from {min(values):,.0f} to {max(values):,.0f}"


def measure(load: Load) -> dict[str, list[Pair]]:
    """The pairs of each watcher, in turn; the two windows of a pair follow one another."""
    rounds = {STREAM: OURS, EMPTY: OURS}
    rounds |= {name: ROUNDS for name, argv in OTHERS.items() if shutil.which(argv[0])}
    pairs: dict[str, list[Pair]] = {name: [] for name in rounds}
    for number in range(max(rounds.values())):
        for name in (name for name, most in rounds.items() if number < most):
            pairs[name].append(pair(load, name, without_first=number % 2 == 0))
    return pairs


def pair(load: Load, name: str, without_first: bool) -> Pair:
    first = load.pace(WINDOW_S) if without_first else None
    with watching(load, name):
        time.sleep(SETTLE_S)
        beside = load.pace(WINDOW_S)
    if first:
        return first, beside
    time.sleep(SETTLE_S)
    return load.pace(WINDOW_S), beside


def watching(load: Load, name: str) -> AbstractContextManager[Any]:
    if name in OTHERS:
        return other(load, OTHERS[name])
    return stream() if name == STREAM else programs.empty()


@contextmanager
def other(load: Load, argv: list[str]) -> Iterator[None]:
    """Another program, where the traffic is: it has to enter the namespace, tfotop does not."""
    with open("/dev/null", "r+b") as null:
        process = load.namespace.popen(argv, stdin=null, stdout=null, stderr=null)
        try:
            yield
            if process.poll() is not None:
                print(f"{argv[0]} ended early, status {process.returncode}", file=sys.stderr)
        finally:
            end(process)
