"""Garbage that lives for an interval: that it goes again, and soon."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from tfotop.views.tui.pace import OLD, YOUNG, Tidy


class Strip:
    """Keeps itself, as what Textual draws with does."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_else_collects() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_what_was_on_the_screen_for_an_interval_does_not_pile_up() -> None:
    tidy, alive, most = Tidy(), weakref.WeakSet[Strip](), 0
    for _ in range(OLD):
        shown = Strip()  # and the one before is garbage
        alive.add(shown)
        most = max(most, len(alive))
        tidy()
    assert shown in alive
    assert most <= YOUNG + OLD // YOUNG + 1
    assert len(alive) == 1
