"""From a key to its repaint on a screen with 65,536 peers, and what the link to the terminal carries meanwhile."""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

from .running import memory_mb
from .screen import Screen, screen
from .table import Row

LIMIT_MS, LINK_BITS = 50.0, 1_000_000
PRESSES, WARM_S, INTERVALS = 40, 6.0, 10
CROWDED = (sys.executable, "-m", "tests.bench.crowded")


class Key(NamedTuple):
    """Two keys in turn; after each its bytes stand on the screen, and not before."""

    what: str
    there: tuple[bytes, bytes]
    back: tuple[bytes, bytes]


KEYS = (
    Key("invert the order", (b"i", "▲".encode()), (b"i", "▼".encode())),
    Key("pause", (b" ", b"PAUSED"), (b" ", b"LIVE")),
    Key("another view and back", (b"2", b"NETNS"), (b"1", b"COOKIE")),
    Key("type in the filter bar", (b"z", b"qz"), (b"q", b"zq")),
)


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report")
        with screen(120, 40, (*CROWDED, report)) as shown:
            yield from watched(shown)
            shown.write(b"q")
            shown.process.wait(20)
        with open(report, encoding="utf-8") as file:
            yield from told(json.load(file))


def watched(shown: Screen) -> Iterator[Row]:
    until_shown(shown, b"65536 peers", 60)
    time.sleep(WARM_S)
    carried = shown.per_interval(INTERVALS)
    found = {key.what: pressed(shown, key) for key in KEYS}
    every = [ms for times in found.values() for ms in times]
    yield Row("key to repaint, p95", percentile(every, 0.95), "ms", most=LIMIT_MS, note=spread(every))
    for what, times in found.items():
        yield Row(f"  {what}, p95", percentile(times, 0.95), "ms", note=spread(times))
    bits = 8 * max(carried)
    note = f"most of {INTERVALS} intervals of 1 s at 120x40; median {8 * statistics.median(carried):,.0f}"
    yield Row("written to the terminal in a second", bits, "bit", most=LINK_BITS, note=note)
    yield Row("resident with 65,536 peers", memory_mb(shown.process.pid)["rss"], "MB")


def told(report: dict[str, list[float]]) -> Iterator[Row]:
    """What the screen itself has measured."""
    for what, name, most in (
        ("the thread of the keys held up, at most", "held_s", None),
        ("  of that by others: collecting, not its own repaints", "blocked_s", LIMIT_MS),
    ):
        longest = [1000 * seconds for seconds in report[name]]
        note = f"of {report['beats']:,} pulses; the longest: {', '.join(f'{ms:.0f}' for ms in longest)} ms"
        yield Row(what, max(longest), "ms", most=most, note=note)
    times = [1000 * seconds for seconds in report["sorted_s"]]
    yield Row("key to the rows in their new order, p95", percentile(times, 0.95), "ms", note=spread(times))


def pressed(shown: Screen, key: Key) -> list[float]:
    """Milliseconds from each press to its bytes, at moments that have nothing to do with the intervals."""
    if key.what.startswith("type"):
        until_shown(shown, b"zq", 5, b"/zq")
    found = []
    for number in range(PRESSES):
        time.sleep(0.05 + 0.0137 * (number % 23))
        keys, expected = key.back if number % 2 else key.there
        found.append(1000 * until_shown(shown, expected, 5, keys))
    if key.what.startswith("type"):
        shown.write(b"\x1b")
        time.sleep(0.5)
    return found


def until_shown(shown: Screen, expected: bytes, seconds: float, keys: bytes = b"") -> float:
    """Write the keys, and the seconds until the bytes come."""
    place, started = shown.written, time.monotonic()
    shown.write(keys)
    if not shown.wait_for(expected, place, seconds):
        raise RuntimeError(f"the screen does not show {expected!r} within {seconds:g} s")
    return time.monotonic() - started


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spread(values: list[float]) -> str:
    return f"p50 {statistics.median(values):.1f}, max {max(values):.1f} ms, of {len(values)}"
