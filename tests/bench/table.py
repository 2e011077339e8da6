"""The table that the bench prints: what, measured, limit, verdict."""

from collections.abc import Iterable
from typing import NamedTuple

WIDTHS = (64, 18, 15)


class Row(NamedTuple):
    """One figure. Without a limit it is only told; a limit of ``least`` is the other way round."""

    what: str
    value: float | None
    unit: str = ""
    most: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self.most is not None:
            return "ok" if self.value <= self.most else "OVER"
        if self.least is not None:
            return "ok" if self.value >= self.least else "UNDER"
        return ""

    @property
    def limit(self) -> str:
        if self.most is not None:
            return f"<= {self.most:g}{self._unit}"
        return f">= {self.least:g}{self._unit}" if self.least is not None else ""

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def line(self) -> str:
        measured = "-" if self.value is None else f"{number(self.value)}{self._unit}"
        cells = (self.what, measured, self.limit)
        text = "".join(f"{cell:{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + self.verdict
        return text.rstrip() + (f"\n    {self.note}" if self.note else "")


def number(value: float) -> str:
    """Three digits that count, no exponents."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def header(title: str) -> str:
    titles = (title, "measured", "limit")
    text = "".join(f"{cell:{width}}" for cell, width in zip(titles, WIDTHS, strict=True)) + "verdict"
    return f"\n{text}\n{'-' * len(text)}"


def show(title: str, rows: Iterable[Row]) -> list[Row]:
    """Print each row as soon as it is known; all of them."""
    print(header(title), flush=True)
    shown = []
    for row in rows:
        print(row.line(), flush=True)
        shown.append(row)
    return shown
