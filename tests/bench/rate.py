"""Connections per second with tfotop running against without, and with what one would run instead."""

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.kernel.bed.namespaces import end

from .load import Load, python
from .running import stream
from .table import Row

ROUNDS, WINDOW_S, SETTLE_S = 6, 1.5, 0.5
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


def rows() -> Iterator[Row]:
    load = Load()
    try:
        with load.on():
            pairs = measure(load)
    finally:
        load.close()
    without = [base for group in pairs.values() for base, _ in group]
    yield Row("connections/s, nothing watching", statistics.median(without), note=spread(without))
    for name, group in pairs.items():
        ratio = statistics.median(rate for _, rate in group) / statistics.median(base for base, _ in group)
        note = "pairs: " + " ".join(f"{rate / base:.3f}" for base, rate in group)
        yield Row(f"ratio with {name}", ratio, least=0.97 if name == "tfotop stream" else None, note=note)


def measure(load: Load) -> dict[str, list[tuple[float, float]]]:
    """For each watcher the rates (without, with) of each round; the windows of a pair follow one another."""
    names = ["tfotop stream", *(name for name, argv in OTHERS.items() if shutil.which(argv[0]))]
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(ROUNDS):
        for name in names:
            pairs[name].append(pair(load, name, without_first=number % 2 == 0))
    return pairs


def pair(load: Load, name: str, without_first: bool) -> tuple[float, float]:
    base = load.rate(WINDOW_S) if without_first else 0.0
    with watching(load, name):
        time.sleep(SETTLE_S)
        rate = load.rate(WINDOW_S)
    if without_first:
        return base, rate
    time.sleep(SETTLE_S)
    return load.rate(WINDOW_S), rate


def watching(load: Load, name: str) -> AbstractContextManager[Any]:
    return stream() if name == "tfotop stream" else other(load, OTHERS[name])


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


def spread(values: list[float]) -> str:
    return f"{len(values)} windows of {WINDOW_S} s, from {min(values):,.0f} to {max(values):,.0f}"
