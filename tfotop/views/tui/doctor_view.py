"""The findings of this moment, each with its evidence and what mends it: a pure function of a Model."""

import textwrap
from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis.findings import findings, gaps
from tfotop.model.state import Model
from tfotop.views.doctor_text import finding_lines, verdict

NOTHING_YET: Final = "no sample yet"
ABOUT: Final = "`tfotop doctor` judges a few seconds as a whole; here it is the last interval, and all since the start."


def lines(model: Model | None, width: int) -> list[str]:
    """The verdict, then a block for each finding, worst first."""
    if model is None:
        return [NOTHING_YET[:width]]
    whole = (part for line in _lines(model, width) for part in _wrapped(line, width))
    return [line[i : i + width] for line in whole for i in range(0, len(line) or 1, width)]


def _wrapped(line: str, width: int) -> list[str]:
    """A command that is too long here goes on in the next line, at a blank where it has one: Y copies it whole."""
    return textwrap.wrap(line, width, subsequent_indent=" " * min(14, width // 3), break_on_hyphens=False) or [""]


def _lines(model: Model, width: int) -> Iterator[str]:
    found, missing = findings(model), gaps(model)
    yield verdict(found, missing)
    for text in missing:
        yield f"cannot tell: {text}"
    for number, one in enumerate(found, 1):
        yield ""
        yield from finding_lines(one, number, width)
    yield ""
    yield ABOUT
