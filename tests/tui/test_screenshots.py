"""The pictures in screenshots/ are those that the screen makes now."""

import asyncio

import pytest

from screenshots import make


@pytest.mark.parametrize("name", make.SHOTS)
def test_no_picture_is_stale(name: str) -> None:
    made = asyncio.run(make.picture(make.SHOTS[name]))
    stored = (make.HERE / f"{name}.svg").read_text("utf-8")
    assert made == stored, "look at it, then run: make screenshots"


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in make.HERE.glob("*.svg")} == set(make.SHOTS)


def test_no_picture_fetches_anything() -> None:
    for path in make.HERE.glob("*.svg"):
        assert "url(http" not in path.read_text("utf-8")
