"""The views that are lines, each by its name: pure functions of a Model. The tables are widgets of their own."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from tfotop.model.state import Model
from tfotop.views.tui import counters_view, doctor_view, listeners_view
from tfotop.views.tui.widgets.lines import Text

Lines = Callable[[Model, int, int], Sequence[str]]


class Page(NamedTuple):
    """A view's name, and its lines for a width and a height.

    The first ``titles`` lines stay at the top. ``choose``: the others are rows with a cursor. ``detail``: what stands
    at the bottom for the row (from 0) of these lines that is under the cursor.
    """

    name: str
    lines: Lines
    titles: int = 0
    choose: bool = False
    detail: Callable[[Model, Sequence[str], int], str] | None = None

    def text(self, model: Model, width: int, height: int) -> Text:
        """What a LinesView shows of it."""
        lines = self.lines(model, width, height)
        if self.detail is None or len(lines) <= self.titles:
            return Text(lines, self.titles, self.choose)
        return Text(lines, self.titles, self.choose, partial(self.detail, model, lines))


PAGES: Final[Mapping[str, Page]] = {
    "listeners": Page(
        "Listeners",
        lambda model, width, _height: listeners_view.lines(model, width),
        listeners_view.TITLE_LINES,
        choose=True,
        detail=listeners_view.detail,
    ),
    "counters": Page(
        "Counters",
        lambda model, width, _height: counters_view.lines(model, width),
        titles=1,
        choose=True,
        detail=counters_view.detail,
    ),
    "doctor": Page("Doctor", lambda model, width, _height: doctor_view.lines(model, width)),
}
# Every view by its name, in the order of their tabs. The peers, handshakes and latencies are no mere lines.
NAMES: Final[Mapping[str, str]] = {
    "": "Peers",
    "listeners": "Listeners",
    "handshakes": "Handshakes",
    "counters": "Counters",
    "latency": "Latency",
    **{page: PAGES[page].name for page in PAGES},
}
