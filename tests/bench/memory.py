"""Resident memory of ``tfotop stream`` and of the screen under load, whether it stays, and the kernel's tables."""

import os
import statistics
import time
from collections.abc import Iterator

from . import programs
from .load import PEERS_MANY, Load
from .running import memory_mb, stream
from .screen import screen
from .table import Row

SECONDS = float(os.environ.get("BENCH_SECONDS", "420"))
READ_AT_S, LIMITS_MB, FLAT_MB_PER_MIN = 30.0, {"stream": 50.0, "screen": 80.0}, 1.0
Readings = list[tuple[float, dict[str, float]]]


def rows() -> Iterator[Row]:
    load = Load()
    try:
        with stream() as text, screen(120, 40) as shown, load.on(peers=PEERS_MANY):
            pids = {"stream": text.pid, "screen": shown.process.pid}
            found = watch(pids)
            tables = programs.maps_of(text.pid)
    finally:
        load.close()
    for name, readings in found.items():
        yield from told(name, readings)
    note = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sorted(tables.items(), key=lambda kv: -kv[1])[:5])
    yield Row("kernel memory of the tables of one tfotop", sum(tables.values()) / 1e6, "MB", note=note)


def watch(pids: dict[str, int]) -> dict[str, Readings]:
    """Memory of each process once a second, with the seconds since the load began."""
    started, found = time.monotonic(), {name: Readings() for name in pids}
    while (now := time.monotonic() - started) < SECONDS:
        for name, pid in pids.items():
            found[name].append((now, memory_mb(pid)))
        time.sleep(1)
    return found


def told(name: str, readings: Readings) -> Iterator[Row]:
    at, sizes = min(readings, key=lambda reading: abs(reading[0] - READ_AT_S))
    note = f"pss {sizes['pss']:.1f}, uss {sizes['uss']:.1f} MB, {at:.0f} s after the load began; {PEERS_MANY:,} peers"
    yield Row(f"{name}: resident", sizes["rss"], "MB", most=LIMITS_MB[name], note=note)
    later = [(seconds / 60, sizes["rss"]) for seconds, sizes in readings if seconds > SECONDS / 2]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope
    note = f"over the last half of {SECONDS:g} s (BENCH_SECONDS), from {later[0][1]:.1f} to {later[-1][1]:.1f} MB"
    yield Row(f"{name}: growth", slope, "MB/min", most=FLAT_MB_PER_MIN, note=note)
