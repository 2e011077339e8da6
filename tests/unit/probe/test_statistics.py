"""Medians with exact intervals, and histograms."""

import random
import statistics as reference
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfotop.probe.statistics import MOST_BINS, Median, histogram, interval_rank, median

values = st.lists(st.integers(0, 10**8), min_size=1, max_size=200)


def test_nothing_has_no_median() -> None:
    assert median([]) is None
    assert histogram([], []) == ()


# As the usual tables of the binomial distribution have them.
RANKS = {1: None, 5: None, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 15: 4, 20: 6, 30: 10, 50: 18, 100: 40}


@pytest.mark.parametrize(("count", "rank"), RANKS.items())
def test_ranks(count: int, rank: int | None) -> None:
    assert interval_rank(count) == rank


def test_a_median_and_its_interval() -> None:
    assert median([22, 25, 21, 24, 23, 26, 28, 27, 20, 29]) == Median(24.5, 10, 21, 28)
    assert median([3, 1, 2]) == Median(2, 3)


@given(values)
def test_the_median_is_that_of_the_standard_library_and_in_its_interval(some: list[int]) -> None:
    found = median(some)
    assert found
    assert found.value == reference.median(some)
    if found.low is not None and found.high is not None:
        assert found.low <= found.value <= found.high


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    draw = random.Random(7413)
    covered = 0
    for _ in range(2000):
        found = median(draw.randrange(0, 1_000_000) for _ in range(20))
        assert found
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 500_000 <= found.high
    assert 0.945 < covered / 2000 < 0.975  # 0.959 by the binomial distribution


@given(values, values)
def test_each_value_is_in_one_bin(some: list[int], others: list[int]) -> None:
    bins = histogram(some, others)
    assert [sum(column) for column in zip(*(b.counts for b in bins), strict=True)] == [len(some), len(others)]
    assert len(bins) <= MOST_BINS + 1
    for one, following in pairwise(bins):
        assert one.high_us == following.low_us


def test_bins_are_round_and_outliers_do_not_stretch_them() -> None:
    bins = histogram([44_100, 44_900, 45_200], [22_100, 22_900, 1_045_000])
    assert {b.high_us - b.low_us for b in bins if b.high_us is not None} == {2000}
    assert (bins[0].low_us, bins[0].counts) == (22_000, (0, 2))
    assert (bins[-1].low_us, bins[-1].high_us, bins[-1].counts) == (46_000, None, (0, 1))


def test_noise_does_not_look_like_a_difference() -> None:
    assert [b.high_us - b.low_us for b in histogram([22_000, 22_010], [22_020]) if b.high_us] == [500]
