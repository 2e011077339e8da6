"""The peers table: it formats the rows that are visible, however many peers there are."""

from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tfotop.model.state import Model, PeerState
from tfotop.views.format import problem
from tfotop.views.tui.columns import Column, fitting, line, titles

TITLE_LINES = 2


class PeersTable(ScrollView, can_focus=True):
    """Newest first. Two lines of titles stay at the top."""

    BINDINGS = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]
    COMPONENT_CLASSES = {"peers--title", "peers--row", "peers--cursor", "peers--empty"}

    def __init__(self) -> None:
        super().__init__(id="peers")
        self._rows: list[PeerState] = []
        self._now_ns = 0
        self._empty = ""
        self._cursor: object = None

    def show(self, model: Model) -> None:
        """Take the newest model; the cursor stays on its peer."""
        self._rows = list(model.peers.values())[::-1]
        self._now_ns, self._empty = model.mono_ns, _why_empty(model)
        self.virtual_size = Size(0, len(self._rows) + TITLE_LINES)  # columns fit themselves to any width
        self.refresh()

    @property
    def selected(self) -> PeerState | None:
        """The peer under the cursor, or the newest while there is no cursor."""
        index = max(0, self._index())
        return self._rows[index] if index < len(self._rows) else None

    def _index(self) -> int:
        """Where the cursor's peer is now; just above the first row while there is no cursor."""
        return next((i for i, row in enumerate(self._rows) if _key(row) == self._cursor), -1)

    def action_move(self, step: int) -> None:
        """Move the cursor and keep it in sight."""
        if not self._rows:
            return
        index = min(max(0, self._index() + step), len(self._rows) - 1)
        self._cursor = _key(self._rows[index])
        visible = max(1, self.size.height - TITLE_LINES)
        top = round(self.scroll_offset.y)
        if index < top or index >= top + visible:
            self.scroll_to(y=index if index < top else index - visible + 1, animate=False)
        self.refresh()

    def action_page(self, direction: int) -> None:
        """A screenful up or down."""
        self.action_move(direction * max(1, self.size.height - TITLE_LINES))

    def render_line(self, y: int) -> Strip:
        """One line of the widget: titles, then the rows from the scroll offset on."""
        columns = fitting(self.scrollable_content_region.width)
        if y < TITLE_LINES:
            return self._strip(titles(columns)[y], "peers--title")
        index = y - TITLE_LINES + round(self.scroll_offset.y)
        if index < len(self._rows):
            return self._row(columns, self._rows[index])
        if not self._rows and y == TITLE_LINES:
            return self._strip(self._empty, "peers--empty")
        return self._strip("", "peers--row")

    def _row(self, columns: tuple[Column, ...], state: PeerState) -> Strip:
        style = "peers--cursor" if _key(state) == self._cursor else "peers--row"
        return self._strip(line(columns, [c.cell(state, self._now_ns) for c in columns]), style)

    def _strip(self, text: str, component: str) -> Strip:
        width = self.scrollable_content_region.width
        style = self.get_component_rich_style(component)
        rest = text.lstrip()
        blank = self.get_component_rich_style("peers--row")  # pictures lose underlined blanks at the left
        segments = [Segment(" " * (len(text) - len(rest)), blank), Segment(rest, style)]
        return Strip(segments).adjust_cell_length(width, style)


def _why_empty(model: Model) -> str:
    missing = next((p for p in model.problems if p.source == "sensor"), None)
    if model.attached or missing is None:
        return "no handshake yet" if model.attached else "peers need eBPF"
    return f"peers need eBPF; {problem(missing)}"


def _key(state: PeerState) -> object:
    peer = state.reading
    return peer.netns_cookie, peer.role, peer.address, peer.port
