"""Time: pause, steps back and forward, and live again."""

import pytest
from textual.pilot import Pilot

from tests.scenarios import make
from tests.scenarios.build import peer, sample, sensor
from tests.tui.screen import LARGE, feed, lines, models, press, running, settled, shown
from tfotop.feed import NEAR, Past
from tfotop.model import steps
from tfotop.model.history import History
from tfotop.model.state import Model
from tfotop.sample import Sample
from tfotop.views.tui import travel


def run(seconds: int) -> list[Sample]:
    """One more peer each second."""
    return [sample(t, sensor=sensor(peers=(peer(f"10.0.0.{t % 250}", first_ns=t),))) for t in range(seconds)]


def past(fed: list[Model]) -> Past:
    made = Past()
    for model in fed:
        made.add(model)
    return made


def state(pilot: Pilot[None]) -> str:
    """The end of the header: LIVE or PAUSED, and the time."""
    words = lines(pilot)[0].split()
    place = next(i for i, word in enumerate(words) if word in ("LIVE", "PAUSED"))
    return " ".join(words[place:])


async def test_pause_freezes_the_view_and_says_how_old_it_is() -> None:
    fed = models(run(4))
    async with running(fed[0]) as pilot:
        await press(pilot, "space")
        assert state(pilot) == "PAUSED 14:13:20"
        before = lines(pilot)[1:]
        await feed(pilot, fed[1], fed[2])
        assert state(pilot) == "PAUSED -2s 14:13:20"
        assert lines(pilot)[1:] == before
        await press(pilot, "space")
        assert state(pilot) == "LIVE 14:13:22"
        assert shown(pilot) == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
        await feed(pilot, fed[3])
        assert state(pilot) == "LIVE 14:13:23"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("[", "PAUSED -1s 14:15:18"),
        ("[[[", "PAUSED -3s 14:15:16"),
        ("[[]", "PAUSED -1s 14:15:18"),
        ("[]", "PAUSED 14:15:19"),
        ("]", "PAUSED 14:15:19"),
        ("{", "PAUSED -1m00s 14:14:19"),
        ("{[[", "PAUSED -1m02s 14:14:17"),
        ("{}", "PAUSED 14:15:19"),
        ("{{{{", "PAUSED -1m59s 14:13:20"),
        ("{{{{[", "PAUSED -1m59s 14:13:20"),
        (" [", "PAUSED -1s 14:15:18"),
        ("[L", "LIVE 14:15:19"),
        ("{[ ", "LIVE 14:15:19"),
        ("L", "LIVE 14:15:19"),
    ],
)
async def test_steps_through_time(keys: str, expected: str) -> None:
    fed = models(run(120))
    async with running(fed[-1], size=LARGE, past=past(fed)) as pilot:
        for key in keys:
            await press(pilot, key)
        assert state(pilot) == expected


@pytest.mark.parametrize("name", ["healthy", "rejected", "server_bit_off"])
async def test_what_was_is_shown_as_it_was(name: str) -> None:
    fed = models(make.load(name))
    seen = []
    async with running(size=LARGE, past=past(fed)) as pilot:
        for model in fed:
            await feed(pilot, model)
            seen.append([*lines(pilot)[3:5], *shown(pilot)])
        for before in reversed(seen[:-1]):
            await press(pilot, "[")
            assert [*lines(pilot)[3:5], *shown(pilot)] == before
        for after in seen[1:]:
            await press(pilot, "]")
            assert [*lines(pilot)[3:5], *shown(pilot)] == after


async def test_collecting_goes_on_while_looking_back() -> None:
    fed = models(run(6))
    kept = past(fed[:3])
    async with running(fed[2], past=kept) as pilot:
        await press(pilot, "[")
        assert state(pilot) == "PAUSED -1s 14:13:21"
        for model in fed[3:]:
            kept.add(model)
            await feed(pilot, model)
        assert state(pilot) == "PAUSED -4s 14:13:21"
        assert shown(pilot) == ["10.0.0.0", "10.0.0.1"]
        await press(pilot, "]", "]")
        assert state(pilot) == "PAUSED -2s 14:13:23"
        await press(pilot, "L")
        assert (state(pilot), len(shown(pilot))) == ("LIVE 14:13:25", 6)


