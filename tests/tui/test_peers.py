"""The table of peers: its rows, its columns, its cursor."""

import pytest

from tests.scenarios.build import NGINX, peer, sample, sensor
from tests.tui.screen import (
    LARGE,
    NORMAL,
    cursor,
    feed,
    lines,
    of_peers,
    running,
    scenario,
    settled,
    shown,
)
from tfotop.model.fold import fold
from tfotop.model.selection import Selection
from tfotop.sample import Process
from tfotop.views.tui import columns
from tfotop.views.tui.widgets.peers import PeersTable


async def test_the_rows() -> None:
    async with running(scenario("healthy"), size=LARGE) as pilot:
        rows = lines(pilot)[6:12]
    assert [" ".join(row.split()) for row in rows] == [
        "1st BYTE ms SOONER BY SEEN",
        "PEER ROLE PORT COOKIE▼ ACCEPT % REJECT RTT ms tfo plain ms RTTs m:s PROCESS",
        "203.0.113.9 server 443 valid 88 97 0 22.4 0.0 22.6 22.6 1.0 0:00 nginx",
        "2001:db8…19:8a2e:370:7348 server 443 valid 45 100 0 31.1 0.0 31.3 31.3 1.0 0:00 nginx",
        "2001:db8::7 client 8443 valid 11 92 0 31.1 32.0 62.7 30.7 1.0 0:00 curl",
        "198.51.100.20 server 443 none 0 0 0 90.1 - 90.3 - - 0:00 nginx",
    ]


async def test_without_a_handshake_the_table_says_so() -> None:
    async with running(fold(None, sample(sensor=sensor()))) as pilot:
        assert "no handshake yet" in "\n".join(lines(pilot))


async def test_the_newest_peer_is_at_the_top() -> None:
    first = of_peers("10.0.0.1", "10.0.0.2")
    async with running(first, of_peers("10.0.0.1", before=first, at_s=1)) as pilot:
        assert shown(pilot) == ["10.0.0.1", "10.0.0.2"]


async def test_the_cursor_stays_on_its_peer_while_rows_move() -> None:
    first = of_peers("10.0.0.1", "10.0.0.2", "10.0.0.3")
    async with running(first) as pilot:
        assert cursor(pilot) is None
        await pilot.press("down", "down")
        assert cursor(pilot) == "10.0.0.2"
        await feed(pilot, of_peers("10.0.0.1", "10.0.0.4", before=first, at_s=1))
        assert shown(pilot) == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
        assert cursor(pilot) == "10.0.0.2"


@pytest.mark.parametrize(
    ("keys", "address"),
    [
        (["down"], "10.0.0.10"),
        (["j", "j"], "10.0.0.11"),
        (["up"], "10.0.0.10"),
        (["down", "down", "k"], "10.0.0.10"),
        (["end"], "10.0.0.59"),
        (["G", "up"], "10.0.0.58"),
        (["end", "home"], "10.0.0.10"),
        (["end", "g", "j"], "10.0.0.11"),
        (["home", "pagedown"], "10.0.0.23"),
        (["home", "ctrl+f"], "10.0.0.23"),
        (["home", "pagedown", "pageup"], "10.0.0.10"),
        (["end", "down", "down"], "10.0.0.59"),
    ],
    ids=" ".join,
)
async def test_the_keys_move_the_cursor_and_keep_it_in_sight(keys: list[str], address: str) -> None:
    async with running(of_peers(*(f"10.0.0.{i}" for i in range(10, 60)))) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert cursor(pilot) == address


async def test_without_peers_the_keys_do_nothing() -> None:
    async with running(fold(None, sample(sensor=sensor()))) as pilot:
        await pilot.press("down", "end", "pageup")
        assert cursor(pilot) is None


async def test_the_scroll_bar_covers_no_column() -> None:
    named = Process(pid=1, comm="fifteen-letters")
    async with running(of_peers(*(f"10.0.0.{i}" for i in range(50)), process=named), size=(113, 24)) as pilot:
        assert pilot.app.query_one(PeersTable).show_vertical_scrollbar
        assert all("fifteen-letters" in line for line in lines(pilot) if line.startswith("10."))


