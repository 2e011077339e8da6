"""A probe from the screen: a line to type the target in, and below it what the probe says, line by line."""

import textwrap
from collections.abc import Callable
from typing import Final

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.events import Resize
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tfotop.model.groups import Group
from tfotop.model.state import Model, PeerState
from tfotop.views.format import printable
from tfotop.views.tui.widgets.lines import LinesView, Text

# Begins a probe of what was typed. Each line that it prints is told, from any thread, ``None`` at its end.
Prober = Callable[[str, Callable[[str | None], object]], Callable[[], None]]

EXAMPLE: Final = "HOST[:PORT] --http / --tls --send TEXT -c 10 -4 -6 --keep-cookie"
BEFORE: Final = (
    "Measures Fast Open to a server: first contact, then pairs without and with it.",
    "Nothing is sent before Enter, and then no more than it says at first.",
)
MOST_LINES: Final = 10_000


class Said(Message):
    """One line of the probe; ``None``: it has ended."""

    def __init__(self, line: str | None) -> None:
        super().__init__()
        self.line = line


class ProbeScreen(ModalScreen[None]):
    """Knows how to show a probe, not how to make one: that is ``prober``."""

    DEFAULT_CSS = """
    ProbeScreen { background: $background; }
    ProbeScreen Horizontal { height: 1; }
    ProbeScreen #what { width: 6; text-style: bold; }
    ProbeScreen Input, ProbeScreen Input:focus { border: none; height: 1; padding: 0; background: transparent; }
    ProbeScreen #state { height: 1; text-style: reverse; }
    """
    BINDINGS = [
        Binding("escape", "leave", "stop, then back", show=False),
        Binding("ctrl+c", "app.quit", "quit", show=False, priority=True),
        Binding("p", "again", "another target", show=False),
    ]

    def __init__(self, prober: Prober, target: str) -> None:
        super().__init__()
        self._prober, self._target = prober, target
        self._said: list[str] = list(BEFORE)
        self._stop: Callable[[], None] | None = None

    def compose(self) -> ComposeResult:
        """The line to type in, the lines of the probe, and which keys do what."""
        with Horizontal():
            yield Static("probe", id="what", markup=False)
            yield Input(self._target, placeholder=EXAMPLE, select_on_focus=False, id="target")
        yield LinesView()
        yield Static("", id="state", markup=False)

    def on_mount(self) -> None:
        """The target can be typed at once."""
        self.query_one(Input).focus()
        self._show()

    def on_unmount(self) -> None:
        """A probe does not outlive its screen."""
        self._end()

    def on_resize(self, _event: Resize) -> None:
        """Lines are wrapped anew."""
        self._show()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Begin, unless one is under way."""
        if self._stop is None and message.value.strip():
            self._said = []
            self._stop = self._prober(printable(message.value), lambda line: self.post_message(Said(line)))
            self.query_one(LinesView).focus()
            self._show()

    def on_said(self, message: Said) -> None:
        """A line, or the end."""
        if message.line is None:
            self._stop = None
        elif len(self._said) < MOST_LINES:
            self._said.append(printable(message.line))
        self._show()

    def action_leave(self) -> None:
        """Ask the probe to end, which then says what it has seen; without one go back."""
        if self._stop is None:
            self.dismiss()
        else:
            self._end()

    def action_again(self) -> None:
        """Type another target."""
        if self._stop is None:
            self.query_one(Input).focus()
            self._show()

    def _end(self) -> None:
        if self._stop is not None:
            self._stop()

    def _show(self) -> None:
        lines, width = self.query_one(LinesView), max(20, self.size.width - 1)
        shown = [part for line in self._said for part in wrapped(line, width)]
        lines.show(Text(shown))
        lines.scroll_end(animate=False)
        keys = "p again" if lines.has_focus else "Enter begin"
        self.query_one("#state", Static).update("running  Esc stop" if self._stop else f"{keys}  Esc back")


def wrapped(line: str, width: int) -> list[str]:
    """A line in as many as it needs, those that follow indented."""
    return textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False) or [""]


def target_of(selected: PeerState | Group | None, model: Model | None) -> str:
    """What to probe for the peer under the cursor, and from where: a client's peer is a server with a port."""
    if selected is None or isinstance(selected, Group):
        return ""
    peer = selected.reading
    host = f"[{peer.address}]" if ":" in peer.address else peer.address
    target = f"{host}:{peer.port}" if peer.role == "client" else host
    own = model.own.reading.inum if model and model.own else None
    return target if peer.netns in (None, own) else f"{target} --netns {peer.netns}"
