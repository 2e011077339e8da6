"""The views behind the keys 1 to 5, the ladder, and what stands beside them on a wide terminal."""

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Static

from tests.scenarios import make
from tests.scenarios.build import NO_EBPF, handshake, measured, peer, sample, sensor
from tfotop.feed import Past
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.views.tui import handshake_columns
from tfotop.views.tui.body import Body
from tfotop.views.tui.spread import PART
from tfotop.views.tui.widgets.handshakes import HandshakesTable
from tfotop.views.tui.widgets.lines import LinesView
from tfotop.views.tui.widgets.peers import PeersTable
from tfotop.views.tui.widgets.tabs import Tabs

from .screen import LARGE, NORMAL, feed, lines, models, of_peers, press, running, scenario, settled

NAMES = {"2": "QUEUE", "3": "OUTCOME", "4": "TCPFastOpenCookieReqd", "5": "first byte"}
WIDE = (200, 60)
SIZES = [NORMAL, LARGE, WIDE, (60, 16), (40, 12), (1, 1)]


def text(pilot: Pilot[None]) -> str:
    return "\n".join(lines(pilot))


def tab(pilot: Pilot[None]) -> str:
    return next(line for line in lines(pilot) if line.startswith(" 1 "))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("key", NAMES)
async def test_each_view_has_its_key(key: str, size: tuple[int, int]) -> None:
    async with running(scenario("incident"), size=size) as pilot:
        await press(pilot, key)
        front = HandshakesTable if key == "3" else LinesView
        assert pilot.app.query_one(Body)._in_front().__class__ is front
        assert not pilot.app.query_one(PeersTable).display
        if size in (NORMAL, LARGE, WIDE):
            assert NAMES[key] in text(pilot)
        await feed(pilot, scenario("incident"))
        await press(pilot, "1")
        assert pilot.app.query_one(PeersTable).display


async def test_a_click_on_a_name_shows_the_view() -> None:
    async with running(scenario("incident")) as pilot:
        await pilot.click(Tabs, offset=(tab(pilot).index("Counters"), 0))
        await settled(pilot)
        assert "TCPFastOpenCookieReqd" in text(pilot)
        await pilot.click(Tabs, offset=(79, 0))
        await settled(pilot)
        assert "TCPFastOpenCookieReqd" in text(pilot)


# The ladder


@pytest.mark.parametrize("back", ["escape", "1"])
async def test_the_ladder_of_the_peer_under_the_cursor_and_back(back: str) -> None:
    async with running(scenario("incident")) as pilot:
        await press(pilot, "j", "enter")
        assert "client 10.2.4.17:40239 -> 192.0.2.1:443  rejected: bad cookie" in text(pilot)
        assert "SYN-ACK  new cookie 8 B b0f7  data not acked" in text(pilot)
        assert "OUTCOMES" in text(pilot)
        await press(pilot, back)
        assert pilot.app.query_one(PeersTable).has_focus
        assert "PEER" in text(pilot)


async def test_the_ladder_follows_the_newest_handshake_of_its_peer() -> None:
    run = models(make.load("incident"))
    async with running(run[-2]) as pilot:
        await press(pilot, "j", "enter")
        assert "10.2.4.17:40238" in text(pilot)
        await feed(pilot, run[-1])
        assert "10.2.4.17:40239" in text(pilot)


async def test_the_ladder_of_a_handshake_stays_with_it() -> None:
    run = models(make.load("incident"))
    async with running(run[-2]) as pilot:
        await press(pilot, "3", "down", "enter")
        assert "client 10.2.4.17:40238 -> 192.0.2.1:443" in text(pilot)
        await feed(pilot, run[-1])
        assert "client 10.2.4.17:40238 -> 192.0.2.1:443" in text(pilot)
        await press(pilot, "escape")
        assert pilot.app.query_one(HandshakesTable).has_focus
        await press(pilot, "escape")
        assert pilot.app.query_one(PeersTable).has_focus


async def test_without_a_peer_enter_changes_nothing() -> None:
    async with running(fold(None, sample(sensor=sensor()))) as pilot:
        await press(pilot, "enter")
        assert pilot.app.query_one(PeersTable).display
        await press(pilot, "3", "enter")
        assert pilot.app.query_one(HandshakesTable).display


async def test_a_peer_without_a_kept_handshake_says_so() -> None:
    async with running(of_peers("192.0.2.9")) as pilot:
        await press(pilot, "enter")
        assert "No handshake of this peer is kept" in text(pilot)


def remembered(run: list[Model]) -> Past:
    """The past, as the feed keeps it."""
    past = Past()
    for model in run:
        past.add(model)
    return past


async def test_the_outcomes_of_the_past_are_beside_the_ladder() -> None:
    """Rejected from the 13th second on, of 20."""
    run = models(make.load("incident"))
    async with running(run[-1], size=LARGE, past=remembered(run)) as pilot:
        await press(pilot, "j", "enter")
        outcomes = [
            line.split("│ ")[-1].split() for line in lines(pilot) if "│ OUTCOMES" in line or "│ rejected" in line
        ]
        assert outcomes[0] == ["OUTCOMES", "ALL", "last", "19", "s"]
        assert outcomes[1][:2] == ["rejected", "420"]
        assert outcomes[1][2].startswith("▁▁▁▁▁▁▁")
        assert "█" in outcomes[1][2]


