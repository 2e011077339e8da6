"""Find: the filter bar."""

import random
from collections.abc import Iterator
from ipaddress import ip_network
from unicodedata import category

import pytest
from rich.cells import cell_len
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from tests.scenarios.build import handshake, sample, sensor
from tests.tui.crowd import HOSTS, SICK, crowd, told, typed
from tests.tui.screen import LARGE, NORMAL, cursor, feed, lines, of_peers, press, running, scenario, settled, shown
from tfotop.model.facts import FIELDS
from tfotop.model.fold import fold
from tfotop.model.order import Order
from tfotop.model.selection import Selection
from tfotop.views.tui.widgets.filter_bar import finished
from tfotop.views.tui.widgets.handshakes import HandshakesTable
from tfotop.views.tui.widgets.peers import PeersTable


async def test_the_filter_is_live_while_typing() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"port:4")
        assert typed(pilot) == "port:4"
        assert shown(pilot) == ["none"]
        assert told(pilot) == "0 of 10 peers  /port:4"
        await press(pilot, *"43 accepted>")
        assert told(pilot).startswith("! accepted> needs a value")
        await press(pilot, "4")
        assert shown(pilot) == ["10.0.1.7", "10.0.2.5"]
        assert told(pilot) == "2 of 10 peers  /port:443 accepted>4"
        assert "".join(lines(pilot)).count("/ port:443 accepted>4") == 1


async def test_a_bad_filter_keeps_the_last_good_one_and_says_what_is_wrong() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"port:80")
        before = shown(pilot)
        await press(pilot, *" role:x")
        assert shown(pilot) == before
        assert told(pilot) == "! no role x; there are client server"
        await feed(pilot, crowd(SICK, at_s=1))
        assert told(pilot).startswith("! no role x")
        await press(pilot, "backspace", "s")
        assert told(pilot) == "5 of 10 peers  /port:80 role:s"


async def test_the_beginning_of_a_field_is_no_search_until_enter() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"port:443 com")
        assert told(pilot) == "5 of 10 peers  /port:443"
        await press(pilot, "enter")
        assert told(pilot) == "0 of 10 peers  /port:443 com"


@pytest.mark.parametrize(
    ("text", "what"),
    [("rol", ""), ("port:80 -ro", "port:80"), ("role:", "role:"), ("role:s", "role:s"), ("web", "web"), ("-", "-")],
)
def test_what_is_finished(text: str, what: str) -> None:
    assert finished(text) == what


async def test_enter_keeps_the_filter_and_gives_the_keys_back() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"comm:ngi", "enter")
        assert typed(pilot) is None
        assert pilot.app.query_one(PeersTable).has_focus
        assert shown(pilot) == ["10.0.7.7"]
        assert told(pilot) == "1 of 10 peers  /comm:ngi"
        await feed(pilot, crowd(at_s=1))
        assert told(pilot) == "0 of 9 peers  /comm:ngi"
        await press(pilot, "slash")
        assert typed(pilot) == "comm:ngi"


async def test_escape_in_the_bar_drops_the_filter() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"comm:ngi", "escape")
        assert (typed(pilot), told(pilot)) == (None, "")
        assert len(shown(pilot)) == 10
        assert pilot.app.query_one(PeersTable).has_focus
        assert pilot.app.is_running


async def test_escape_later_drops_it_too() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"comm:ngi", "enter", "escape")
        assert told(pilot) == ""
        assert len(shown(pilot)) == 10


async def test_enter_on_a_bad_filter_keeps_the_last_good_one() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"comm:ngi role:", "enter")
        assert told(pilot) == "1 of 10 peers  /comm:ngi"


async def test_the_keys_of_the_screen_are_letters_in_the_bar() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"qs 1[<b?tyiL")
        assert pilot.app.is_running
        assert typed(pilot) == "qs 1[<b?tyiL"
        assert pilot.app.wanted.order == Order()


async def test_down_leaves_the_bar_for_the_rows() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "slash", *"port:80", "down", "down")
        assert typed(pilot) is None
        assert cursor(pilot) == shown(pilot)[0]


async def test_the_filter_is_also_that_of_the_handshakes() -> None:
    seen = tuple(handshake(ts_ns=i, role=("client", "server")[i % 4 == 0]) for i in range(20))
    async with running(fold(None, sample(sensor=sensor(peers=HOSTS, handshakes=seen)))) as pilot:
        await press(pilot, "3", "slash", *"role:server")
        assert told(pilot) == "5 of 20 handshakes  /role:server"
        table = pilot.app.query_one(HandshakesTable)
        roles = [table.render_line(y).text.split()[1] for y in range(2, 7)]
        assert roles == ["server"] * 5
        assert not table.render_line(7).text.strip()
        await press(pilot, "enter")
        assert table.has_focus
        await press(pilot, "1")
        assert told(pilot) == "9 of 9 peers  /role:server"


