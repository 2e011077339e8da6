"""The live feed of handshakes, newest first: it formats the rows that are visible."""

from textual.binding import Binding
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tfotop.model.shown import Shown
from tfotop.sample import Handshake
from tfotop.views.tui import handshake_columns as columns
from tfotop.views.tui.messages import CursorMoved
from tfotop.views.tui.widgets.rows import MOVES, painted

TITLE_LINES = 2
WRONG = ("rejected", "lost", "cookie_refused", "unanswered", "reset")


class HandshakesTable(ScrollView, can_focus=True):
    """The cursor stays at the newest until it is moved, then on its handshake while newer ones come above it."""

    HELP = "in lists"
    BINDINGS = [*MOVES, Binding("home,g", "newest", "the first row", show=False)]
    COMPONENT_CLASSES = {
        "handshakes--title",
        "handshakes--row",
        "handshakes--wrong",
        "handshakes--cursor",
    }

    class Chosen(Message):
        """A handshake was clicked while the cursor was on it."""

    def __init__(self) -> None:
        super().__init__(id="handshakes")
        self._rows: tuple[Handshake, ...] = ()  # oldest first, as in the model
        self._empty = ""
        self._cursor: Handshake | None = None
        self._place = 0  # of the cursor, from the top

    def show(self, shown: Shown) -> None:
        """Take the newest handshakes; what is under the cursor stays where it is on the screen."""
        before = self._place
        self._rows, self._empty = shown.handshakes, why_empty(shown)
        self._place = self._index()
        self.virtual_size = Size(0, len(self._rows) + TITLE_LINES)
        if self._place != before:
            self.scroll_to(y=round(self.scroll_offset.y) + self._place - before, animate=False)
        self.refresh()

    @property
    def selected(self) -> Handshake | None:
        """The handshake under the cursor."""
        return self._at(self._place)

    def copied(self) -> str:
        """The row under the cursor."""
        selected = self.selected
        return columns.row(columns.fitting(self._width), selected).strip() if selected else ""

    def _at(self, index: int) -> Handshake | None:
        return self._rows[-1 - index] if 0 <= index < len(self._rows) else None

    def _index(self) -> int:
        """Where the cursor's handshake is now; the oldest when it is kept no longer."""
        if self._cursor is None:
            return 0
        newest_first = enumerate(reversed(self._rows))
        return next((i for i, h in newest_first if h is self._cursor or h == self._cursor), max(0, len(self._rows) - 1))

    def action_newest(self) -> None:
        """To the top, where new ones come in."""
        self._cursor, self._place = None, 0
        self.scroll_to(y=0, animate=False)
        self.post_message(CursorMoved())
        self.refresh()

    def action_move(self, step: int) -> None:
        """Move the cursor and keep it in sight."""
        if not self._rows:
            return
        index = min(max(0, self._place + step), len(self._rows) - 1)
        self._cursor, self._place = self._at(index), index
        visible, top = max(1, self.size.height - TITLE_LINES), round(self.scroll_offset.y)
        if index < top or index >= top + visible:
            self.scroll_to(y=index if index < top else index - visible + 1, animate=False)
        self.post_message(CursorMoved())
        self.refresh()

    def action_page(self, direction: int) -> None:
        """A screenful up or down."""
        self.action_move(direction * max(1, self.size.height - TITLE_LINES))

    def on_click(self, event: Click) -> None:
        """The row under the mouse is chosen; a second click opens it."""
        index = event.y - TITLE_LINES + round(self.scroll_offset.y)
        if event.y < TITLE_LINES or self._at(index) is None:
            return
        if index == self._place:
            self.post_message(self.Chosen())
        self._cursor, self._place = self._at(index), index
        self.post_message(CursorMoved())
        self.refresh()

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def render_line(self, y: int) -> Strip:
        """One line of the widget: titles, then the rows from the scroll offset on."""
        shown = columns.fitting(self._width)
        if y < TITLE_LINES:
            return self._strip(columns.titles(shown)[y], "handshakes--title")
        index = y - TITLE_LINES + round(self.scroll_offset.y)
        handshake = self._at(index)
        if handshake is not None:
            return self._strip(columns.row(shown, handshake), self._style(handshake, index))
        return self._strip(self._empty if not self._rows and y == TITLE_LINES else "", "handshakes--row")

    def _style(self, handshake: Handshake, index: int) -> str:
        if index == self._place and self.has_focus:
            return "handshakes--cursor"
        return "handshakes--wrong" if handshake.outcome in WRONG else "handshakes--row"

    def _strip(self, text: str, component: str) -> Strip:
        style, blank = map(self.get_component_rich_style, (component, "handshakes--row"))
        return painted(text, self._width, style, blank)


def why_empty(shown: Shown) -> str:
    """What stands in the place of the first handshake."""
    model = shown.model
    if shown.whole.handshakes:
        return f"none of {len(shown.whole.handshakes)} handshakes passes"
    return "no handshake yet" if model.attached else "handshakes need eBPF"
