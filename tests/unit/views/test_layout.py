"""What a terminal of each size shows: ever less, and no step that brings something back."""

from itertools import pairwise

import pytest

from tfotop.views.tui.layout import Layout, layout


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), Layout(small=True, alert=1, rates=1, footer=1, counters=False, side=0, feed=0)),
        ((59, 24), Layout(small=True, alert=3, rates=2, footer=2, counters=False, side=0, feed=0)),
        ((60, 16), Layout(small=False, alert=1, rates=1, footer=1, counters=False, side=0, feed=0)),
        ((80, 24), Layout(small=False, alert=3, rates=2, footer=2, counters=False, side=0, feed=0)),
        ((120, 40), Layout(small=False, alert=2, rates=2, footer=2, counters=True, side=0, feed=0)),
        ((160, 24), Layout(small=False, alert=2, rates=1, footer=2, counters=False, side=76, feed=0)),
        ((200, 60), Layout(small=False, alert=2, rates=1, footer=2, counters=True, side=80, feed=20)),
        ((400, 16), Layout(small=False, alert=1, rates=1, footer=1, counters=False, side=0, feed=0)),
    ],
    ids=str,
)
def test_layout(size: tuple[int, int], expected: Layout) -> None:
    assert layout(*size) == expected


def test_the_main_view_always_has_its_80_columns_beside_others() -> None:
    for width in range(160, 400):
        assert width - layout(width, 60).side - 2 >= 80


def test_a_lower_terminal_never_shows_more() -> None:
    for low, high in pairwise(layout(200, height) for height in range(1, 90)):
        assert low.counters <= high.counters
        assert low.side <= high.side
        assert low.feed <= high.feed
        assert low.small >= high.small
