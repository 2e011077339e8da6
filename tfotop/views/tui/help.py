"""All keys on one page, from the bindings themselves."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tfotop.views.tui.keys import Group


class HelpScreen(ModalScreen[None]):
    """Any of its keys goes back."""

    BINDINGS = [Binding("escape,question_mark,f1,enter,space", "dismiss", "close", key_display="Esc")]

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__()
        self._groups = groups

    def compose(self) -> ComposeResult:
        """As many columns as fit."""
        with VerticalScroll(id="help"):
            yield Static("\n".join(page(self._groups, self.app.size.width - 4)), markup=False)


def page(groups: Sequence[Group], width: int) -> list[str]:
    """The keys in two columns where there is room, else one below the other."""
    lines = [line for group in groups for line in (f"-- {group.title}", *_rows(group))]
    column = max(map(cell_len, lines), default=0) + 2
    count = max(1, width // column)
    height = -(-len(lines) // count)
    columns = [lines[i : i + height] for i in range(0, len(lines), height)] if lines else []
    rows = ("".join(_pad(part[i], column) for part in columns if i < len(part)) for i in range(height))
    return [f"tfotop: keys{'Esc closes':>{max(12, min(width, column * count) - 12)}}", "", *map(str.rstrip, rows)]


def _rows(group: Group) -> list[str]:
    return [f"{_pad(row.keys, 13)} {row.what}" for row in group.rows]


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
