"""The moments of a peer: what the past tells, what came since, and nothing before what is known."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.scenarios.build import START_MONO_NS, peer, sample, sensor
from tests.tui.screen import models
from tfotop.model.state import Model, PeerState
from tfotop.views.tui.trail import Moment, Trail

SECOND = 10**9


class Now:
    """A widget whose workers have ended when they begin."""

    def run_worker(self, work: Coroutine[Any, Any, None], group: str) -> None:
        asyncio.run(work)


def run(seconds: int) -> list[tuple[Model, PeerState]]:
    """One more accepted in each second, the first one before the first model."""
    made = models([sample(t, sensor=sensor(peers=(peer(outcomes={"accepted": t + 1}),))) for t in range(seconds)])
    return [(model, next(iter(model.peers.values()))) for model in made]


def moment(t: int) -> Moment:
    return Moment(START_MONO_NS + t * SECOND, {"accepted": t + 1})


def test_without_a_past_it_begins_when_it_is_looked_at() -> None:
    trail = Trail(Now(), None, list)
    for t, (model, state) in enumerate(run(5)):
        assert trail.of(model, state) == [moment(i) for i in range(t + 1)]


def test_the_past_comes_in_parts() -> None:
    of, told = run(9), iter([[moment(6)], [moment(5), moment(6)]])
    trail = Trail(Now(), lambda _key: next(told), list)
    assert trail.of(*of[7]) == [moment(6), moment(7)]
    assert trail.of(*of[7]) == [moment(6), moment(7)]
    assert trail.of(*of[8]) == [moment(5), moment(6), moment(7), moment(8)]


def test_what_was_counted_right_after_the_first_handshake_is_new() -> None:
    of = run(4)
    trail = Trail(Now(), lambda _key: [moment(1), moment(2)], list)
    assert trail.of(*of[3])[0] == Moment(START_MONO_NS, {})


def test_what_was_counted_long_after_it_may_be_older() -> None:
    of = run(9)
    trail = Trail(Now(), lambda _key: [moment(7)], list)
    assert trail.of(*of[8]) == [moment(7), moment(8)]


def test_back_in_time_it_ends_there() -> None:
    of = run(6)
    trail = Trail(Now(), None, list)
    for model, state in of:
        trail.of(model, state)
    assert trail.of(*of[2]) == [moment(i) for i in range(3)]


def test_another_peer_begins_anew() -> None:
    model, state = run(1)[0]
    other = models([sample(sensor=sensor(peers=(peer("10.9.9.9", outcomes={"lost": 1}),)))])[0]
    trail = Trail(Now(), None, list)
    trail.of(model, state)
    assert trail.of(other, next(iter(other.peers.values()))) == [Moment(START_MONO_NS, {"lost": 1})]
