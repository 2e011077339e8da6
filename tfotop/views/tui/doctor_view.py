"""The findings of this moment, each with its evidence and what mends it: a pure function of a Model."""

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
    return [line[i : i + width] for line in _lines(model, width) for i in range(0, len(line) or 1, width)]


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
