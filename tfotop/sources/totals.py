"""The table of totals, summed over the CPUs, and the rows of namespaces that are gone.

The table is bounded, and on a host of many short-lived containers it would fill up: once it is a quarter full, the rows
of namespaces that do not exist any more are moved here, and the oldest of those are added up without their namespace.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final

from tfotop.sources import layout
from tfotop.sources.libbpf import Map

Key = tuple[int, ...]
Rows = Counter[Key]

MANY: Final = 1024  # rows in the kernel's table from which on it is cleaned
MOST_GONE: Final = 8192


class Totals:
    """Exact counts for each struct total_key, whoever keeps them by now."""

    def __init__(self, table: Map) -> None:
        self._table = table
        self._gone: Rows = Counter()
        self._dead: set[int] = set()

    def add(self, key: Key) -> None:
        """Count a handshake that was settled outside the kernel."""
        self._gone[key] += 1

    def read(self, alive: Collection[int] | None = None) -> Rows:
        """All rows. ``alive``: the cookies of the namespaces that exist, ``None`` if they are not known."""
        rows = self._in_kernel()
        if alive and len(rows) > MANY:
            self._clean(rows, set(alive))
        return rows + self._gone

    def _in_kernel(self) -> Rows:
        rows: Rows = Counter()
        for keys, values in self._table.batches():
            numbers = values.cast("Q")
            width = len(numbers) // max(1, len(keys) // layout.TOTAL_KEY.size)
            for i, key in enumerate(layout.TOTAL_KEY.iter_unpack(keys)):
                rows[key] += sum(numbers[i * width : (i + 1) * width])
        return rows

    def _clean(self, rows: Rows, alive: set[int]) -> None:
        """Take over the rows of namespaces that were not there the last time either: nothing counts in them now."""
        dead = {key[0] for key in rows} - alive - {0}
        for key in [key for key in rows if key[0] in dead & self._dead]:
            self._table.delete(layout.TOTAL_KEY.pack(*key))
            self._gone[key] += rows.pop(key)
        self._dead = dead
        for key in list(self._gone)[: max(0, len(self._gone) - MOST_GONE)]:
            self._gone[0, 0, *key[2:]] += self._gone.pop(key)
