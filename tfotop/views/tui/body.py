"""The middle of the screen: the chosen view, or a ladder in its place, and beside it what there is room for."""

from typing import Final, NamedTuple

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from tfotop.model.groups import Group
from tfotop.model.shown import Shown
from tfotop.model.state import Model, PeerState
from tfotop.sample import Handshake
from tfotop.views.tui import ladder_page, latency_view
from tfotop.views.tui.layout import Layout, layout
from tfotop.views.tui.messages import CursorMoved
from tfotop.views.tui.pages import PAGES
from tfotop.views.tui.peer_history import key_of, peer_of
from tfotop.views.tui.spread import Spread
from tfotop.views.tui.trail import Remembered, Trail
from tfotop.views.tui.widgets.handshakes import HandshakesTable
from tfotop.views.tui.widgets.lines import LinesView, Text
from tfotop.views.tui.widgets.peers import PeersTable

PEERS: Final = ""
HANDSHAKES: Final = "handshakes"
COUNTERS: Final = "counters"
LATENCY: Final = "latency"


class Target(NamedTuple):
    """Whose ladder is shown: that of one handshake, or of the last one of a peer, whichever that is now."""

    peer: PeerState | None
    handshake: Handshake | None = None


class Body(Horizontal):
    """Shows the newest model that it was given. ``page`` names the view; empty: the peers."""

    def __init__(self, remembered: Remembered | None = None) -> None:
        super().__init__(id="body")
        self.page = PEERS
        self.target: Target | None = None
        self._trail = Trail(self, remembered, self.show_lines)
        self._shown: Shown | None = None
        self._layout: Layout = layout(80, 24)
        self._of_one: PeerState | None = None  # the latency is that of one peer
        self._spread = Spread(self, self.show_lines)

    def compose(self) -> ComposeResult:
        """The tables and the lines of the main view, and two more beside it."""
        with Vertical(id="main"):
            yield PeersTable()
            yield HandshakesTable()
            yield LinesView()
        with Vertical(id="side"):
            yield LinesView("side-top")
            yield LinesView("side-bottom")

    def on_mount(self) -> None:
        """The peers have the keys first."""
        self.turn(PEERS)

    @property
    def _model(self) -> Model | None:
        return self._shown.model if self._shown else None

    def show(self, shown: Shown, plan: Layout) -> None:
        """Take the newest model and what is wanted of it, and the layout of the whole screen."""
        self._shown, changed, self._layout = shown, plan != self._layout, plan
        if changed:
            self._arrange()
        self.query_one(PeersTable).show(shown)
        if self.query_one(HandshakesTable).display:
            self.query_one(HandshakesTable).show(shown)
        self.show_lines()

    def on_resize(self, _event: Resize) -> None:
        """What was laid out for another size is laid out anew."""
        self.show_lines()

    def on_cursor_moved(self, _message: CursorMoved) -> None:
        """What stands beside the view is about the row under its cursor."""
        self._show_side()

    def turn(self, page: str) -> None:
        """Show another view and give it the keys."""
        self.page, self.target = page, None
        self._of_one = None
        self._arrange()

    def climb(self) -> None:
        """The ladder of what is under the cursor; in the view of latencies: those of one peer, or of all again."""
        if self.at_home:
            peer = self._chosen()
            self.target = Target(peer) if peer else None
        elif self.target is None and self.page == HANDSHAKES:
            handshake = self.query_one(HandshakesTable).selected
            self.target = Target(self._peer_of(handshake), handshake) if handshake else None
        elif self.target is None and self.page == LATENCY:
            self._of_one = None if self._of_one else self._chosen()
        self._arrange()

    def back(self) -> None:
        """From a ladder to the view below it, from any other view to the peers."""
        if self.target is None:
            self.turn(PEERS)
        else:
            self.target = None
            self._arrange()

    @property
    def title(self) -> str:
        """What is shown instead of the view that the tabs name."""
        if self.target is not None:
            return "> ladder"
        return "> one peer" if self.page == LATENCY and self._of_one else ""

    @property
    def viewed(self) -> str:
        """``peers`` or ``handshakes`` where these are in front, else the name of another view."""
        return "ladder" if self.target is not None else self.page or "peers"

    @property
    def at_home(self) -> bool:
        """Whether the peers are in front."""
        return self.target is None and self.page == PEERS

    def give_keys(self) -> None:
        """To the view in front."""
        self.screen.set_focus(self._in_front())  # at once: the next key is for it

    def copied(self) -> str:
        """The line under the cursor, or all lines of a view without one."""
        return self._in_front().copied()

    def _in_front(self) -> PeersTable | HandshakesTable | LinesView:
        """The widget that has the keys."""
        if self.target is None and self.page == PEERS:
            return self.query_one(PeersTable)
        if self.target is None and self.page == HANDSHAKES:
            return self.query_one(HandshakesTable)
        return self.query_one("#lines", LinesView)

    def _arrange(self) -> None:
        """Who is shown, and how large."""
        front, peers, feed = self._in_front(), self.query_one(PeersTable), self.query_one(HandshakesTable)
        lines, side = self.query_one("#lines", LinesView), self.query_one("#side")
        below = front is peers and self._layout.feed > 0
        peers.display, lines.display = front is peers, front is lines
        feed.display = front is feed or below
        feed.styles.height = self._layout.feed if below else "1fr"
        side.display, side.styles.width = self._layout.side > 0, self._layout.side
        if front is lines:
            lines.start()
        self.give_keys()
        if self._shown is not None:
            feed.show(self._shown)
            self.show_lines()

    def show_lines(self) -> None:
        """Everything here that is lines."""
        if self._model is None:
            return
        width = self.app.size.width - (self._layout.side + 1 if self._layout.side else 0) - 1
        if self._in_front().id == "lines":
            self.query_one("#lines", LinesView).show(self._text(self._model, width, self.size.height))
        self._show_side()

    def _show_side(self) -> None:
        model, width = self._model, self._layout.side - 1
        if model is None or width <= 0:
            return
        top, bottom = self.query_one("#side-top", LinesView), self.query_one("#side-bottom", LinesView)
        first = self._counters(model, width) if self.target else self._beside(model, width)
        top.show(first)
        bottom.show(
            self._counters(model, width)
            if self.page == LATENCY and not self.target
            else self._latency(model, width, bottom.size.height or self.size.height // 2)
        )

    def _beside(self, model: Model, width: int) -> Text:
        """The ladder of what is under the cursor of a table."""
        if self.page == HANDSHAKES:
            handshake = self.query_one(HandshakesTable).selected
            return Text(ladder_page.picture(handshake, None, width) if handshake else [], titles=1)
        peer = self._chosen()
        return Text(ladder_page.picture(ladder_page.last_handshake(model, peer), peer, width) if peer else [], titles=1)

    def _text(self, model: Model, width: int, height: int) -> Text:
        if self.target is not None:
            peer = self._newest(model, self.target.peer)
            trail = self._trail.of(model, peer) if peer else []
            return Text(ladder_page.lines(model, self.target.handshake, peer, width, trail), titles=1)
        if self.page == LATENCY:
            return self._latency(model, width, height)
        return PAGES[self.page].text(model, width, height)

    def _counters(self, model: Model, width: int) -> Text:
        return PAGES[COUNTERS].text(model, width, 0)._replace(choose=False, detail=None)

    def _latency(self, model: Model, width: int, height: int) -> Text:
        one = self._newest(model, self.target.peer if self.target else self._of_one)
        if one is not None:
            return Text(latency_view.lines(model, width, height, one), titles=1)
        shown = self._spread.of(model)
        why_not = latency_view.why_none(model) if shown is not None else latency_view.ADDING_UP
        return Text(latency_view.picture(shown or [], why_not, width, height), titles=1)

    def _chosen(self) -> PeerState | None:
        """The peer under the cursor of the peers; a group has no ladder."""
        selected = self.query_one(PeersTable).selected
        return None if isinstance(selected, Group) else selected

    def _peer_of(self, handshake: Handshake) -> PeerState | None:
        key = key_of(self._model, handshake) if self._model else None
        return self._model.peers[key] if self._model and key is not None else None

    def _newest(self, model: Model, peer: PeerState | None) -> PeerState | None:
        return model.peers.get(peer_of(peer), peer) if peer else None