async def test_back_in_time_the_outcomes_end_there() -> None:
    run = models(make.load("incident"))
    async with running(run[-1], size=LARGE, past=remembered(run)) as pilot:
        await press(pilot, "j", "enter")
        await feed(pilot, run[10])
        await settled(pilot)
        assert "last 10 s" in text(pilot)


# The feed of handshakes


async def test_the_newest_handshake_is_at_the_top_and_the_cursor_stays_there() -> None:
    run = models(make.load("incident"))
    async with running(run[3]) as pilot:
        await press(pilot, "3")
        assert lines(pilot)[9].startswith("14:13:22.800")
        await feed(pilot, run[4])
        assert lines(pilot)[9].startswith("14:13:23.800")
        assert pilot.app.query_one(HandshakesTable).selected == run[4].handshakes[-1]


async def test_a_chosen_handshake_stays_where_it_is_while_others_come() -> None:
    run = models(make.load("incident"))
    async with running(run[8]) as pilot:
        await press(pilot, "3", "end")
        table = pilot.app.query_one(HandshakesTable)
        before, line = table.selected, lines(pilot)[-3]
        await feed(pilot, run[9])
        assert table.selected == before
        assert lines(pilot)[-3] == line
        await press(pilot, "home")
        assert table.selected == run[9].handshakes[-1]


@pytest.mark.parametrize(
    ("keys", "place"),
    [("j", 1), ("down", 1), ("G", 79), ("end k", 78), ("pagedown", 13), ("ctrl+f ctrl+b", 0), ("end g", 0), ("up", 0)],
)
async def test_keys_of_the_feed(keys: str, place: int) -> None:
    model = fold(None, sample(sensor=sensor(handshakes=tuple(handshake(ts_ns=i * 10**9) for i in range(80)))))
    async with running(model) as pilot:
        await press(pilot, "3", *keys.split())
        selected = pilot.app.query_one(HandshakesTable).selected
        assert selected == model.handshakes[-1 - place]


async def test_a_click_chooses_a_handshake_and_a_second_one_opens_it() -> None:
    async with running(scenario("incident")) as pilot:
        await press(pilot, "3")
        table = pilot.app.query_one(HandshakesTable)
        await pilot.click(table, offset=(5, 3))
        await settled(pilot)
        assert table.selected == scenario("incident").handshakes[-2]
        await pilot.click(table, offset=(5, 0))
        await pilot.click(table, offset=(5, 3))
        await settled(pilot)
        assert "client 10.2.4.17:40239" in text(pilot)


async def test_pause_stops_the_feed() -> None:
    run = models(make.load("incident"))
    async with running(run[3]) as pilot:
        await press(pilot, "3", "space")
        before = lines(pilot)[6:-2]
        await feed(pilot, run[4])
        assert lines(pilot)[6:-2] == before


async def test_only_visible_handshakes_are_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted = []
    row = handshake_columns.row
    monkeypatch.setattr(handshake_columns, "row", lambda columns, h: formatted.append(h) or row(columns, h))
    many = fold(None, sample(sensor=sensor(handshakes=tuple(handshake(ts_ns=i) for i in range(1000)))))
    async with running(many) as pilot:
        await press(pilot, "3")
        assert 0 < len(formatted) <= 4 * 16


async def test_without_handshakes_it_says_why() -> None:
    async with running(fold(None, sample(problems=(NO_EBPF,)))) as pilot:
        await press(pilot, "3")
        assert "handshakes need eBPF" in text(pilot)
        await feed(pilot, fold(None, sample(sensor=sensor())))
        assert "no handshake yet" in text(pilot)


# Lines with a cursor, and those that scroll


async def test_the_counter_under_the_cursor_is_told_in_a_sentence() -> None:
    async with running(scenario("incident")) as pilot:
        await press(pilot, "4", "j", "j")
        assert lines(pilot)[-3].strip() == "TCPFastOpenPassive: Server: connections accepted at the SYN."
        await pilot.click("#lines", offset=(3, 2))
        await settled(pilot)
        assert lines(pilot)[-4].startswith("TCPFastOpenActiveFail: ")
        assert lines(pilot)[-3].startswith("lost.")


@pytest.mark.parametrize("keys", ["end", "G", "pagedown pagedown"])
async def test_titles_stay_while_rows_scroll(keys: str) -> None:
    async with running(scenario("incident"), size=(80, 16)) as pilot:
        await press(pilot, "4", *keys.split())
        assert pilot.app.query_one("#lines", LinesView).scroll_offset.y > 0
        assert any(line.startswith("COUNTER") for line in lines(pilot))
        assert "TCPTimeouts" in text(pilot)
        await press(pilot, "g")
        assert pilot.app.query_one("#lines", LinesView).scroll_offset.y == 0


