"""The filter bar: a line to type in while it is open, and a line that says what is filtered, sorted and grouped."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tfotop.model.facts import FIELDS, Names
from tfotop.model.filter import Filter, FilterError, parse
from tfotop.model.order import Order
from tfotop.model.selection import Selection
from tfotop.model.shown import Shown, Wanted, names_of
from tfotop.views.format import printable
from tfotop.views.tui.columns import COUNT, FALLING, PEER_COLUMNS, RISING, SOONER

EXAMPLE = "role:server port:443 outcome:rejected 10.2.0.0/16 comm:nginx rtt>20 -cookie:valid"


class FilterInput(Input):
    """What is pasted may hold anything: nothing of it reaches the terminal that a key could not have typed."""

    def validate_value(self, value: str) -> str:
        """Only what can be printed."""
        return printable(value)


class FilterBar(Vertical):
    """Each good filter is told as it is typed; of a bad one the error is shown, and the last good one stays."""

    DEFAULT_CSS = """
    FilterBar { height: auto; }
    FilterBar Horizontal { height: 1; display: none; }
    FilterBar #slash { width: 2; }
    FilterBar Input, FilterBar Input:focus { border: none; height: 1; padding: 0; background: transparent; }
    FilterBar #status { height: 1; display: none; text-wrap: nowrap; text-overflow: ellipsis; }
    FilterBar #status.error { text-style: bold; color: $error; }
    """
    HELP = "while a filter is typed"
    BINDINGS = [
        Binding("escape", "app.close_filter(False)", "without a filter", show=False, priority=True),
        Binding("enter,down", "app.close_filter(True)", "keep the filter", show=False, priority=True),
    ]

    class Changed(Message):
        """A filter that is good."""

        def __init__(self, filter: Filter) -> None:  # noqa: A002  the word for it
            super().__init__()
            self.filter = filter

        def can_replace(self, message: Message) -> bool:
            """Only the newest filter matters."""
            return isinstance(message, FilterBar.Changed)

    def __init__(self) -> None:
        super().__init__(id="filter-bar")
        self._told = ""
        self._error = ""

    def compose(self) -> ComposeResult:
        """The line to type in, and the line below it."""
        with Horizontal():
            yield Static("/", id="slash", markup=False)
            yield FilterInput(placeholder=EXAMPLE, select_on_focus=False, id="filter")
        yield Static("", id="status", markup=False)

    @property
    def is_open(self) -> bool:
        """Whether it takes the keys."""
        return bool(self.query_one(Horizontal).display)

    def open(self, text: str) -> None:
        """Take the keys, to change a filter."""
        self.query_one(Horizontal).display = True
        entry = self.query_one(Input)
        entry.value, entry.cursor_position = text, len(text)
        self.screen.set_focus(entry)  # at once: the next key is typed

    def tell(self, text: str) -> None:
        """Say what is shown; an error stays until it is mended."""
        self._told = text
        self._show_status()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Live while typing."""
        message.stop()
        if not self.is_open:
            return
        try:
            found, self._error = parse(finished(message.value)), ""
        except FilterError as error:
            self._error = printable(str(error))
        else:
            self.post_message(self.Changed(found))
        self._show_status()

    async def close(self, keep: bool) -> None:
        """Need the keys no longer; keep what is typed (if it is bad, the last good filter), or be without a filter."""
        await self._typed()
        with suppress(FilterError):
            self.post_message(self.Changed(parse(self.query_one(Input).value) if keep else Filter()))
        self.query_one(Horizontal).display = False
        self._error = ""

    async def _typed(self) -> None:
        """Wait for the keys that are on their way to the line: who asks has overtaken them."""
        arrived = asyncio.Event()
        if self.query_one(Input).call_later(arrived.set):
            await arrived.wait()

    def _show_status(self) -> None:
        line = self.query_one("#status", Static)
        line.update(f"! {self._error}" if self._error else self._told, layout=False)
        line.set_class(bool(self._error), "error")
        line.display = bool(self._error or self._told)


def finished(text: str) -> str:
    """What is typed, without the beginning of a field's name at its end: on the way to ``role:`` is no search."""
    head, _, word = text.rpartition(" ")
    name = word.lstrip("-!")
    return head if name and any(field.startswith(name) for field in FIELDS) else text


def status(wanted: Wanted, shown: Shown | None, viewed: str) -> str:
    """What is asked for and not what is shown by default, and how many there are of how many."""
    names = names_of(shown.model) if shown else {}
    parts = [*_options(wanted.selection, names), *_filter(wanted.filter)]
    if viewed == "peers":
        parts += [*_groups(wanted, shown), *_order(wanted.order)]
    counts = _counts(shown, viewed) if parts and shown is not None else []
    return "  ".join([*parts[:0], *counts, *parts])


def _filter(of: Filter) -> Iterator[str]:
    if of.tests:
        yield f"/{printable(of.text)}"


def _options(selection: Selection, names: Names) -> Iterator[str]:
    """As on the command line, a namespace by its name if it has one."""
    for name, value in selection._asdict().items():
        if value is not None:
            yield f"--{name} {printable(str(names.get(value, value) if name == 'netns' else value))}"


def _groups(wanted: Wanted, shown: Shown | None) -> Iterator[str]:
    if wanted.opened:
        yield f"{wanted.opened.kind} {printable(wanted.opened.name)} ({wanted.opened.role})"
    elif wanted.kind:
        yield f"by {wanted.kind}" + (f": {len(shown.rows)}" if shown and shown.wanted == wanted else "")


def _order(order: Order) -> Iterator[str]:
    """Only if it was chosen."""
    if order != Order():
        column = next(c for c in (COUNT, *PEER_COLUMNS) if c.order == order.column)
        title = f"sooner by {column.title}" if column.group is SOONER else column.title
        yield f"sorted by {title} {FALLING if order.falling else RISING}"


def _counts(shown: Shown, viewed: str) -> Iterator[str]:
    if viewed == "peers":
        yield f"{shown.passed} of {len(shown.whole.peers)} peers"
    elif viewed == "handshakes":
        yield f"{len(shown.handshakes)} of {len(shown.whole.handshakes)} handshakes"
