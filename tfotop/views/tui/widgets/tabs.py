"""One line that names the views, their keys, and which one is shown."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual.events import Click
from textual.widgets import Static


class Tab(NamedTuple):
    """A view's key, its name, and the app's action that shows it."""

    key: str
    name: str
    action: str


class Tabs(Static):
    """The views side by side; a click shows one."""

    def __init__(self) -> None:
        super().__init__("", id="tabs", markup=False)
        self._places: list[tuple[int, Tab]] = []  # where each ends
        self._text = Text()

    def show(self, tabs: Sequence[Tab], current: str, width: int, note: str = "") -> None:
        """Take the views and the action of the one that is shown; ``note`` stands behind them where it fits."""
        text, self._places = Text(no_wrap=True), []
        short = sum(len(tab.key) + len(tab.name) + 3 for tab in tabs) + len(note) > width
        for tab in tabs:
            name = tab.name if not short or tab.action == current else tab.name[:4]
            text.append(f" {tab.key} {name} ", "reverse" if tab.action == current else "")
            self._places.append((len(text), tab))
        if len(text) + len(note) <= width:
            text.append(note)
        if text != self._text:
            self._text = text
            self.update(text, layout=False)

    async def on_click(self, event: Click) -> None:
        """Show the view under the mouse."""
        for end, tab in self._places:
            if event.x < end:
                await self.app.run_action(tab.action)
                return
