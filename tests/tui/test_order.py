"""Order: sorting, groups, and the cursor meanwhile."""

import random

import pytest

from tests.scenarios.build import peer, sample, sensor
from tests.tui.crowd import HOSTS, SICK, crowd, marks, told
from tests.tui.screen import LARGE, cursor, feed, press, running, settled, shown
from tfotop.model.fold import fold
from tfotop.model.order import COLUMNS, Order
from tfotop.views.tui import columns, finding
from tfotop.views.tui.widgets.peers import PeersTable

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
