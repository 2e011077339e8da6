"""A view of whole lines that scrolls below its titles: everything but the tables of peers and handshakes."""

import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.events import Click
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tfotop.views.tui.widgets.rows import FIRST, MOVES, painted

Detail = Callable[[int], str]


class Text(NamedTuple):
    """What a LinesView shows. ``lines`` may be made as they are asked for.

    The first ``titles`` lines stay at the top. ``choose``: the others are rows with a cursor. ``detail``: what stands
    at the bottom for the row (counted from 0) under the cursor.
    """

    lines: Sequence[str]
    titles: int = 0
    choose: bool = False
    detail: Detail | None = None


class LinesView(ScrollView, can_focus=True):
    """Shows the lines that it was given last; where it is scrolled to stays."""

    HELP = "in lists"
    BINDINGS = [*MOVES, FIRST]
    COMPONENT_CLASSES = {"lines--title", "lines--row", "lines--cursor", "lines--wrong", "lines--detail"}

    def __init__(self, id: str = "lines") -> None:  # noqa: A002  Textual's word
        super().__init__(id=id)
        self._text = Text(())
        self._cursor = 0
        self._detail: list[str] = []  # of the row under the cursor
        self._depth = 0  # so many lines of it are shown

    def show(self, text: Text) -> None:
        """Take new lines, made for this widget's width."""
        self._text = text
        self._tell()
        self.virtual_size = Size(0, len(text.lines) + self._depth)
        self.refresh()

    def start(self) -> None:
        """Go to the top, for another text."""
        self._cursor = 0
        self.scroll_home(animate=False)

    @property
    def width(self) -> int:
        """The columns that a line may have."""
        return self.scrollable_content_region.width

    def copied(self) -> str:
        """The line under the cursor; all of them where there is no cursor."""
        if not self._text.choose:
            return "\n".join(line.rstrip() for line in self._text.lines).strip("\n")
        index = self._text.titles + self._row()
        return self._text.lines[index].strip() if index < len(self._text.lines) else ""

    def action_move(self, step: int) -> None:
        """Move the cursor and keep it in sight, or scroll."""
        if not self._text.choose:
            self.scroll_to(y=round(self.scroll_offset.y) + step, animate=False)
            return
        self._to(self._row() + step)

    def action_page(self, direction: int) -> None:
        """A screenful up or down."""
        self.action_move(direction * max(1, self._height))

    def on_click(self, event: Click) -> None:
        """The row under the mouse is chosen."""
        if self._text.choose and self._text.titles <= event.y < self._text.titles + self._height:
            self._to(event.y - self._text.titles + round(self.scroll_offset.y))

    @property
    def _height(self) -> int:
        """The rows that are visible."""
        return self.size.height - self._text.titles - self._depth

    def _tell(self) -> None:
        """What there is to say of the row under the cursor, in a third of the lines at most."""
        text = self._text.detail(self._row()) if self._text.detail else ""
        self._detail = textwrap.wrap(text, max(1, self.width), break_on_hyphens=False)
        self._depth = min(len(self._detail), max(0, self.size.height // 3))

    def _row(self) -> int:
        return max(0, min(self._cursor, len(self._text.lines) - self._text.titles - 1))

    def _to(self, row: int) -> None:
        self._cursor = max(0, min(row, len(self._text.lines) - self._text.titles - 1))
        self._tell()
        top, height = round(self.scroll_offset.y), max(1, self._height)
        if self._cursor < top or self._cursor >= top + height:
            self.scroll_to(y=self._cursor if self._cursor < top else self._cursor - height + 1, animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        of = self._text
        if y >= self.size.height - self._depth:
            wrong = self._detail[0].startswith("! ")
            text = self._detail[y - self.size.height + self._depth]
            return self._strip(text, "lines--wrong" if wrong else "lines--detail")
        if y < of.titles:
            return self._strip(of.lines[y] if y < len(of.lines) else "", "lines--title")
        index = y + round(self.scroll_offset.y)
        line = of.lines[index] if index < len(of.lines) else ""
        if of.choose and index - of.titles == self._row():
            return self._strip(line, "lines--cursor" if self.has_focus else "lines--row")
        return self._strip(line, "lines--wrong" if line.startswith("! ") else "lines--row")

    def _strip(self, text: str, component: str) -> Strip:
        style, blank = map(self.get_component_rich_style, (component, "lines--row"))
        return painted(text, self.width, style, blank)
