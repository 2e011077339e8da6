"""The peers table: it formats the rows that are visible, however many peers there are."""

from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tfotop.model.fold import peer_key
from tfotop.model.groups import Group
from tfotop.model.order import Order
from tfotop.model.shown import Shown, Wanted
from tfotop.model.state import PeerState
from tfotop.views.format import problem
from tfotop.views.tui.columns import Column, at, fitting, line, titles
from tfotop.views.tui.messages import CursorMoved
from tfotop.views.tui.widgets.rows import FIRST, MOVES, painted

TITLE_LINES = 2
WRONG = ("rejected", "refused", "lost")
UNANSWERED = ("reset", "unanswered")


class PeersTable(ScrollView, can_focus=True):
    """Peers or groups of peers, in the order that was asked for. Two lines of titles stay at the top."""

    HELP = "in lists"
    BINDINGS = [*MOVES, FIRST]
    COMPONENT_CLASSES = {"peers--title", "peers--row", "peers--wrong", "peers--cursor", "peers--empty"}

    class Chosen(Message):
        """The row of the cursor was clicked."""

    class TitleClicked(Message):
        """The title of a column was clicked; ``order`` is its name in model/order.py."""

        def __init__(self, order: str) -> None:
            super().__init__()
            self.order = order

    def __init__(self) -> None:
        super().__init__(id="peers")
        self._rows: list[PeerState] = []
        self._kind = ""
        self._order = Order()
        self._now_ns = 0
        self._empty = ""
        self._cursor: object = None
        self._place = -1  # of the cursor; above the first row while there is none

    def show(self, shown: Shown) -> None:
        """Take the newest rows; the cursor stays on its peer, and that where it is on the screen."""
        before, self._rows = self._place, shown.rows
        self._kind = "" if shown.wanted.opened else shown.wanted.kind
        self._now_ns, self._empty = shown.model.mono_ns, _why_empty(shown)
        self._place = self._index()
        self.virtual_size = Size(0, len(self._rows) + TITLE_LINES)  # columns fit themselves to any width
        if self._place != before and self._in_sight(before):
            self.scroll_to(y=round(self.scroll_offset.y) + self._place - before, animate=False, immediate=True)
        self.refresh()

    def mark(self, wanted: Wanted) -> None:
        """Say the order in the titles, also while the rows are not yet in it."""
        self._order = wanted.order
        self.refresh()

    def choose(self, key: object) -> None:
        """Put the cursor on a row that is yet to come, by the key of its group; on none if that is None."""
        self._cursor = key

    @property
    def selected(self) -> PeerState | None:
        """The row under the cursor, or the first while there is no cursor."""
        index = max(0, self._place)
        return self._rows[index] if index < len(self._rows) else None

    def copied(self) -> str:
        """The line under the cursor."""
        columns = fitting(self._width, self._kind)
        return line(columns, self._cells(columns, self.selected)).strip() if self.selected else ""

    def _index(self) -> int:
        """Where the cursor's peer is now: mostly where it was. One that is gone leaves its place to the next."""
        if self._cursor is None:
            return -1
        if 0 <= self._place < len(self._rows) and _key(self._rows[self._place]) == self._cursor:
            return self._place
        last = min(self._place, len(self._rows) - 1) if self._rows else self._place
        return next((i for i, row in enumerate(self._rows) if _key(row) == self._cursor), last)

    @property
    def _visible(self) -> int:
        return max(1, self.size.height - TITLE_LINES)

    def _in_sight(self, index: int) -> bool:
        return 0 <= index - round(self.scroll_offset.y) < self._visible

    def action_move(self, step: int) -> None:
        """Move the cursor and keep it in sight."""
        if self._rows:
            self._go(min(max(0, self._place + step), len(self._rows) - 1))

    def action_page(self, direction: int) -> None:
        """A screenful up or down."""
        self.action_move(direction * self._visible)

    def _go(self, index: int) -> None:
        self._place, self._cursor = index, _key(self._rows[index])
        if not self._in_sight(index):
            up = index < round(self.scroll_offset.y)
            self.scroll_to(y=index if up else index - self._visible + 1, animate=False)
        self.post_message(CursorMoved())
        self.refresh()

    def on_click(self, event: Click) -> None:
        """A title sorts; a row is chosen, and opened by a second click."""
        index = event.y - TITLE_LINES + round(self.scroll_offset.y)
        if event.y < TITLE_LINES:
            column = at(fitting(self._width, self._kind), event.x)
            if column is not None:
                self.post_message(self.TitleClicked(column.order))
        elif index < len(self._rows):
            if index == self._place:
                self.post_message(self.Chosen())
            self._go(index)

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def render_line(self, y: int) -> Strip:
        """One line of the widget: titles, then the rows from the scroll offset on."""
        columns = fitting(self._width, self._kind)
        if y < TITLE_LINES:
            return self._strip(titles(columns, self._order)[y], "peers--title")
        index = y - TITLE_LINES + round(self.scroll_offset.y)
        if index < len(self._rows):
            return self._row(columns, index)
        if not self._rows and y == TITLE_LINES:
            return self._strip(self._empty, "peers--empty")
        return self._strip("", "peers--row")

    def _row(self, columns: tuple[Column, ...], index: int) -> Strip:
        state = self._rows[index]
        wrong = state.cookie in WRONG or state.reading.last_outcome in UNANSWERED
        style = "peers--cursor" if index == self._place else "peers--wrong" if wrong else "peers--row"
        return self._strip(line(columns, self._cells(columns, self._rows[index])), style)

    def _cells(self, columns: tuple[Column, ...], state: PeerState | None) -> list[str]:
        return [column.cell(state, self._now_ns) for column in columns] if state else []

    def _strip(self, text: str, component: str) -> Strip:
        style, blank = map(self.get_component_rich_style, (component, "peers--row"))
        return painted(text, self._width, style, blank)


def _why_empty(shown: Shown) -> str:
    model = shown.model
    if shown.whole.peers:
        return f"none of {len(shown.whole.peers)} peers passes"
    missing = next((p for p in model.problems if p.source == "sensor"), None)
    if model.attached or missing is None:
        return "no handshake yet" if model.attached else "peers need eBPF"
    return f"peers need eBPF; {problem(missing)}"


def _key(state: PeerState) -> object:
    return state.key if isinstance(state, Group) else peer_key(state.reading)
