"""The live screen. It is given models and shows the newest; it reads no source and knows no clock."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.events import Resize
from textual.geometry import Size
from textual.reactive import reactive
from textual.widgets import Static

from tfotop.model.selection import Selection
from tfotop.model.state import Model, PeerState
from tfotop.views.tui import panels
from tfotop.views.tui.messages import ModelReady
from tfotop.views.tui.pages import PAGES, peer_ladder
from tfotop.views.tui.widgets.lines import LinesView
from tfotop.views.tui.widgets.peers import PeersTable

KEYS = ("q quit", "space pause", "enter ladder", "1-5 views")
LOW = 16  # lines, below which the counters leave their place to the peers


class TfotopApp(App[None]):
    """Header, what is wrong, rates, peers, counters, cost."""

    TITLE = "tfotop"
    CSS_PATH = "tfotop.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [
        Binding("q,ctrl+c", "quit", "quit", priority=True),
        Binding("space", "pause", "pause"),
        Binding("1,escape", "page('')", "peers"),
        Binding("2", "page('listeners')", "listeners"),
        Binding("3", "page('handshakes')", "handshakes"),
        Binding("4", "page('counters')", "counters"),
        Binding("5", "page('latency')", "latency"),
        Binding("enter", "ladder", "ladder"),
    ]

    newest: reactive[Model | None] = reactive(None, init=False)
    paused: reactive[bool] = reactive(False, init=False)

    def __init__(self, host: str, kernel: str, interval_s: float, selection: Selection | None = None) -> None:
        super().__init__()
        self._host, self._kernel, self._interval_s = host, kernel, interval_s
        self._selection = selection or Selection()
        self._ending = False
        self._page = ""  # of PAGES; empty: the peers
        self._climbed: PeerState | None = None  # whose ladder is shown

    def compose(self) -> ComposeResult:
        """The whole screen."""
        yield Static(panels.header(None, self._host, self._kernel, 0, False, 0), id="header", markup=False)
        yield Static("", id="trouble", markup=False)
        yield Static("", id="headline", markup=False)
        yield PeersTable()
        yield LinesView()
        yield Static("", id="counters", markup=False)
        yield Static("  ".join(KEYS), id="footer", markup=False)

    def on_mount(self) -> None:
        """End like a program of the terminal: the signals restore it too."""
        self.query_one(PeersTable).focus()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)

    def exit(self, *arguments: Any, **named: Any) -> None:
        """End. The feed may still deliver meanwhile."""
        self._ending = True
        super().exit(*arguments, **named)

    def on_model_ready(self, message: ModelReady) -> None:
        """Take it; not while paused, nor when the widgets are going."""
        if not self.paused and not self._ending:
            self.newest = self._selection.apply(message.model)

    def watch_newest(self, model: Model | None) -> None:
        """Show it, in one repaint."""
        if model is not None:
            self._show(model, self.size)

    def watch_paused(self) -> None:
        """Only the header says so; what is on the screen stays."""
        self._show_header(self.newest, self.size.width)

    def action_pause(self) -> None:
        """Freeze the view; collecting goes on."""
        self.paused = not self.paused

    def action_page(self, name: str) -> None:
        """Show another view; an empty name is the peers."""
        self._page, self._climbed = name, None
        self._turn()

    def action_ladder(self) -> None:
        """The last handshake of the peer under the cursor, as it goes on."""
        if not self._page:
            self._climbed = self.query_one(PeersTable).selected
            self._turn()

    def _turn(self) -> None:
        """Show the table or the lines, and give it the keys."""
        lines, table = self.query_one(LinesView), self.query_one(PeersTable)
        away = bool(self._page or self._climbed)
        lines.display, table.display = away, not away
        (lines if away else table).focus()
        lines.scroll_home(animate=False)
        if self.newest is not None:
            self._show_lines(self.newest, self.size)

    def _show_lines(self, model: Model, size: Size) -> None:
        lines = self.query_one(LinesView)
        if self._climbed:
            lines.show(peer_ladder(model, self._climbed, size.width - 1))
        elif self._page:
            lines.show(PAGES[self._page].lines(model, size.width - 1, max(1, lines.size.height or size.height - 12)))

    def on_resize(self, event: Resize) -> None:
        """What was laid out for another width is laid out anew."""
        if self.newest is not None:
            self._show(self.newest, event.size)

    def _show_header(self, model: Model | None, width: int) -> None:
        text = panels.header(model, self._host, self._kernel, self._interval_s, self.paused, width)
        self.query_one("#header", Static).update(text)

    def _show(self, model: Model, size: Size) -> None:
        with self.batch_update():
            self._show_header(model, size.width)
            trouble = self.query_one("#trouble", Static)
            trouble.update(panels.trouble(model))
            trouble.display = bool(panels.trouble(model))
            self.query_one("#headline", Static).update(panels.headline(model, size.width))
            counters = self.query_one("#counters", Static)
            counters.update(panels.counters(model, size.width))
            counters.display = size.height >= LOW
            self.query_one("#footer", Static).update(panels.flow([*KEYS, *panels.cost(model)], size.width))
            self.query_one(PeersTable).show(model)
            self._show_lines(model, size)


Feeder = Callable[[Callable[[Model], object]], Callable[[], None]]


def run(app: TfotopApp, feed: Feeder) -> int:
    """Run the screen on what ``feed`` delivers; ``feed`` takes where to deliver and returns how to stop."""
    stop = feed(lambda model: app.post_message(ModelReady(model)))
    try:
        app.run()
    finally:
        stop()
    return app.return_code or 0
