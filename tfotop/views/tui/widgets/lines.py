"""A view of whole lines that scrolls: everything but the peers table."""

from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LinesView(ScrollView, can_focus=True):
    """Shows the lines that it was given last; where it is scrolled to stays."""

    BINDINGS = [
        Binding("k", "scroll_up", "up", show=False),
        Binding("j", "scroll_down", "down", show=False),
        Binding("g", "scroll_home", "first", show=False),
        Binding("G", "scroll_end", "last", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="lines")
        self._lines: list[str] = []

    def show(self, lines: list[str]) -> None:
        """Take new lines, made for this widget's width."""
        self._lines = lines
        self.virtual_size = Size(0, len(lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        index, width = y + round(self.scroll_offset.y), self.scrollable_content_region.width
        text = self._lines[index] if index < len(self._lines) else ""
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(width, self.rich_style).crop(0, width)
