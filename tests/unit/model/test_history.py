"""The last minutes: each step is the model that was, and memory has a bound."""

import random
from itertools import pairwise

import pytest

from tests.scenarios import make
from tests.scenarios.build import handshake, peer, sample, sensor
from tfotop.model import history
from tfotop.model import steps as packed
from tfotop.model.fold import MOST_HANDSHAKES, fold
from tfotop.model.history import History, thinnest
from tfotop.model.state import Model
from tfotop.model.steps import model_at, outcomes_of, peers_at
from tfotop.sample import Sample

SECOND_NS = 1_000_000_000


def run(samples: list[Sample], kept: History) -> list[Model]:
    """Every model, each kept."""
    models: list[Model] = []
    for one in samples:
        models.append(fold(models[-1] if models else None, one))
        kept.add(models[-1])
    return models


def steps(kept: History) -> list[Model]:
    return [model_at(kept.entries[: i + 1]) for i in range(len(kept.entries))]


def crowd(seconds: int, peers: int, changing: int, handshakes: int = 0) -> list[Sample]:
    """Some of the peers change each second."""
    chance, counts = random.Random(4), dict.fromkeys(range(peers), 0)
    samples = []
    for t in range(seconds):
        chosen = chance.sample(range(peers), changing) if t else range(peers)
        for i in chosen:
            counts[i] += chance.randrange(1, 100)
        changed = tuple(peer(f"10.0.{i >> 8}.{i & 255}", outcomes={"accepted": counts[i]}, last_ns=t) for i in chosen)
        seen = tuple(handshake(ts_ns=t * 1000 + i) for i in range(handshakes))
        samples.append(sample(t, sensor=sensor(peers=changed, handshakes=seen)))
    return samples


@pytest.mark.parametrize("name", make.SCENARIOS)
def test_each_step_is_the_model_that_was(name: str) -> None:
    kept = History()
    models = run(make.load(name), kept)
    assert steps(kept) == models
    assert [list(model.peers) for model in steps(kept)] == [list(model.peers) for model in models]


def test_from_peers_that_are_known_it_is_less_work_and_the_same() -> None:
    kept = History()
    models = run(crowd(20, 50, 5), kept)
    for skip in range(20):
        before = peers_at(kept.entries[:skip])
        assert model_at(kept.entries, before, skip) == models[-1]
        assert before == (models[skip - 1].peers if skip else {})


def test_the_newest_handshakes_come_back() -> None:
    kept = History()
    models = run(crowd(8, 3, 1, handshakes=300), kept)
    assert len(models[-1].handshakes) == MOST_HANDSHAKES
    assert [model.handshakes for model in steps(kept)] == [model.handshakes for model in models]


def test_peers_that_had_to_go_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfotop.model.fold.MOST_PEERS", 30)
    monkeypatch.setattr(packed, "MOST_PEERS", 30)
    kept = History()
    models = run(crowd(10, 50, 20), kept)
    assert [len(model.peers) for model in models] == [30] * 10
    assert steps(kept)[1:] == models[1:]


def test_nothing_is_kept_longer_than_the_span() -> None:
    kept = History(span_ns=100 * SECOND_NS)
    models = run(crowd(400, 20, 2), kept)
    assert len(kept.entries) <= 100 + history.TOGETHER + 2
    assert kept.entries[1].mono_ns >= models[-1].mono_ns - (100 + history.TOGETHER) * SECOND_NS
    assert steps(kept)[1:] == models[-len(kept.entries) + 1 :]


def test_memory_is_bounded_and_what_is_left_is_exact() -> None:
    kept, most = History(most_bytes=60_000), 0
    by_time = {}
    for one in run_each(crowd(300, 200, 100), kept):
        by_time[one.mono_ns] = one
        most = max(most, kept.size)
    assert most <= 60_000
    assert kept.size == sum(entry.size for entry in kept.entries)
    assert 10 < len(kept.entries) < 200
    for model in steps(kept)[1:]:
        assert model == by_time[model.mono_ns]


def run_each(samples: list[Sample], kept: History) -> list[Model]:
    models = []
    model = None
    for one in samples:
        model = fold(model, one)
        kept.add(model)
        assert kept.size <= 60_000
        models.append(model)
    return models


def test_steps_are_longer_the_longer_ago_they_are() -> None:
    kept = History(most_bytes=60_000)
    run(crowd(300, 200, 100), kept)
    times = [entry.mono_ns for entry in kept.entries]
    gaps = [(b - a) / SECOND_NS for a, b in pairwise(times)]
    third = len(gaps) // 3
    assert gaps[-1] <= 2
    assert sum(gaps[1:third]) > 2 * sum(gaps[-third:])
    assert times[1] - times[0] < 150 * SECOND_NS


def test_with_very_many_changes_not_each_sample_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PEERS_PER_SAMPLE", 10)
    kept = History()
    models = run(crowd(161, 400, 40), kept)
    assert 4 <= len(kept.entries) <= 6
    by_time = {model.mono_ns: model for model in models}
    assert all(model == by_time[model.mono_ns] for model in steps(kept))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 100, 200], 0),  # the oldest goes into the next when there is no other
        ([0, 10, 20, 30, 40], 1),
        ([0, 10, 90, 95, 100], 1),
        ([0, 90, 91, 92, 93, 94, 200], 2),
    ],
)
def test_which_steps_are_taken_together(times: list[int], expected: int) -> None:
    assert thinnest(times) == expected


def test_no_call_packs_more_than_a_few_peers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "AT_ONCE", 7)
    kept = History()
    models = run(crowd(3, 50, 20), kept)
    assert [len(entry.peers) for entry in kept.entries] == [8, 3, 3]
    assert steps(kept) == models


def test_the_outcomes_of_one_peer_at_each_step() -> None:
    kept = History(most_bytes=60_000)
    models = {model.mono_ns: model for model in run(crowd(300, 200, 100), kept)}
    (chosen,) = (key for key in next(iter(models.values())).peers if key[2] == "10.0.0.7")
    now: dict[str, int] = {}
    for entry in kept.entries[1:]:
        now = outcomes_of(entry, chosen) or now
        assert not now or now == models[entry.mono_ns].peers[chosen].reading.outcomes
    assert now
    assert outcomes_of(kept.entries[-1], (1, "server", "10.9.9.9", 443)) is None
