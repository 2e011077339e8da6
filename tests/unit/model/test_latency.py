"""Medians, percentiles and the RTT delta."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.build import latency, peer
from tfotop.model import latency as model
from tfotop.model.latency import BUCKETS, bounds_us, median, percentile_us
from tfotop.sample import Peer


@given(st.lists(st.integers(0, 2**32), min_size=1))
def test_the_median_is_the_middle(values: list[int]) -> None:
    assert median(values) == statistics.median(values)


def test_of_nothing_nothing_is_known() -> None:
    assert median([]) is None
    assert percentile_us({}, 0.5) is None
    assert percentile_us({3: 0}, 0.5) is None


def test_buckets_follow_each_other_without_a_gap() -> None:
    bounds = [bounds_us(bucket) for bucket in range(BUCKETS)]
    assert bounds[0] == (0, 64)
    assert [high for _, high in bounds[:-1]] == [low for low, _ in bounds[1:]]
    assert bounds[-1][0] == 2**24  # 16.8 s


def test_a_bucket_is_at_most_a_quarter_of_its_value_wide() -> None:
    assert all((high - low) * 4 <= low for low, high in map(bounds_us, range(1, BUCKETS)))


@pytest.mark.parametrize(
    ("buckets", "share", "us"),
    [
        pytest.param({0: 1}, 0.5, 32, id="middle of the only bucket"),
        pytest.param({0: 1}, 1, 64, id="all"),
        pytest.param({0: 1}, 0, 0, id="none"),
        pytest.param({1: 1, 5: 3}, 0.25, 80, id="end of the first"),
        pytest.param({5: 3, 1: 1}, 1, 160, id="in any order"),
        pytest.param({1: 2, 5: 2}, 0.75, 144, id="within the second"),
    ],
)
def test_percentile(buckets: dict[int, int], share: float, us: float) -> None:
    assert percentile_us(buckets, share) == us


@given(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 10**9), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_within_the_buckets(buckets: dict[int, int], share: float) -> None:
    value = percentile_us(buckets, share)
    assert value is not None
    assert bounds_us(min(buckets))[0] <= value <= bounds_us(max(buckets))[1]


@pytest.mark.parametrize(
    ("of", "delta_us", "rtts"),
    [
        pytest.param(peer(), None, None, id="nothing measured"),
        pytest.param(peer(with_tfo=latency(10)), None, None, id="only with"),
        pytest.param(peer(without_tfo=latency(10)), None, None, id="only without"),
        pytest.param(peer(with_tfo=latency(23_400), without_tfo=latency(45_600)), 22_200, None, id="no RTT"),
        pytest.param(
            peer(with_tfo=latency(23_400), without_tfo=latency(45_600), rtt_us=(22_200,)),
            22_200,
            1,
            id="one RTT sooner",
        ),
        pytest.param(peer(with_tfo=latency(30), without_tfo=latency(10), rtt_us=(40,)), -20, -0.5, id="later"),
        pytest.param(peer(with_tfo=latency(10), without_tfo=latency(10), rtt_us=(0,)), 0, None, id="RTT of 0"),
        pytest.param(peer(with_tfo=latency(1, 2, 90), without_tfo=latency(7, 9), rtt_us=(3, 1, 2)), 6, 3, id="medians"),
    ],
)
def test_rtt_delta(of: Peer, delta_us: float | None, rtts: float | None) -> None:
    assert (model.rtt_delta_us(of), model.rtt_delta_rtts(of)) == (delta_us, rtts)
