"""Medians, their confidence intervals and histograms, of microseconds. Pure and exact: nothing is drawn at random."""

from collections.abc import Iterable, Sequence
from math import comb
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95
MOST_BINS: Final = 16
FINEST: Final = 100  # bins to the median: noise is not to look like a difference
OUTLIER: Final = 3  # medians, from where on values share one bin


class Median(NamedTuple):
    """A median of ``size`` values, and an interval that covers the true one with at least 95 % confidence.

    ``low`` and ``high`` are ``None`` below 6 values, of which no such interval can be made.
    """

    value: float
    size: int
    low: int | None = None
    high: int | None = None


def median(values: Iterable[int]) -> Median | None:
    """The median with its interval between two order statistics (exact, whatever the distribution)."""
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    value = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    rank = interval_rank(len(ordered))
    if rank is None:
        return Median(value, len(ordered))
    return Median(value, len(ordered), ordered[rank - 1], ordered[-rank])


def interval_rank(count: int) -> int | None:
    """The rank k for which the k-th smallest and k-th largest of ``count`` values enclose the median.

    With probability 1 - 2 P(B < k), where B is binomial (``count``, 1/2): the largest k for which that reaches 0.95.
    """
    below, rank = 0, 0
    while rank < count:
        below += comb(count, rank)
        if 2 * below > (1 - CONFIDENCE) * 2**count:
            break
        rank += 1
    return rank or None


class Bin(NamedTuple):
    """How many values lie from ``low_us`` up to, not including, ``high_us``; ``None`` is no upper bound."""

    low_us: int
    high_us: int | None
    counts: tuple[int, ...]


def histogram(*groups: Sequence[int]) -> tuple[Bin, ...]:
    """Bins of one round width over all groups, a count for each group; far outliers share the last one."""
    values = [value for group in groups for value in group]
    typical = median(values)
    if typical is None:
        return ()
    near = [value for value in values if value <= OUTLIER * typical.value] or values
    width = _round_width(max(near) - min(near), round(typical.value / FINEST))
    first, last = min(near) // width, max(near) // width
    bins = [_bin(groups, i * width, (i + 1) * width) for i in range(first, last + 1)]
    if len(near) < len(values):
        bins.append(_bin(groups, (last + 1) * width, None))
    return tuple(bins)


def _round_width(span: int, least: int) -> int:
    """1, 2 or 5 times a power of ten, at least ``least``, so that at most 16 bins cover ``span``."""
    width = 10
    while True:
        for factor in (1, 2, 5):
            if factor * width >= least and span // (factor * width) + 2 <= MOST_BINS:
                return factor * width
        width *= 10


def _bin(groups: Sequence[Sequence[int]], low: int, high: int | None) -> Bin:
    counts = (sum(value >= low and (high is None or value < high) for value in group) for group in groups)
    return Bin(low, high, tuple(counts))
