"""All keys on one page, from the bindings themselves."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from tfotop.views.tui.handshake_columns import cut
from tfotop.views.tui.keys import Group, Row

KEYS: Final = 9
MOST: Final = 90
LEAST: Final = 36  # columns of a line
FRAME: Final = Size(4, 2)  # border and padding


class HelpScreen(ModalScreen[None]):
    """Any of its keys goes back."""

    BINDINGS = [Binding("escape,question_mark,f1,enter,space", "dismiss", "close", key_display="Esc")]

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__()
        self._groups = groups

    def compose(self) -> ComposeResult:
        """As many columns as fit."""
        with VerticalScroll(id="help"):
            yield Static("", markup=False)

    def on_resize(self, event: Resize) -> None:
        """Also before it is shown for the first time."""
        width, height = min(MOST, event.size.width - FRAME.width), event.size.height - FRAME.height
        lines = page(self._groups, width)
        if len(lines) > height:
            lines = page(self._groups, width - self.query_one(VerticalScroll).styles.scrollbar_size_vertical)
        self.query_one(Static).update("\n".join(lines))


def page(groups: Sequence[Group], width: int) -> list[str]:
    """The keys in two columns where there is room, else one below the other."""
    lines = [line for group in groups for line in (f"{group.title.upper()}", *map(_line, group.rows))]
    count = 2 if width >= 2 * LEAST else 1
    column, height = width // count, -(-len(lines) // count)
    rows = ["".join(_pad(line, column) for line in lines[i::height]).rstrip() for i in range(height)]
    return [_pad("tfotop: keys", width - 10) + "Esc closes", "", *rows]


def _line(row: Row) -> str:
    return f"{_pad(row.keys, KEYS)} {row.what}"


def _pad(text: str, width: int) -> str:
    text = cut(text, max(0, width - 1))
    return text + " " * (width - cell_len(text))
