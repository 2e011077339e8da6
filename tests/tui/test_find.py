"""Find and order: the filter bar, sorting, groups, and the cursor meanwhile."""

import random
from collections.abc import Iterator
from ipaddress import ip_network
from unicodedata import category

import pytest
from rich.cells import cell_len
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.scenarios.build import handshake, peer, sample, sensor
from tests.tui.screen import LARGE, NORMAL, cursor, feed, lines, of_peers, press, running, scenario, settled, shown
from tfotop.model.facts import FIELDS
from tfotop.model.fold import fold
from tfotop.model.order import COLUMNS, Order
from tfotop.model.selection import Selection
from tfotop.model.state import Model
from tfotop.sample import Process
from tfotop.views.tui import columns, finding
from tfotop.views.tui.widgets.filter_bar import FilterBar, finished
from tfotop.views.tui.widgets.handshakes import HandshakesTable
from tfotop.views.tui.widgets.peers import PeersTable

HOSTS = tuple(
    peer(f"10.0.{i % 3}.{i}", first_ns=i, last_ns=100 - i, port=(80, 443)[i % 2], outcomes={"accepted": i + 1})
    for i in range(9)
)
SICK = peer("10.0.7.7", outcomes={"rejected": 9}, last_outcome="rejected", process=Process(pid=1, comm="nginx"))


def crowd(*more: object, before: Model | None = None, at_s: float = 0) -> Model:
    return fold(before, sample(at_s, sensor=sensor(peers=(*HOSTS, *more))))


def told(pilot: Pilot[None]) -> str:
    """The line of the filter bar that is not typed."""
    status = pilot.app.query_one("#status", Static)
    return str(status.content) if status.display else ""


def typed(pilot: Pilot[None]) -> str | None:
    """What stands in the bar; None if it is closed."""
    return pilot.app.query_one(Input).value if pilot.app.query_one(FilterBar).is_open else None


def marks(pilot: Pilot[None]) -> str:
    """The line of titles."""
    return pilot.app.query_one(PeersTable).render_line(1).text


# The filter


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
        assert [len(line) for line in lines(pilot)] == [size[0]] * size[1]


# Order


async def test_the_sick_peer_is_at_the_top() -> None:
    async with running(crowd(SICK)) as pilot:
        assert shown(pilot)[0] == "10.0.7.7"
        assert "COOKIE▼" in marks(pilot)


@pytest.mark.parametrize("keys", [["s"], ["greater_than_sign"]], ids=str)
async def test_every_column_can_be_sorted_by_keys(keys: list[str]) -> None:
    async with running(crowd(SICK), size=LARGE) as pilot:
        seen = []
        for _ in columns.PEER_COLUMNS:
            await press(pilot, *keys)
            column = pilot.app.wanted.order.column
            seen.append(column)
            title = next(c for c in columns.PEER_COLUMNS if c.order == column)
            mark = "▼" if COLUMNS[column].falling else "▲"
            assert (f"{mark}{title.title}" if title.right else f"{title.title}{mark}") in marks(pilot)
            assert marks(pilot).count("▼") + marks(pilot).count("▲") == 1
        assert sorted(seen) == sorted(columns.orders())
        assert seen[0] == "accepted"


async def test_the_column_before_and_the_inverse() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "s", "s", "s", "less_than_sign", "less_than_sign")
        assert pilot.app.wanted.order == Order("accepted")
        assert shown(pilot)[:2] == ["10.0.2.8", "10.0.1.7"]
        assert told(pilot) == "10 of 10 peers  sorted by ACCEPT ▼"
        await press(pilot, "i")
        assert shown(pilot)[:2] == ["10.0.7.7", "10.0.0.0"]
        assert "▲ACCEPT" in marks(pilot)
        assert told(pilot) == "10 of 10 peers  sorted by ACCEPT ▲"
        await press(pilot, "i")
        assert "▼ACCEPT" in marks(pilot)


async def test_sorting_by_a_column_that_does_not_fit_is_said() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, *["less_than_sign"] * 4)
        assert pilot.app.wanted.order.column == "process"
        assert told(pilot) == "10 of 10 peers  sorted by PROCESS ▲"
        assert shown(pilot)[0] == "10.0.7.7"


async def test_a_click_on_a_title_sorts_and_the_next_one_inverts() -> None:
    async with running(crowd(SICK)) as pilot:
        place = marks(pilot).index("PORT")
        await pilot.click(PeersTable, offset=(place, 1))
        await settled(pilot)
        assert pilot.app.wanted.order == Order("port")
        await pilot.click(PeersTable, offset=(place, 0))
        await settled(pilot)
        assert pilot.app.wanted.order == Order("port", inverted=True)
        assert "▼PORT" in marks(pilot)


async def test_a_click_behind_the_columns_changes_nothing() -> None:
    async with running(crowd(SICK), size=(200, 24)) as pilot:
        wide = pilot.app.query_one(PeersTable).size.width
        await pilot.click(PeersTable, offset=(wide - 2, 1))
        await settled(pilot)
        assert pilot.app.is_running


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160])
@pytest.mark.parametrize("kind", ["", "network", "port", "process", "namespace"])
def test_the_mark_stands_in_a_blank_whatever_fits(width: int, kind: str) -> None:
    chosen = columns.fitting(width, kind)
    plain = columns.titles(chosen)[1]
    for column in chosen:
        for inverted in (False, True):
            marked = columns.titles(chosen, Order(column.order, inverted))[1]
            differ = [(a, b) for a, b in zip(plain, marked, strict=True) if a != b]
            assert differ == [(" ", "▼" if Order(column.order, inverted).falling else "▲")]