async def test_the_selection_of_the_command_line_is_always_said() -> None:
    wanted = Selection(role="server", port=443, peer=ip_network("10.0.0.0/8"))
    async with running(crowd(SICK), selection=wanted) as pilot:
        assert told(pilot) == "5 of 10 peers  --role server  --port 443  --peer 10.0.0.0/8"
        await press(pilot, "2")
        assert told(pilot) == "--role server  --port 443  --peer 10.0.0.0/8"


async def test_nothing_is_said_where_nothing_is_asked_for() -> None:
    async with running(crowd(SICK)) as pilot:
        assert told(pilot) == ""


async def test_a_filter_waits_for_the_first_model() -> None:
    async with running() as pilot:
        await press(pilot, "slash", *"comm:ngi", "enter")
        assert told(pilot) == "/comm:ngi"
        await feed(pilot, crowd(SICK))
        assert shown(pilot) == ["10.0.7.7"]


def strange(count: int) -> Iterator[str]:
    """Texts of all sorts of characters."""
    chance = random.Random(11)
    parts = (
        *FIELDS,
        *":<>=,-!%/ \t",
        "\x1b[2J",
        "\x00",
        "\u202e",
        "データ",
        "é",
        "\udc80",
        "1e999",
        "0x1",
        "[red]",
        "::",
    )
    for _ in range(count):
        yield "".join(chance.choice((chance.choice(parts), chr(chance.randrange(0x110000)))) for _ in range(12))


async def test_any_bytes_typed_do_no_harm() -> None:
    async with running(crowd(SICK)) as pilot:
        for text in strange(100):
            await pilot.press("slash")
            pilot.app.query_one(Input).value = text
            await settled(pilot)
            assert [cell_len(line) for line in lines(pilot)] == [NORMAL[0]] * NORMAL[1]
            assert "Cc" not in {category(c) for line in lines(pilot) for c in line}
            await pilot.press("enter")
        assert pilot.app.is_running


@pytest.mark.parametrize("size", [(60, 16), (40, 12), (20, 5), (1, 1)], ids=str)
async def test_the_bar_on_small_terminals(size: tuple[int, int]) -> None:
    async with running(crowd(SICK), size=size) as pilot:
        await press(pilot, "slash", *"port:80 role:", "enter", "b", "s", "escape", "escape")
        assert [cell_len(line) for line in lines(pilot)] == [size[0]] * size[1]


async def test_a_scenario_from_end_to_end() -> None:
    async with running(scenario("rejected"), size=LARGE) as pilot:
        assert shown(pilot)[0] == "10.2.4.17"
        await press(pilot, "slash", *"accepted<1% rejected>50% 10.2.0.0/16 -role:client", "enter")
        assert told(pilot).startswith("1 of 2 peers")
        assert shown(pilot) == ["10.2.4.17"]


async def test_of_peers_without_a_model_nothing_is_sorted() -> None:
    async with running() as pilot:
        await press(pilot, "s", "i", "b", "down", "enter", "escape")
        assert pilot.app.is_running
        await feed(pilot, of_peers("10.0.0.1"))
        assert shown(pilot) == ["10.0.0.0/24"]


def at_once(pilot: Pilot[None], *keys: str) -> None:
    """Keys as a terminal sends what is pasted, or typed on a slow link: none waits for the one before."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        pilot.app.post_message(Key(name, key if len(key) == 1 else None))


async def test_keys_that_come_together_are_not_lost() -> None:
    async with running(crowd(SICK)) as pilot:
        at_once(pilot, *"/cookie:rej")
        await settled(pilot)
        assert typed(pilot) == "cookie:rej"
        assert shown(pilot) == ["10.0.7.7"]


@pytest.mark.parametrize("enter", ["enter", "down"])
async def test_enter_that_comes_with_the_filter_keeps_all_of_it(enter: str) -> None:
    async with running(crowd(SICK)) as pilot:
        at_once(pilot, *"/port:443", enter, "j")
        await settled(pilot)
        assert typed(pilot) is None
        assert told(pilot) == "5 of 10 peers  /port:443"
        assert cursor(pilot) == shown(pilot)[0]


async def test_escape_that_comes_with_the_filter_drops_all_of_it() -> None:
    async with running(crowd(SICK)) as pilot:
        at_once(pilot, *"/port:443", "escape", "j")
        await settled(pilot)
        assert typed(pilot) is None
        assert told(pilot) == ""
        assert cursor(pilot) == shown(pilot)[0]
