"""Bytes that the screen writes to its terminal for each interval under load: what a slow SSH link must carry."""

import statistics
import time
from collections.abc import Iterator

from .load import Load
from .screen import screen
from .table import Row

SIZES, WARM_S, INTERVALS, PEERS = ((80, 24), (120, 40)), 4.0, 10, 200


def rows() -> Iterator[Row]:
    load = Load()
    try:
        with load.on(peers=PEERS):
            for size in SIZES:
                yield row(*size)
    finally:
        load.close()


def row(columns: int, lines: int) -> Row:
    with screen(columns, lines) as shown:
        time.sleep(WARM_S)
        first, found = shown.written, shown.per_interval(INTERVALS)
        if shown.process.poll() is not None:
            raise RuntimeError(f"the screen ended with status {shown.process.returncode}")
    note = f"most {max(found):,}; to start {first:,}; {PEERS} peers, {INTERVALS} intervals of 1 s"
    return Row(f"screen {columns}x{lines}, bytes for each interval", statistics.median(found), "B", note=note)
