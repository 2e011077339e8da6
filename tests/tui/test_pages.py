"""The views behind the keys 2 to 5, and the ladder of the peer under the cursor."""

import pytest

from tests.scenarios.build import sample, sensor
from tfotop.model.fold import fold
from tfotop.views.tui.widgets.lines import LinesView
from tfotop.views.tui.widgets.peers import PeersTable

from .screen import LARGE, NORMAL, feed, lines, of_peers, running, scenario

NAMES = {"2": "QUEUE", "3": "OUTCOME", "4": "TCPFastOpenCookieReqd", "5": "first byte"}


@pytest.mark.parametrize("size", [NORMAL, LARGE, (40, 12), (1, 1)])
@pytest.mark.parametrize("key", NAMES)
async def test_each_view_has_its_key(key: str, size: tuple[int, int]) -> None:
    async with running(scenario("rejected"), size=size) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert pilot.app.query_one(LinesView).display
        assert not pilot.app.query_one(PeersTable).display
        if size in (NORMAL, LARGE):
            assert NAMES[key] in "\n".join(lines(pilot))
        await feed(pilot, scenario("rejected"))
        await pilot.press("1")
        assert pilot.app.query_one(PeersTable).display


@pytest.mark.parametrize("back", ["escape", "1"])
async def test_the_ladder_of_the_peer_under_the_cursor_and_back(back: str) -> None:
    async with running(scenario("rejected")) as pilot:
        await pilot.press("j", "enter")
        await pilot.pause()
        text = "\n".join(lines(pilot))
        assert "SYN-ACK" in text or "No handshake of this peer is kept" in text
        await pilot.press(back)
        await pilot.pause()
        assert pilot.app.query_one(PeersTable).has_focus
        await pilot.press("j")
    assert pilot.app.return_code in (0, None)


async def test_the_ladder_shows_the_last_handshake_of_that_peer() -> None:
    async with running(scenario("rejected")) as pilot:
        table = pilot.app.query_one(PeersTable)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert table.selected is not None
        assert table.selected.reading.address in "\n".join(lines(pilot))


async def test_without_a_peer_enter_changes_nothing() -> None:
    async with running(fold(None, sample(sensor=sensor()))) as pilot:
        await pilot.press("enter")
        assert pilot.app.query_one(PeersTable).display


async def test_a_peer_without_a_kept_handshake_says_so() -> None:
    async with running(of_peers("192.0.2.9")) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert "No handshake of this peer is kept" in "\n".join(lines(pilot))


async def test_long_views_scroll() -> None:
    async with running(scenario("rejected"), size=(80, 12)) as pilot:
        await pilot.press("4")
        await pilot.pause()
        await pilot.press("G")
        await pilot.pause()
        assert pilot.app.query_one(LinesView).scroll_offset.y > 0


async def test_a_model_that_comes_while_it_ends_does_no_harm() -> None:
    async with running(scenario("rejected")) as pilot:
        pilot.app.exit()
        await feed(pilot, scenario("healthy"))
        assert pilot.app.newest is not None
        assert pilot.app.newest == scenario("rejected")
    assert pilot.app.return_code in (0, None)