async def test_a_ladder_scrolls() -> None:
    async with running(scenario("incident"), size=(60, 16)) as pilot:
        await press(pilot, "j", "enter", "end")
        assert "LAST HANDSHAKES" in text(pilot)
        await press(pilot, "k", "home")
        assert "client 10.2.4.17" in text(pilot)


async def test_a_view_that_was_left_at_its_end_begins_at_its_top() -> None:
    async with running(scenario("incident"), size=(80, 16)) as pilot:
        await press(pilot, "4", "end", "2", "4")
        assert pilot.app.query_one("#lines", LinesView).scroll_offset.y == 0


# Latency


async def test_latency_of_all_peers_or_of_the_chosen_one() -> None:
    async with running(scenario("incident")) as pilot:
        await press(pilot, "j", "5")
        assert "server, 13 peers: SYN in to first request byte" in text(pilot)
        await press(pilot, "enter")
        assert "server 10.2.4.17 port 443: SYN in to first request byte" in text(pilot)
        assert "> one peer" in tab(pilot)
        await press(pilot, "enter")
        assert "server, 13 peers" in text(pilot)


async def test_latency_without_the_sensor_says_so() -> None:
    async with running(fold(None, sample(problems=(NO_EBPF,)))) as pilot:
        await press(pilot, "5")
        assert "Only eBPF sees the first byte." in text(pilot)


async def test_many_peers_are_added_up_a_few_at_a_time() -> None:
    def crowd(number: int, at_s: int) -> Model:
        first_bytes = measured(0)
        peers = tuple(peer(f"10.{i >> 8}.{i & 255}.1", with_tfo=first_bytes) for i in range(number))
        return fold(None, sample(at_s, sensor=sensor(peers=peers)))

    async with running(crowd(2 * PART + 1, 0)) as pilot:
        await settled(pilot)
        await press(pilot, "5")
        assert f"server, {2 * PART + 1} peers" in text(pilot)
        assert f"with Fast Open: {2 * PART + 1}" in text(pilot)
        await feed(pilot, crowd(2 * PART + 2, 1), crowd(2 * PART + 3, 2))
        await settled(pilot)
        assert f"server, {2 * PART + 3} peers" in text(pilot)


# Side by side, and too small


async def test_on_a_wide_terminal_views_stand_side_by_side() -> None:
    async with running(scenario("incident"), size=WIDE) as pilot:
        await press(pilot, "j")
        for part in ("PEER ", "client 10.2.4.17:40239", "server, 13 peers", "acked/sent", "PassiveFail"):
            assert part in text(pilot)
        await press(pilot, "j")
        assert "server 10.2.4.18 port 443" in text(pilot)
        await press(pilot, "5")
        assert "TCPFastOpenCookieReqd" in text(pilot)
        await press(pilot, "3")
        assert "client 192.0.2.1:39912 -> 10.9.0.14:8443" in text(pilot)


@pytest.mark.parametrize("size", [(59, 24), (80, 15), (40, 12), (20, 5)], ids=str)
async def test_a_terminal_that_is_too_small_says_so(size: tuple[int, int]) -> None:
    async with running(scenario("incident"), size=size) as pilot:
        said = " ".join(line.strip() for line in lines(pilot))
        assert said.startswith(f"tfotop: {size[0]}x{size[1]} is too small, 60x16 is the")
        if size == (80, 15):
            assert "! bad cookie" in said
            assert "rejected     137/s" in said
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert not pilot.app.query_one("#small", Static).display
        assert "PEER" in text(pilot)


@pytest.mark.parametrize("page", ["1", "2", "3", "4", "5", "enter", "question_mark"])
async def test_any_size_at_any_view(page: str) -> None:
    async with running(scenario("incident"), size=WIDE) as pilot:
        await press(pilot, "j", page)
        for size in ((1, 1), (2, 3), (60, 16), (59, 16), (161, 45), (160, 19), (400, 20), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert [cell_len(line) for line in lines(pilot)] == [size[0]] * size[1]


async def test_a_model_that_comes_while_it_ends_does_no_harm() -> None:
    async with running(scenario("rejected")) as pilot:
        pilot.app.exit()
        await feed(pilot, scenario("healthy"))
        assert pilot.app.shown.model == scenario("rejected")
    assert pilot.app.return_code in (0, None)


# A source that dies and comes back


async def test_a_sensor_that_dies_and_comes_back() -> None:
    first, second = (sensor(peers=(peer(),), attached_ns=ns) for ns in (5_000 * 10**9, 5_002 * 10**9))
    run = models([sample(sensor=first), sample(1, problems=(NO_EBPF,)), sample(3, sensor=second), sample(4)])
    for key in ("1", "2", "3", "4", "5", "enter"):
        async with running(run[0], size=LARGE) as pilot:
            await press(pilot, "j", key)
            await feed(pilot, run[1])
            assert "no eBPF" in lines(pilot)[0]
            assert "! not known: sensor: bcc is not installed" in lines(pilot)[1]
            await feed(pilot, run[2])
            assert "eBPF" in lines(pilot)[0]
            assert lines(pilot)[1].startswith("ok")