def test_where_a_column_is() -> None:
    chosen = columns.fitting(80)
    for x, column in ((0, "peer"), (chosen[0].width - 1, "peer"), (chosen[0].width + 1, "role"), (79, "sooner")):
        found = columns.at(chosen, x)
        assert found is not None
        assert found.order == column
    assert columns.at(chosen, 500) is None


# The cursor


async def test_the_cursor_stays_on_its_peer_and_that_on_its_line() -> None:
    many = tuple(peer(f"10.0.0.{i}", first_ns=i, outcomes={"accepted": 1000 - i}) for i in range(60))
    model = fold(None, sample(sensor=sensor(peers=many)))
    async with running(model) as pilot:
        await press(pilot, "s", *["down"] * 31)
        assert cursor(pilot) == "10.0.0.30"
        line = shown(pilot).index("10.0.0.30")
        top = tuple(peer(f"10.0.1.{i}", outcomes={"accepted": 5000 + i}) for i in range(7))
        await feed(pilot, fold(model, sample(1, sensor=sensor(peers=top))))
        assert cursor(pilot) == "10.0.0.30"
        assert shown(pilot).index("10.0.0.30") == line
        await press(pilot, "i")
        assert cursor(pilot) == "10.0.0.30"


async def test_a_peer_that_is_gone_leaves_the_cursor_to_the_next() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "s", "down", "down")
        gone, following = shown(pilot)[1:3]
        assert cursor(pilot) == gone
        await press(pilot, "slash", *f"-{gone}", "enter")
        assert cursor(pilot) == following
        await press(pilot, "escape")
        assert cursor(pilot) == gone


async def test_rows_do_not_move_when_equal_peers_are_seen_in_another_order() -> None:
    async with running(crowd()) as pilot:
        before, chance = shown(pilot), random.Random(5)
        for t in range(1, 5):
            mixed = tuple(chance.sample(HOSTS, len(HOSTS)))
            await feed(pilot, fold(None, sample(t, sensor=sensor(peers=mixed))))
            assert shown(pilot) == before


async def test_a_click_chooses_a_row_and_a_second_one_opens_it() -> None:
    async with running(crowd(SICK)) as pilot:
        await pilot.click(PeersTable, offset=(3, 4))
        await settled(pilot)
        assert cursor(pilot) == shown(pilot)[2]
        await pilot.click(PeersTable, offset=(3, 4))
        await settled(pilot)
        assert not pilot.app.query_one(PeersTable).display


# Groups


async def test_the_kinds_of_groups_one_after_the_other() -> None:
    async with running(crowd(SICK)) as pilot:
        seen = []
        for _ in range(5):
            await press(pilot, "b")
            seen.append((marks(pilot).split()[0].rstrip("▼"), told(pilot), len(shown(pilot))))
        assert seen == [
            ("NETWORK", "10 of 10 peers  by network: 4", 4),
            ("PORT", "10 of 10 peers  by port: 2", 2),
            ("PROCESS", "10 of 10 peers  by process: 2", 2),
            ("NAMESPACE", "10 of 10 peers  by namespace: 1", 1),
            ("PEER", "", 10),
        ]


async def test_a_group_has_the_sums_and_the_number_of_its_peers() -> None:
    async with running(crowd(SICK), size=LARGE) as pilot:
        await press(pilot, "b", "s")
        row = pilot.app.query_one(PeersTable).render_line(2).text.split()
        assert row[:7] == ["10.0.2.0/24", "3", "server", "-", "valid", "18", "100"]
        assert shown(pilot) == ["10.0.2.0/24", "10.0.1.0/24", "10.0.0.0/24", "10.0.7.0/24"]


async def test_enter_opens_a_group_and_escape_goes_back() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "b", "down", "down", "enter")
        assert told(pilot) == "3 of 10 peers  network 10.0.2.0/24 (server)"
        assert shown(pilot) == ["10.0.2.8", "10.0.2.5", "10.0.2.2"]
        await press(pilot, "down", "enter")
        assert not pilot.app.query_one(PeersTable).display
        await press(pilot, "escape")
        assert shown(pilot) == ["10.0.2.8", "10.0.2.5", "10.0.2.2"]
        await press(pilot, "escape")
        assert "10.0.7.0/24" in shown(pilot)
        assert cursor(pilot) == "10.0.2.0/24"


async def test_a_group_counts_only_what_passes_the_filter() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "b", "slash", *"port:80", "enter")
        assert told(pilot) == "5 of 10 peers  /port:80  by network: 3"


async def test_sorting_by_the_number_of_peers_survives_the_end_of_the_groups() -> None:
    async with running(crowd(SICK)) as pilot:
        await press(pilot, "b")
        await pilot.click(PeersTable, offset=(marks(pilot).index("PEERS"), 1))
        await settled(pilot)
        assert pilot.app.wanted.order == Order("peers")
        await press(pilot, "b", "b", "b", "b")
        assert len(shown(pilot)) == 10
        await press(pilot, "s")
        assert pilot.app.wanted.order == Order("peer")


# Many


async def test_many_peers_are_sorted_beside_the_screen_and_the_newest_wish_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "FEW", 3)
    async with running() as pilot:
        await feed(pilot, crowd(SICK))
        await settled(pilot)
        assert shown(pilot)[0] == "10.0.7.7"
        await pilot.press("s", "i", "slash", *"port:443", "enter")
        assert "▲ACCEPT" in marks(pilot)
        await settled(pilot)
        assert shown(pilot) == ["10.0.7.7", "10.0.1.1", "10.0.0.3", "10.0.2.5", "10.0.1.7"]
        assert pilot.app.shown.wanted == pilot.app.wanted


async def test_what_is_sorted_while_the_screen_ends_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "FEW", 3)
    async with running() as pilot:
        await feed(pilot, crowd(SICK))
        await pilot.press("s", "q")
    assert pilot.app.return_code in (0, None)


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
