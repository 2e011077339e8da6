"""The probe behind the key p: what is typed, what is shown, and who ends it."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.scenarios.build import peer, sample, sensor
from tfotop.model.fold import fold
from tfotop.views.tui.app import TfotopApp
from tfotop.views.tui.probe_screen import BEFORE, ProbeScreen, wrapped
from tfotop.views.tui.widgets.lines import LinesView
from tfotop.views.tui.widgets.peers import PeersTable

from .screen import LARGE, NORMAL, lines, of_peers, running

Tell = Callable[[str | None], object]


class Probes:
    """Stands in for the command: what was asked for, and how to say something."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stopped = 0
        self.tell: Tell = lambda _: None

    def __call__(self, text: str, tell: Tell) -> Callable[[], None]:
        self.asked.append(text)
        self.tell = tell
        return self._stop

    def _stop(self) -> None:
        self.stopped += 1


def install(pilot: Pilot[None]) -> Probes:
    assert isinstance(pilot.app, TfotopApp)
    pilot.app.prober = probes = Probes()
    return probes


def text(pilot: Pilot[None]) -> str:
    return "\n".join(lines(pilot))


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


@pytest.mark.parametrize(
    ("about", "prefilled"),
    [
        ({"role": "client", "port": 443}, "192.0.2.9:443"),
        ({"role": "server", "port": 80}, "192.0.2.9"),
        ({"role": "client", "port": 443, "netns": 77}, "192.0.2.9:443 --netns 77"),
    ],
)
async def test_the_peer_under_the_cursor_is_offered(about: dict[str, object], prefilled: str) -> None:
    model = fold(None, sample(sensor=sensor(peers=(peer("192.0.2.9", **about),))))
    async with running(model) as pilot:
        install(pilot)
        await press(pilot, "down", "p")
        assert isinstance(pilot.app.screen, ProbeScreen)
        assert pilot.app.screen.query_one(Input).value == prefilled
        assert BEFORE[0] in text(pilot)


async def test_an_address_of_ipv6_is_in_brackets() -> None:
    async with running(of_peers("2001:db8::7", role="client", port=443)) as pilot:
        install(pilot)
        await press(pilot, "down", "p")
        assert pilot.app.screen.query_one(Input).value == "[2001:db8::7]:443"


@pytest.mark.parametrize("size", [NORMAL, LARGE, (40, 12)])
async def test_what_is_typed_is_probed_and_its_lines_are_shown(size: tuple[int, int]) -> None:
    async with running(of_peers(), size=size) as pilot:
        probes = install(pilot)
        await press(pilot, "p", *"sq p", "enter")  # keys that do something else elsewhere
        assert probes.asked == ["sq p"]
        assert "running  Esc stop" in text(pilot)
        for said in ("probe web", "1/5 \x1b[31mfirst", "word " * 40):
            probes.tell(said)
        await pilot.pause()
        assert "1/5 ?[31mfirst" in text(pilot)
        assert text(pilot).count("word") == 40
        probes.tell(None)
        await pilot.pause()
        assert "p again  Esc back" in text(pilot)


async def test_esc_stops_it_first_and_then_goes_back() -> None:
    async with running(of_peers("192.0.2.9")) as pilot:
        probes = install(pilot)
        await press(pilot, "p", "a", "enter", "escape")
        assert probes.stopped == 1
        assert isinstance(pilot.app.screen, ProbeScreen)
        probes.tell("Fast Open works: so far")
        probes.tell(None)
        await pilot.pause()
        assert "Fast Open works: so far" in text(pilot)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, ProbeScreen)
        assert pilot.app.query_one(PeersTable).has_focus


async def test_another_one_can_follow_but_not_meanwhile() -> None:
    async with running(of_peers()) as pilot:
        probes = install(pilot)
        await press(pilot, "p", "a", "enter", "p", "enter")
        assert probes.asked == ["a"]
        probes.tell(None)
        await pilot.pause()
        await press(pilot, "p", "b", "enter")
        assert probes.asked == ["a", "ab"]


async def test_nothing_typed_is_nothing_sent() -> None:
    async with running(of_peers()) as pilot:
        probes = install(pilot)
        await press(pilot, "p", "space", "enter")
        assert probes.asked == []


async def test_a_probe_ends_with_the_screen() -> None:
    async with running(of_peers()) as pilot:
        probes = install(pilot)
        await press(pilot, "p", "a", "enter", "ctrl+c")
        assert pilot.app.return_code in (0, None)
    assert probes.stopped == 1


async def test_without_a_way_to_probe_it_says_so() -> None:
    async with running(of_peers("192.0.2.9")) as pilot:
        await press(pilot, "p")
        assert not isinstance(pilot.app.screen, ProbeScreen)
        assert "tfotop probe HOST" in text(pilot)


async def test_long_probes_scroll() -> None:
    async with running(of_peers()) as pilot:
        probes = install(pilot)
        await press(pilot, "p", "a", "enter")
        for number in range(100):
            probes.tell(f"line {number}")
        probes.tell(None)
        await pilot.pause()
        await pilot.pause()
        assert "line 99" in text(pilot)
        await press(pilot, "g")
        view = pilot.app.screen.query_one(LinesView)
        assert view.scroll_offset.y == 0
        assert "line 0" in text(pilot)


def test_lines_are_wrapped_not_cut() -> None:
    assert wrapped("", 20) == [""]
    assert wrapped("  1/5  first contact     22.00", 80) == ["  1/5  first contact     22.00"]
    assert wrapped("a " * 30, 20) == [
        "a a a a a a a a a a",
        "    a a a a a a a a",
        "    a a a a a a a a",
        "    a a a a",
    ]
