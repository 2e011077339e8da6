"""What of the screen is shown in a terminal of a given size: it gives up the least useful first."""

from typing import Final, NamedTuple

LEAST_WIDTH: Final = 60
LEAST_HEIGHT: Final = 16
LOW: Final = 20  # lines, below which alert, rates and footer have one line each
ROOMY: Final = 32  # from here on the kernel's counters stand below every view
ENOUGH: Final = 24  # from here on a long cause may have two lines
ONE_LINE_CAUSE: Final = 120  # columns from which it hardly ever needs them
TALL: Final = 45  # from here on, where it is wide too, the feed of handshakes stands below the peers
ONE_LINE: Final = 136  # columns from which all rates fit in one line
WIDE: Final = 160  # columns from which several views stand side by side
SIDE_LEAST: Final = 76
SIDE_MOST: Final = 100


class Layout(NamedTuple):
    """Lines and columns of each part; 0 means that it is not shown."""

    small: bool  # too small for any view: the screen says so
    alert: int
    rates: int
    footer: int
    counters: bool
    side: int
    feed: int


def layout(width: int, height: int) -> Layout:
    """The layout for a terminal of so many columns and lines."""
    low = height < LOW
    wide = width >= WIDE and height >= LOW
    return Layout(
        small=width < LEAST_WIDTH or height < LEAST_HEIGHT,
        alert=1 if low else 2 if width >= ONE_LINE_CAUSE or height < ENOUGH else 3,
        rates=1 if low or width >= ONE_LINE else 2,
        footer=1 if low else 2,
        counters=height >= ROOMY,
        side=min(SIDE_MOST, max(SIDE_LEAST, width * 2 // 5)) if wide else 0,
        feed=height // 3 if wide and height >= TALL else 0,
    )
