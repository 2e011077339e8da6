"""The live screen. It is given models and shows the newest; it reads no source and knows no clock."""

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.events import Resize
from textual.geometry import Size
from textual.widgets import Static

from tfotop.model.selection import Selection
from tfotop.model.shown import Shown
from tfotop.model.state import Model
from tfotop.views.tui import alerts, keys, pages, panels
from tfotop.views.tui.body import Body
from tfotop.views.tui.ending import end_on_signals
from tfotop.views.tui.habits import Habits
from tfotop.views.tui.layout import Layout, layout
from tfotop.views.tui.messages import ModelReady
from tfotop.views.tui.pace import Tidy, settle
from tfotop.views.tui.probe_screen import Prober, ProbeScreen, target_of
from tfotop.views.tui.travel import Past, Travel
from tfotop.views.tui.widgets.filter_bar import FilterBar
from tfotop.views.tui.widgets.peers import PeersTable
from tfotop.views.tui.widgets.tabs import Tabs


class TfotopApp(Habits, Travel):
    """Header, what is wrong, rates, the views, counters, cost."""

    TITLE = "tfotop"
    CSS_PATH = "tfotop.tcss"
    BINDINGS = [
        Binding("q,ctrl+c", "quit", "quit", priority=True),
        Binding("enter", "open", "ladder", key_display="Enter"),
        Binding("escape", "back", "back", show=False),
        Binding("1", "page('')", "peers", show=False),
        Binding("2", "page('listeners')", "listeners", show=False),
        Binding("3", "page('handshakes')", "handshakes", show=False),
        Binding("4", "page('counters')", "counters", show=False),
        Binding("5", "page('latency')", "latency", show=False),
        Binding("d", "page('doctor')", "doctor", show=False),
        Binding("p", "probe", "probe a server", show=False),
    ]

    prober: Prober | None = None  # how to make a probe

    def __init__(
        self,
        host: str,
        kernel: str,
        interval_s: float,
        selection: Selection | None = None,
        past: Past | None = None,
        utf8: bool = True,
    ) -> None:
        super().__init__(selection, past)
        self._kernel, self._interval_s = kernel, interval_s
        self._ending = False
        self._told: dict[str, str] = {}  # by the id of the widget
        self._alerts = alerts.Alerts()
        self.alert: alerts.Alert | None = None
        self.body = Body(past.of if past else None)
        self.dress(host, utf8)

    def compose(self) -> ComposeResult:
        """The whole screen."""
        yield Static("", id="header", markup=False)
        yield Static("", id="alert", markup=False)
        yield Static("", id="headline", markup=False)
        yield Tabs()
        yield FilterBar()
        yield self.body
        yield Static("", id="counters", markup=False)
        yield Static("", id="small", markup=False)
        yield Static("", id="footer", markup=False)

    def on_mount(self) -> None:
        """End like a program of the terminal: the signals restore it too."""
        end_on_signals(self.exit)
        self.show_around()

    def exit(self, *arguments: Any, **named: Any) -> None:
        """End. The feed may still deliver meanwhile."""
        self._ending = True
        super().exit(*arguments, **named)

    # What comes

    def on_model_ready(self, message: ModelReady) -> None:
        """Time has passed, also while paused."""
        self.notices.pass_to(message.model.mono_ns)

    def take(self, model: Model) -> None:
        """Show this model, unless the widgets are going."""
        if not self._ending:
            super().take(model)

    def beside(self, made: Shown) -> None:
        """The worst finding, once for each model."""
        if self.shown is None or made.whole is not self.shown.whole:
            self.alert = self._alerts.update(made.model)

    def show_shown(self, made: Shown) -> None:
        """Bring it to the screen, in one repaint."""
        if self._ending:
            return
        with self.batch_update():
            self.show_around()
            self.body.show(made, layout(*self.size))

    def show_time(self) -> None:
        """Only the header says so; what is on the screen stays."""
        self.show_around()

    @property
    def viewed(self) -> str:
        """What the filter bar counts."""
        return self.body.viewed

    def give_keys(self) -> None:
        """To the view in front."""
        self.body.give_keys()

    # Keys

    def action_page(self, name: str) -> None:
        """Show another view; an empty name is the peers."""
        self.body.turn(name)
        self._turned()

    def action_open(self) -> None:
        """A group, or the ladder of the handshake under the cursor or of the peer there: its last, as it goes on."""
        if not self.open_group():
            self.body.climb()
            self._turned()

    def action_probe(self) -> None:
        """Of the peer under the cursor, or of what is typed."""
        if self.prober is None:
            self.say("no probe from here: tfotop probe HOST")
        else:
            self.push_screen(
                ProbeScreen(self.prober, target_of(self.query_one(PeersTable).selected, self.shown_model()))
            )

    async def action_back(self) -> None:
        """To the view below; from the peers out of a group, or of the filter."""
        if self.body.at_home and self.step_out():
            return
        self.body.back()
        self._turned()

    def on_peers_table_chosen(self) -> None:
        """A second click on a row."""
        self.action_open()

    def on_handshakes_table_chosen(self) -> None:
        """A second click on a handshake."""
        self.action_open()

    def _turned(self) -> None:
        self.show_around()
        self.show_status()

    def say(self, text: str) -> None:
        """Tell what a key has done."""
        self.notices.say(text)
        self.show_around()

    def chosen_text(self) -> str:
        """The line under the cursor, or all lines of a view without one."""
        return self.body.copied()

    def fix(self) -> str | None:
        """What mends the worst finding."""
        return self.alert.fix if self.alert else None

    def shown_model(self) -> Model | None:
        """What is on the screen."""
        return self.shown.model if self.shown else None

    # Around the views

    def on_resize(self, event: Resize) -> None:
        """What was laid out for another size is laid out anew."""
        self.show_around(event.size)
        if self.shown is not None:
            self.body.show(self.shown, layout(*event.size))

    def show_around(self, size: Size | None = None) -> None:
        """Everything above and below the views."""
        model, (width, height) = self.shown_model(), size or self.size
        plan = layout(width, height)
        self._fit(plan)
        if plan.small:
            text = panels.small(model, alerts.wrapped(self.alert, width), width, height)
            self._tell("small", text)
            return
        state = self.time_state
        self._tell("header", panels.header(model, self._host, self._kernel, self._interval_s, state, width))
        said = alerts.lines(self.alert, width, plan.alert, self._alert_keys()) if model else []
        self._tell("alert", "\n".join(said))
        self.query_one("#alert").set_class(self.alert is None, "fine")
        self._tell("headline", panels.headline(model, width, plan.rates) if model else "")
        tabs = keys.tabs(self, ((f"page('{page}')", name) for page, name in pages.NAMES.items()))
        self.query_one(Tabs).show(tabs, f"page('{self.body.page}')", width, self.body.title)
        self._tell("counters", panels.counters(model, width) if model else "")
        self._tell("footer", panels.footer(model, keys.hints(self), self.notices.text, width, plan.footer))

    def _tell(self, name: str, text: str) -> None:
        """Only what is new is drawn; a new layout, the dearest of all, is for another number of lines."""
        before = self._told.get(name)
        if text != before:
            self._told[name] = text
            layout = before is None or text.count("\n") != before.count("\n")
            self.query_one(f"#{name}", Static).update(text, layout=layout)

    def _alert_keys(self) -> list[str]:
        details = ["d doctor"] if any(binding.key == "d" for binding in keys.of(type(self))) else []
        return [*details, "Y copy"] if self.fix() else details

    def _fit(self, plan: Layout) -> None:
        """Who has how many lines."""
        for name, height in (("alert", plan.alert), ("headline", plan.rates), ("footer", plan.footer)):
            widget = self.query_one(f"#{name}")
            widget.display, widget.styles.height = not plan.small, height
        self.query_one("#counters").display = plan.counters and not plan.small
        self.query_one("#small").display = plan.small
        for widget in (self.query_one("#header"), self.query_one(Tabs), self.query_one(FilterBar), self.body):
            widget.display = not plan.small


Feeder = Callable[[Callable[[Model], object]], Callable[[], None]]


def run(app: TfotopApp, feed: Feeder) -> int:
    """Run the screen on what ``feed`` delivers; ``feed`` takes where to deliver and returns how to stop."""
    settle()
    tidy = Tidy()
    newest: ModelReady | None = None

    def deliver(model: Model) -> None:
        nonlocal newest
        if newest is None or not newest.renew(model):
            newest = ModelReady(model)
            app.post_message(newest)
        tidy()

    stop = feed(deliver)
    try:
        app.run()
    finally:
        stop()
    return app.return_code or 0
