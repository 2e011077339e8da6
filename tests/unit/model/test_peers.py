"""One word for a peer's cookie, and its share."""

import pytest

from tests.scenarios.build import peer, sample, sensor
from tfotop.model.fold import fold
from tfotop.model.peers import cookie_status, share_accepted


@pytest.mark.parametrize(
    ("last", "word"),
    [
        ("accepted", "valid"),
        ("rejected", "rejected"),
        ("lost", "lost"),
        ("cookie_granted", "granted"),
        ("cookie_refused", "refused"),
        ("plain", "none"),
        ("unanswered", "none"),
        ("reset", "none"),
    ],
)
def test_the_last_handshake_says_it(last: str, word: str) -> None:
    assert cookie_status(peer(outcomes={last: 1}, last_outcome=last), {last: 1}) == word


def test_the_last_handshake_counts_more_than_earlier_ones() -> None:
    many = peer(outcomes={"accepted": 100, "rejected": 1}, last_outcome="rejected")
    assert cookie_status(many, {"accepted": 100, "rejected": 1}) == "rejected"


def words(*readings: dict[str, int]) -> list[str]:
    """The word after each reading of one peer whose very last handshake was always a plain one."""
    model, found = None, []
    for at_s, outcomes in enumerate(readings):
        one = peer(outcomes={**outcomes, "plain": at_s + 1}, last_outcome="plain")
        model = fold(model, sample(at_s, sensor=sensor(peers=(one,))))
        found += [state.cookie for state in model.peers.values()]
    return found


def test_a_plain_handshake_does_not_hide_what_came_before() -> None:
    assert words({"cookie_granted": 1}, {"cookie_granted": 1}) == ["granted", "granted"]


def test_what_came_in_the_interval_counts_more_than_what_was_known() -> None:
    assert words({"accepted": 1}, {"accepted": 1, "rejected": 3}) == ["valid", "rejected"]


def test_an_old_success_does_not_come_back() -> None:
    assert words({"accepted": 1}, {"accepted": 1, "rejected": 3}, {"accepted": 1, "rejected": 3})[-1] == "rejected"


@pytest.mark.parametrize(
    ("outcomes", "share"), [({}, None), ({"accepted": 3, "plain": 1}, 75), ({"plain": 1}, 0), ({"accepted": 2}, 100)]
)
def test_share_accepted(outcomes: dict[str, int], share: float | None) -> None:
    assert share_accepted(peer(outcomes=outcomes)) == share
