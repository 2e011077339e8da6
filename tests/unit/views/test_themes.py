"""Terminals without colours or without UTF-8: what is painted there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tfotop.views.tui.panels import BARS
from tfotop.views.tui.themes import NAMES, TERMINAL, NoColors, OnlyAscii, next_name, only_ascii, speaks_utf8

BLACK = Color(0, 0, 0)


@given(st.text(max_size=40))
def test_ascii_is_as_wide_as_before(text: str) -> None:
    assert only_ascii(text).isascii()
    printable = "".join(c for c in text if c.isprintable() and cell_len(c))
    assert cell_len(only_ascii(printable)) == cell_len(printable)


@pytest.mark.parametrize("text", ["1\ufe0f", "©\ufe0f é", "\ufe0f", "é\ufe0f", "字\ufe0f"])
def test_the_selector_of_an_emoji_widens_what_is_before_it(text: str) -> None:
    assert cell_len(only_ascii(text)) == cell_len(text)


def test_bars_can_be_told_apart_in_ascii() -> None:
    assert len(set(only_ascii(BARS))) == len(BARS)
    assert only_ascii("│── SYN ─►│ データ…") == "|-- SYN ->| ??????~"
    made = OnlyAscii().apply([Segment("▁█", Style(bold=True))], BLACK)
    assert made == [Segment("_#", Style(bold=True))]


def test_without_colours_only_the_attributes_stay() -> None:
    red = Style(color="red", bold=True)
    on_blue = Style(color="white", bgcolor="blue")
    plain, marked, none = NoColors().apply([Segment("a", red), Segment("b", on_blue), Segment("c")], BLACK)
    for segment in (plain, marked, none):
        assert segment.style is not None
        assert segment.style.color is not None
        assert segment.style.color.is_default
        assert segment.style.bgcolor is not None
        assert segment.style.bgcolor.is_default
    assert plain.style is not None
    assert plain.style.bold
    assert not plain.style.reverse
    assert marked.style is not None
    assert marked.style.reverse


def test_themes_come_round() -> None:
    name, seen = TERMINAL, []
    for _ in NAMES:
        seen.append(name)
        name = next_name(name)
    assert (tuple(seen), name) == (NAMES, TERMINAL)
    assert next_name("one from the palette") == TERMINAL


@pytest.mark.parametrize(
    ("environment", "speaks"),
    [
        ({}, False),
        ({"LANG": "C"}, False),
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.utf8"}, True),
        ({"LANG": "de_DE.ISO-8859-1", "LC_ALL": ""}, False),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "C"}, True),
    ],
    ids=str,
)
def test_the_locale(environment: dict[str, str], speaks: bool) -> None:
    assert speaks_utf8(environment) == speaks
