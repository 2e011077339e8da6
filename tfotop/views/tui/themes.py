"""Themes, and what a terminal without colours or without UTF-8 gets: both are filters over all that is painted."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Final

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES, Theme

TERMINAL: Final = "terminal"
MONO: Final = "mono"
DARK: Final = "dark"
LIGHT: Final = "light"
NAMES: Final = (TERMINAL, DARK, LIGHT, MONO)
DARK_AMBER: Final = "#8a5000"  # to be read on a light ground
PLAIN: Final = Style.from_color(RichColor.parse("default"), RichColor.parse("default"))
EMOJI_SELECTOR: Final = "\ufe0f"
# What the views draw with, each sign as one that every terminal has.
ASCII: Final = str.maketrans(
    "▁▂▃▄▅▆▇█▉▊▋▌▍▎▏│─►◄…┌┐└┘├┤┬┴┼╭╮╰╯━┃▔▕▐▀•·→←↑↓✓▶◀▼▲",
    "_.-=+*%###==--'|-><~+++++++++++++-|^||^*.><^v+><v^",
)


def register(app: App[None], no_color: bool) -> None:
    """The terminal's own 16 colours first: they suit a light background as well as a dark one."""
    ansi, light = BUILTIN_THEMES["ansi-dark"], BUILTIN_THEMES["textual-light"]
    app.register_theme(_ansi(ansi, TERMINAL, {"scrollbar": "ansi_bright_black"}))
    app.register_theme(_ansi(ansi, MONO, {"scrollbar": "ansi_white", "scrollbar-background": "ansi_default"}))
    app.register_theme(replace(BUILTIN_THEMES["textual-dark"], name=DARK))
    app.register_theme(replace(light, name=LIGHT, warning=DARK_AMBER))
    app.theme = MONO if no_color else TERMINAL


def _ansi(like: Theme, name: str, variables: Mapping[str, str]) -> Theme:
    return replace(like, name=name, variables={**like.variables, **variables})


def next_name(name: str) -> str:
    """The theme after this one."""
    return NAMES[(NAMES.index(name) + 1) % len(NAMES)] if name in NAMES else TERMINAL


class NoColors(LineFilter):
    """No colour at all: what had a background of its own is reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Bold, dim, underline and reverse stay."""
        return [Segment(text, without_colors(style or Style.null()), control) for text, style, control in segments]


@lru_cache(1024)
def without_colors(style: Style) -> Style:
    """A style with the terminal's default colours."""
    marked = style.bgcolor is not None and not style.bgcolor.is_default and not style.reverse
    return style + PLAIN + Style(reverse=True) if marked else style + PLAIN


class OnlyAscii(LineFilter):
    """Every character as one of ASCII in as many places."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """What has no likeness is ``?``."""
        return [Segment(only_ascii(text), style, control) for text, style, control in segments]


def only_ascii(text: str) -> str:
    """The text in ASCII, as wide as before."""
    if text.isascii():
        return text
    text = text.translate(ASCII)
    return "".join(c if c.isascii() else "?" * _adds(before, c) for before, c in pairwise("\0" + text))


def _adds(before: str, char: str) -> int:
    """How much wider a text becomes by it: the selector of an emoji widens what is before it."""
    return cell_len(before + char) - cell_len(before) if char == EMOJI_SELECTOR else cell_len(char)


def speaks_utf8(environment: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal does: the first of the three that is set counts (locale(7))."""
    name = next((environment[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(key)), "")
    return "utf-8" in name.lower() or "utf8" in name.lower()
