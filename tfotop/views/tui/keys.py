"""Keys as people know them, from the bindings themselves: in the footer, the tabs, the help and the command palette."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

from tfotop.views.tui.widgets.tabs import Tab

SIGNS: Final = {
    "question_mark": "?",
    "slash": "/",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "comma": ",",
    "full_stop": ".",
    "minus": "-",
    "plus": "+",
}
OURS: Final = "tfotop."


class Row(NamedTuple):
    """What some keys do."""

    keys: str
    what: str


class Group(NamedTuple):
    """The keys of one part of the screen."""

    title: str
    rows: tuple[Row, ...]


def shown(key: str) -> str:
    """One key: ``ctrl+p`` is ``^p``."""
    *modifiers, name = key.split("+") if key != "+" else ["+"]
    return ("^" if "ctrl" in modifiers else "") + SIGNS.get(name, name)


def keys(binding: Binding) -> str:
    """All keys of a binding."""
    return binding.key_display or " ".join(shown(key) for key in binding.key.split(","))


def of(node: type[DOMNode]) -> list[Binding]:
    """The bindings that our classes declare, this one's first."""
    ours = (kind for kind in node.__mro__ if kind.__module__.startswith(OURS))
    return [b for kind in ours for b in vars(kind).get("BINDINGS", ()) if isinstance(b, Binding)]


def hints(app: App[None]) -> list[str]:
    """What the footer tells: the bindings that are to be shown, first those of the widget that has the keys."""
    focused = [] if app.focused is None else of(type(app.focused))
    return [f"{keys(b).split()[0]} {b.description}" for b in (*focused, *of(type(app))) if b.show]


def tabs(app: App[None], names: Iterable[tuple[str, str]]) -> list[Tab]:
    """The views that have a key. ``names``: each view's, by the app's action that shows it."""
    by_action = {b.action: b for b in of(type(app))}
    return [Tab(keys(by_action[action]), name, action) for action, name in names if action in by_action]


def groups(app: App[None]) -> Iterator[Group]:
    """All keys there are: the app's, and those of the widgets; what several widgets share is told once."""
    yield Group("everywhere", tuple(Row(keys(b), b.description) for b in of(type(app))))
    parts: dict[str, list[Row]] = {}
    told: set[Row] = set()
    for kind in dict.fromkeys(type(node) for node in app.screen_stack[0].walk_children()):
        rows = [row for row in (Row(keys(b), b.description) for b in of(kind)) if row not in told]
        told.update(rows)
        parts.setdefault(getattr(kind, "HELP", kind.__name__), []).extend(rows)
    yield from (Group(title, tuple(rows)) for title, rows in parts.items() if rows)


def actions(app: App[None], left_out: Sequence[str]) -> Iterator[tuple[Binding, str]]:
    """Every binding of the app that the palette can run, with its keys."""
    for binding in of(type(app)):
        if binding.action not in left_out:
            yield binding, keys(binding)
