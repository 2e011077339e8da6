"""What the widgets made of lines have in common: the keys that move, and how a line is painted."""

from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.strip import Strip

MOVES: Final = (
    Binding("up,k", "move(-1)", "one row up", show=False),
    Binding("down,j", "move(1)", "one row down", show=False),
    Binding("pageup,ctrl+b", "page(-1)", "a screenful up", show=False),
    Binding("pagedown,ctrl+f", "page(1)", "a screenful down", show=False),
    Binding("end,G", "move(1000000)", "the last row", show=False),
)
FIRST: Final = Binding("home,g", "move(-1000000)", "the first row", show=False)


def painted(text: str, width: int, style: Style, blank: Style) -> Strip:
    """A line in its style, as wide as the widget; ``blank`` is of blanks at the left: pictures lose them underlined."""
    rest = text.lstrip()
    segments = [Segment(" " * (len(text) - len(rest)), blank), Segment(rest, style)]
    return Strip(segments, cell_len(text)).adjust_cell_length(width, style).crop(0, width)
