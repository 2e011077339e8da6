"""Find and order: the filter, the order and the groups of the screen, and the keys for them.

What is shown is made of the newest model in the thread of the keys while there are few peers, and beside it when there
are many: then the newest wish replaces one that waits, and the rows come when they are ready.
"""

import asyncio
from typing import Final

from textual.app import App
from textual.binding import Binding
from textual.widgets import Input

from tfotop.model.filter import Filter
from tfotop.model.groups import KINDS, Group
from tfotop.model.order import Order
from tfotop.model.selection import Selection
from tfotop.model.shown import Shown, Wanted, shown
from tfotop.model.state import Model
from tfotop.views.tui import columns
from tfotop.views.tui.widgets.filter_bar import FilterBar, status
from tfotop.views.tui.widgets.peers import PeersTable

FEW: Final = 2_000  # peers that are sorted within a few ms


class Finding(App[None]):
    """``wanted`` is what the user asks for, ``shown`` the newest answer; ``show_shown`` brings it to the screen."""

    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", priority=True),  # or the next key were lost
        Binding("s,greater_than_sign", "sort(1)", "sort by the next column", key_display="s >", show=False),
        Binding("less_than_sign", "sort(-1)", "sort by the column before", key_display="<", show=False),
        Binding("i", "invert", "invert the order", show=False),
        Binding("b", "group", "group by network, port, …", show=False),
    ]

    def __init__(self, selection: Selection | None = None) -> None:
        super().__init__()
        self.wanted = Wanted(selection or Selection())
        self.shown: Shown | None = None
        self._model: Model | None = None
        self._due = False
        self._busy = False

    def beside(self, made: Shown) -> None:
        """What else is made of it, for which the keys need not wait. In any thread, but one at a time."""

    def show_shown(self, made: Shown) -> None:
        """Bring it to the screen."""
        raise NotImplementedError

    def take(self, model: Model) -> None:
        """Show this model."""
        self._model = model
        self._make()

    def want(self, wanted: Wanted) -> None:
        """Show it differently; what can be said at once is."""
        self.wanted = wanted
        self.query_one(PeersTable).mark(wanted)
        self._make()

    def _make(self) -> None:
        model = self._model
        if model is None:
            self.show_status()
        elif len(model.peers) <= FEW and not self._busy:
            self._made(self._shown(model, self.wanted, self.shown))
        else:
            self._due = True
            if not self._busy:
                self._busy = True
                self.run_worker(self._work(), group="finding")

    async def _work(self) -> None:
        """Until the newest wish is met."""
        try:
            while self._due and self._model is not None:
                self._due = False
                self._made(await asyncio.to_thread(self._shown, self._model, self.wanted, self.shown))
        finally:
            self._busy = False

    def _shown(self, model: Model, wanted: Wanted, before: Shown | None) -> Shown:
        made = shown(model, wanted, before)
        self.beside(made)
        return made

    def _made(self, made: Shown) -> None:
        self.shown = made
        self.show_shown(made)
        self.show_status()

    def show_status(self) -> None:
        """What is asked for, and how many there are of how many; nothing where all is shown."""
        self.query_one(FilterBar).tell(status(self.wanted, self.shown, self.viewed))

    @property
    def viewed(self) -> str:
        """What the view in front shows: ``peers``, ``handshakes``, or neither."""
        return "peers"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The filter's key comes before those of the widgets, but not where one types, nor where a page is in front."""
        if action == "filter":
            return not isinstance(self.focused, Input) and not self.screen.is_modal
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Open the bar on the filter that there is."""
        self.query_one(FilterBar).open(self.wanted.filter.text)

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """A filter, good so far."""
        self.want(self.wanted._replace(filter=message.filter))

    async def action_close_filter(self, keep: bool) -> None:
        """The keys go back to the view at once: the next may be there already."""
        await self.query_one(FilterBar).close(keep)
        self.give_keys()
        self.show_status()

    def give_keys(self) -> None:
        """Give the keys to the view in front."""
        self.query_one(PeersTable).focus()

    def action_sort(self, step: int) -> None:
        """By the next column, in its natural order."""
        names = columns.orders(self._kind)
        now = names.index(self.wanted.order.column) if self.wanted.order.column in names else -step
        self.want(self.wanted._replace(order=Order(names[(now + step) % len(names)])))

    def action_invert(self) -> None:
        """The other way round."""
        order = self.wanted.order
        self.want(self.wanted._replace(order=order._replace(inverted=not order.inverted)))

    def on_peers_table_title_clicked(self, message: PeersTable.TitleClicked) -> None:
        """Sort by that column; a second click inverts."""
        if message.order == self.wanted.order.column:
            self.action_invert()
        else:
            self.want(self.wanted._replace(order=Order(message.order)))

    def action_group(self) -> None:
        """The next kind of groups; behind the last one single peers."""
        kinds = ("", *KINDS)
        kind = kinds[(kinds.index(self.wanted.kind) + 1) % len(kinds)]
        self.want(self.wanted._replace(kind=kind, opened=None))

    def open_group(self) -> bool:
        """The peers of the group under the cursor; False if it is none."""
        table = self.query_one(PeersTable)
        if not table.display or not isinstance(table.selected, Group):
            return False
        opened = table.selected.key
        table.choose(None)
        self.want(self.wanted._replace(opened=opened))
        return True

    def step_out(self) -> bool:
        """From a group to all groups; else without the filter. False if there is nothing to leave."""
        if self.wanted.opened:
            self.query_one(PeersTable).choose(self.wanted.opened)
            self.want(self.wanted._replace(opened=None))
        elif self.wanted.filter.tests:
            self.want(self.wanted._replace(filter=Filter()))
        else:
            return False
        return True

    @property
    def _kind(self) -> str:
        return "" if self.wanted.opened else self.wanted.kind
