"""A screen that is the same everywhere: no colours from the environment, and UTC."""

import time
from collections.abc import Iterator

import pytest
from textual.widgets import Input


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FILTERS", "TEXTUAL_COLOR_SYSTEM", "COLUMNS", "LINES"):
            patch.delenv(name, raising=False)
        patch.setenv("TZ", "UTC")
        patch.setattr(Input, "_toggle_cursor", lambda _self: None)  # it blinks by the clock of this machine
        # On a terminal (pytest -s) it would end the process of the tests.
        patch.setattr("tfotop.views.tui.ending._look", lambda _descriptor: None)
        time.tzset()
        yield
    time.tzset()
