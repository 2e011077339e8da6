"""What unit tests share."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("unit", settings(deadline=None))  # no timed tests: others run beside these
settings.load_profile("unit")


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Text shows local time: here that is UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()