async def test_filter_order_and_groups_hold_in_the_past() -> None:
    fed = models(run(5))
    async with running(fed[-1], past=past(fed)) as pilot:
        await press(pilot, "slash", *"-10.0.0.1", "enter", "s", "i", "[")
        assert shown(pilot) == ["10.0.0.3", "10.0.0.2", "10.0.0.0"]
        await press(pilot, "i", "[")
        assert shown(pilot) == ["10.0.0.0", "10.0.0.2"]
        await press(pilot, "b")
        assert shown(pilot) == ["10.0.0.0/24"]


async def test_keys_faster_than_what_they_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = models(run(60))
    kept, asked = past(fed), []
    at = kept.at
    monkeypatch.setattr(kept, "at", lambda mono_ns: asked.append(mono_ns) or at(mono_ns))
    async with running(fed[-1], past=kept) as pilot:
        for _ in range(20):
            pilot.app.action_step(-1)
        await settled(pilot)
        assert state(pilot) == "PAUSED -20s 14:13:59"
        assert len(asked) <= 2
        pilot.app.action_step(-1)
        pilot.app.action_live()
        await settled(pilot)
        assert state(pilot) == "LIVE 14:14:19"


async def test_without_a_past_the_keys_do_nothing() -> None:
    async with running(*models(run(1))) as pilot:
        await press(pilot, "[", "]", "{", "}")
        assert state(pilot) == "LIVE 14:13:20"


async def test_before_the_first_model_the_keys_do_nothing() -> None:
    async with running(past=Past()) as pilot:
        await press(pilot, "[", "space", "L", "}", "space")
        assert pilot.app.is_running


async def test_looking_back_while_the_screen_ends_does_no_harm() -> None:
    fed = models(run(30))
    async with running(fed[-1], past=past(fed)) as pilot:
        await pilot.press("[", "{", "q")
    assert pilot.app.return_code in (0, None)


# The past itself


def test_each_moment_of_the_past_in_any_order() -> None:
    fed = models(run(5 * NEAR))
    kept = past(fed)
    assert list(kept.moments()) == [model.mono_ns for model in fed]
    for index in (0, 70, 69, 68, 40, 41, 42, 3, 79, 60, 0, 1):
        assert kept.at(fed[index].mono_ns) == fed[index]
        kept.forget()
    for index in reversed(range(len(fed))):
        assert kept.at(fed[index].mono_ns + 1) == fed[index]
    assert kept.at(0) == fed[0]


def test_steps_back_do_not_unpack_everything_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = models(run(200))
    kept = past(fed)
    entries: list[int] = []
    peers_at, model_at = travel_parts()
    monkeypatch.setattr("tfotop.feed.peers_at", lambda e, *a: entries.append(len(e)) or peers_at(e, *a))
    monkeypatch.setattr(
        "tfotop.feed.model_at", lambda e, b, skip: entries.append(len(e) - skip) or model_at(e, b, skip)
    )
    for model in reversed(fed[100:]):
        assert kept.at(model.mono_ns) == model
    assert sum(entries) < 100 * 200 / 5


def travel_parts() -> tuple[object, object]:
    return steps.peers_at, steps.model_at


def test_a_past_that_forgets_goes_back_as_far_as_it_can() -> None:
    fed = models(run(300))
    kept = Past(History(span_ns=100 * 10**9))
    for model in fed:
        kept.add(model)
    assert kept.at(0) == kept.at(kept.moments()[0])


@pytest.mark.parametrize(("seconds", "text"), [(1, "-1s"), (59, "-59s"), (60, "-1m00s"), (899, "-14m59s")])
def test_how_long_ago(seconds: int, text: str) -> None:
    assert travel._ago(seconds) == text


def test_the_outcomes_of_a_peer_come_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = [
        sample(t, sensor=sensor(peers=(peer("10.0.0.1", outcomes={"accepted": t // 2 + 1}), peer(f"10.0.1.{t}"))))
        for t in range(60)
    ]
    fed = models(counted)
    kept, key = past(fed[:50]), next(iter(fed[0].peers))
    whole = [(model.mono_ns, model.peers[key].reading.outcomes) for model in fed]
    assert kept.of(key) == whole[:50]
    kept.of((1, "server", "10.0.1.1", 443))
    monkeypatch.setattr("tfotop.feed.LOOKED_AT", 10 * kept._entries[-1].size)
    newest = kept.of(key)
    assert 5 < len(newest) < 20
    assert newest == whole[50 - len(newest) : 50]
    for model in fed[50:]:
        kept.add(model)
    for _ in range(10):
        kept.of(key)
    assert kept.of(key) == whole