async def test_a_selection_leaves_what_is_wanted() -> None:
    async with running(scenario("healthy"), selection=Selection(role="client")) as pilot:
        assert shown(pilot) == ["2001:db8::7"]


@pytest.mark.parametrize(
    ("comm", "cell"),
    [
        ("\x1b[31mred\x1b[0m", "?[31mred?[0m"),
        ("\u202eevil", "?evil"),
        ("a\nb", "a?b"),
        ("[bold]x", "[bold]x"),
        ("データベース", "データベース"),
        ("データベースサーバー", "データベースサ…"),
        ("sixteen-bytes-xx", "sixteen-bytes-…"),
    ],
)
async def test_a_process_name_cannot_harm_the_screen(comm: str, cell: str) -> None:
    odd = of_peers("10.0.0.1", process=Process(pid=1, comm=comm))
    async with running(odd, size=LARGE) as pilot:
        table = pilot.app.query_one(PeersTable)
        strip = table.render_line(2)
        assert strip.text.rstrip().endswith(f" {cell}")
        assert strip.cell_length == 120
        assert all(line.isprintable() for line in lines(pilot))


def test_wide_characters_take_two_places() -> None:
    columns_here = (columns.Column("NAME", 6, lambda *_: "", right=False), columns.Column("N", 3, lambda *_: ""))
    assert columns.line(columns_here, ["データ", "1"]) == "データ   1"
    assert columns.line(columns_here, ["データベ", "12345"]) == "デー … 12…"


@pytest.mark.parametrize("width", [*range(1, 130), 200])
def test_the_columns_fit_any_width(width: int) -> None:
    chosen = columns.fitting(width)
    used = sum(column.width + 1 for column in chosen) - 1
    assert used <= max(width, 40)
    assert [len(title) for title in columns.titles(chosen)] == [used, used]
    assert {"PEER", "COOKIE", "ACCEPT", "REJECT"} <= {column.title for column in chosen}


def test_no_title_is_longer_than_its_column() -> None:
    assert all(len(column.title) <= column.width for column in columns.PEER_COLUMNS)


HUGE = {
    "outcomes": {"accepted": 4_294_967_295, "rejected": 4_294_967_295, "lost": 4_294_967_295},
    "rtt_us": (99_900_000,),
    "port": 65535,
    "process": NGINX,
}


def test_the_largest_numbers_fit_their_columns() -> None:
    (state,) = of_peers("10.0.0.1", **HUGE).peers.values()
    for column in columns.PEER_COLUMNS[1:]:
        text = column.cell(state, state.reading.last_ns + 10**9 * 3600 * 99)
        assert len(text) <= column.width, (column.title, text)


def test_an_address_is_cut_in_its_middle() -> None:
    chosen = columns.fitting(80)[:1]
    assert columns.line(chosen, ["2001:db8:1111:2222:3333:4444:5555:6666"]) == "2001:…44:5555:6666"


# Many peers


async def test_only_visible_rows_are_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[str] = []

    def address(state: object, _now_ns: int) -> str:
        formatted.append(state.reading.address)
        return formatted[-1]

    first, *others = columns.PEER_COLUMNS
    monkeypatch.setattr(columns, "PEER_COLUMNS", (first._replace(cell=address), *others))
    many = tuple(peer(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(65_536))
    model = fold(None, sample(sensor=sensor(peers=many)))
    async with running(size=NORMAL) as pilot:
        height = pilot.app.query_one(PeersTable).size.height
        await feed(pilot, model)
        await settled(pilot)
        assert "10.0.0.0" in formatted
        assert len(formatted) <= 4 * height
        formatted.clear()
        await pilot.press("end")
        await pilot.pause()
        assert "10.0.99.99" in formatted
        assert len(formatted) <= 4 * height
