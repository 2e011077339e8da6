"""Sorting peers: by each column, unknown last, and rows that do not jump."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.build import START_MONO_NS, latency, peer, sample, sensor
from tfotop.model import order
from tfotop.model.fold import fold
from tfotop.model.order import COLUMNS, Order, severity
from tfotop.model.state import PeerState
from tfotop.sample import Micros, Peer, Process


def states(*peers: Peer) -> list[PeerState]:
    return list(fold(None, sample(sensor=sensor(peers=peers))).peers.values())


def sorted_by(peers: list[Peer], column: str, inverted: bool = False) -> list[str]:
    wanted = Order(column, inverted)
    return [s.reading.address for s in order.rows(order.entries(states(*peers), wanted), wanted)]


# What differs between peers a, b, c in this column, in its natural order; d knows nothing of it.
DIFFERENT: dict[str, tuple[dict[str, object], ...]] = {
    "role": ({"role": "client"}, {"role": "server"}),
    "port": ({"port": 80}, {"port": 443}, {"port": 8443}, {"port": 0}),
    "accepted": tuple({"outcomes": {"accepted": n}} for n in (90, 12, 0)),
    "share": tuple({"outcomes": o} for o in ({"accepted": 9}, {"accepted": 1, "plain": 1}, {"plain": 1}, {})),
    "rejected": tuple({"outcomes": o} for o in ({"rejected": 5, "lost": 2}, {"lost": 3}, {"accepted": 9})),
    "rtt": ({"rtt_us": Micros((9,))}, {"rtt_us": Micros((8,))}, {"rtt_us": Micros((7, 7))}, {}),
    "tfo": ({"with_tfo": latency(9)}, {"with_tfo": latency(8)}, {"with_tfo": latency(7)}, {}),
    "plain": ({"without_tfo": latency(9)}, {"without_tfo": latency(8)}, {"without_tfo": latency(7)}, {}),
    "sooner": (*({"with_tfo": latency(t), "without_tfo": latency(9)} for t in (1, 5, 20)), {}),
    "rtts": (*({"with_tfo": latency(1), "without_tfo": latency(9), "rtt_us": Micros((n,))} for n in (8, 9, 10)), {}),
    "seen": tuple({"last_ns": START_MONO_NS + n} for n in (3, 2, 1)),
    "process": (*({"process": Process(pid=1, comm=c)} for c in ("a", "b", "\U0010fffe")), {}),
    "cookie": (
        {"outcomes": {"rejected": 9, "accepted": 500}, "last_outcome": "rejected"},
        {"outcomes": {"rejected": 1, "accepted": 900}},
        {"outcomes": {"accepted": 70}},
        {"outcomes": {"plain": 9000}, "last_outcome": "plain"},
    ),
}


@pytest.mark.parametrize("column", DIFFERENT)
def test_each_column_and_its_inverse(column: str) -> None:
    names = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"][: len(DIFFERENT[column])]
    peers = [peer(name, **given) for name, given in zip(names, DIFFERENT[column], strict=True)]
    unknown = [name for name, given in zip(names, DIFFERENT[column], strict=True) if column != "cookie" and not given]
    if column == "port":
        unknown = ["10.0.0.4"]
    if column == "share":
        unknown = ["10.0.0.4"]
    random.Random(1).shuffle(peers)
    assert sorted_by(peers, column) == names
    known = [name for name in reversed(names) if name not in unknown]
    assert sorted_by(peers, column, inverted=True) == known + unknown


def test_addresses_are_sorted_as_numbers() -> None:
    right = ["not an address", "9.0.0.0", "10.0.0.2", "10.0.0.10", "::1", "2001:db8::9", "2001:db8::10"]
    assert sorted_by([peer(a) for a in right[::-1]], "peer") == right


def test_every_column_of_the_table_can_be_sorted() -> None:
    assert set(DIFFERENT) | {"peer", "peers"} == set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS)
def test_equal_rows_are_in_the_order_in_which_they_were_first_seen(column: str) -> None:
    peers = [peer(f"10.0.0.{i}", first_ns=i) for i in range(40)] if column != "peer" else [peer("10.0.0.1")]
    expected = [p.address for p in peers]
    for seed in range(3):
        mixed = random.Random(seed).sample(peers, len(peers))
        assert sorted_by(mixed, column) == expected


# The order that nobody chose


def rank(**given: object) -> int:
    (state,) = states(peer(**given))
    return severity(state)


def test_the_sick_peer_is_at_the_top() -> None:
    ill = [
        rank(outcomes={"rejected": 1, "accepted": 10_000}, last_outcome="rejected"),
        rank(outcomes={"lost": 1}, last_outcome="lost"),
        rank(outcomes={"cookie_refused": 1}, last_outcome="cookie_refused"),
        rank(outcomes={"rejected": 2, "accepted": 8}),  # every server but one has the key
        rank(outcomes={"reset": 3, "plain": 3}, last_outcome="plain"),
        rank(outcomes={"unanswered": 1}, last_outcome="unanswered"),
    ]
    well = [
        rank(outcomes={"accepted": 100_000}),
        rank(outcomes={"accepted": 100_000, "rejected": 900}),
        rank(outcomes={"cookie_granted": 5}, last_outcome="cookie_granted"),
    ]
    rest = [rank(outcomes={"plain": 1_000_000}, last_outcome="plain"), rank(outcomes={}, last_outcome="plain")]
    assert min(ill) > max(well) > min(well) > max(rest)


def test_rows_do_not_shuffle_while_counts_grow_alike() -> None:
    """A hundred peers of about the same rate change places seldom, not each second."""
    chance, counts = random.Random(3), {f"10.0.0.{i}": 1000 + i for i in range(100)}
    orders = []
    for _ in range(60):
        counts = {address: n + chance.randrange(90, 110) for address, n in counts.items()}
        orders.append(
            sorted_by(
                [peer(a, first_ns=i, outcomes={"accepted": n}) for i, (a, n) in enumerate(counts.items())], "cookie"
            )
        )
    moved = sum(before != after for before, after in pairwise(orders))
    assert moved < 25


def test_what_fails_half_the_time_does_not_jump() -> None:
    last = {"rejected": {"rejected": 50, "accepted": 51}, "accepted": {"rejected": 50, "accepted": 52}}
    first, second = (rank(outcomes=outcomes, last_outcome=name) for name, outcomes in last.items())
    assert first == second


# The sort itself


@given(st.lists(st.tuples(st.integers(0, 9), st.integers())))
def test_merged_is_sorted(items: list[tuple[int, int]]) -> None:
    assert order.merged(items) == sorted(items)


@pytest.mark.parametrize("count", [0, 1, order.AT_ONCE, order.AT_ONCE + 1, 5 * order.AT_ONCE + 7])
def test_many_are_sorted_in_many_calls(count: int) -> None:
    items = [(random.Random(i).random(),) for i in range(count)]
    assert order.merged(items) == sorted(items)


@given(st.lists(st.integers(0, 99)), st.lists(st.integers(0, 99)))
def test_inserted_is_sorted(kept: list[int], new: list[int]) -> None:
    one, other = ([(value,) for value in sorted(values)] for values in (kept * order.SHORT, new))
    assert order.inserted(one, other) == sorted(one + other)
