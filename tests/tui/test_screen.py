"""The first screen: what it shows, and what its keys do."""

import os
import signal
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from textual.widgets import Static

from tests.scenarios.build import NO_EBPF, namespace, sample, sensor, total
from tests.tui.screen import (
    LARGE,
    NORMAL,
    app,
    cursor,
    feed,
    lines,
    models,
    of_peers,
    running,
    scenario,
    shown,
)
from tfotop.model.fold import fold
from tfotop.model.selection import Selection
from tfotop.model.state import Model
from tfotop.sample import Keys, Losses, Problem, Sysctls
from tfotop.views.tui import app as app_module
from tfotop.views.tui import panels
from tfotop.views.tui.messages import ModelReady

# Before and around the first model


async def test_the_screen_is_there_before_the_first_model() -> None:
    async with running() as pilot:
        assert lines(pilot)[0].startswith("tfotop  web-3  6.18.44  starting")
        assert "PEER" in lines(pilot)[8]
        assert lines(pilot)[-2].startswith("q quit  Enter ladder  ? help")


async def test_only_the_newest_of_many_models_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Model] = []
    headline = panels.headline
    monkeypatch.setattr(panels, "headline", lambda model, *size: painted.append(model) or headline(model, *size))
    many = models([sample(i, sensor=sensor()) for i in range(50)])
    async with running() as pilot:
        for model in many:
            pilot.app.post_message(ModelReady(model))
        await pilot.pause()
    assert painted[-1] is many[-1]
    assert len(painted) < 5


# The header


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (NORMAL, "tfotop  web-3  server ON  client ON  key a41f+backup  eBPF exact  LIVE  14:13:31"),
        (LARGE, f"{'tfotop  web-3  6.18.44  server ON  client ON  key a41f+backup  eBPF exact  1s':106}LIVE  14:13:31"),
        ((60, 16), "server ON  client ON  eBPF exact              LIVE  14:13:31"),
    ],
    ids=str,
)
async def test_the_header(size: tuple[int, int], header: str) -> None:
    async with running(scenario("healthy"), size=size) as pilot:
        assert lines(pilot)[0].rstrip() == header.rstrip()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"sysctls": Sysctls(tcp_fastopen=1)}, "server OFF  client ON"),
        ({"sysctls": Sysctls(tcp_fastopen=0x402)}, "server ON  client OFF"),
        ({"sysctls": None}, "server -  client -"),
        ({"sysctls": Sysctls()}, "server -  client -"),
        ({"keys": None}, "key -"),
        ({"keys": Keys()}, "key none"),
    ],
    ids=str,
)
async def test_modes_and_key_of_our_own_namespace(place: dict[str, object], words: str) -> None:
    async with running(fold(None, sample(namespaces=(namespace(**place),)))) as pilot:
        assert f"  {words}  " in lines(pilot)[0]


WEB = namespace(inum=77, name="web", own=False, sysctls=Sysctls(tcp_fastopen=2), keys=Keys(primary="beef"))


async def test_the_header_is_of_the_namespace_that_is_asked_for() -> None:
    model = fold(None, sample(namespaces=(namespace(), WEB)))
    async with running(model, size=LARGE, selection=Selection(netns=77)) as pilot:
        assert " netns web  " in lines(pilot)[0]
        assert "  server ON  client OFF  key beef  " in lines(pilot)[0]
        assert any("--netns web" in line for line in lines(pilot))


async def test_of_several_that_are_not_ours_the_header_knows_nothing() -> None:
    others = (WEB, namespace(inum=78, own=False))
    async with running(fold(None, sample(namespaces=others))) as pilot:
        assert "  server -  client -  key -  " in lines(pilot)[0]


@pytest.mark.parametrize(("tier", "words"), [(0, "no privileges"), (1, "no eBPF"), (2, "eBPF")])
async def test_the_tier(tier: int, words: str) -> None:
    async with running(fold(None, sample(tier=tier))) as pilot:
        assert f"  {words}  1s" in lines(pilot)[0]


async def test_totals_that_differ_from_the_kernel_are_said_above() -> None:
    before = sample(sensor=sensor())
    after = sample(1, sensor=sensor(total("accepted", 5)))
    async with running(*models([before, after])) as pilot:
        assert "eBPF DIFFERS" in lines(pilot)[0]
        assert lines(pilot)[1].startswith("! totals and kernel differ: TCPFastOpenPassive +0, tfotop +5")


# What is wrong: test_alerts.py has the rest


async def test_nothing_is_said_while_nothing_is_wrong() -> None:
    async with running(scenario("healthy")) as pilot:
        assert [line.rstrip() for line in lines(pilot)[1:3]] == ["ok  no finding", ""]


async def test_the_worst_finding_is_named_with_what_mends_it() -> None:
    async with running(scenario("server_bit_off", second=6)) as pilot:
        assert lines(pilot)[1] == f"{'! the server bit 0x2 of net.ipv4.tcp_fastopen is off':72}14:13:26"
        assert lines(pilot)[2].startswith("  fix: sysctl -w net.ipv4.tcp_fastopen=3  ")
        assert lines(pilot)[2].endswith("  d doctor  Y copy")


async def test_a_missing_source_is_named_with_how_to_get_it() -> None:
    async with running(scenario("tier_0", second=1)) as pilot:
        assert lines(pilot)[1].rstrip() == "! not known: sensor: bcc is not installed (install python3-bpfcc)"
        assert "peers need eBPF; sensor: bcc is not installed (install python3-bpfcc)" in "\n".join(lines(pilot))


async def test_there_may_be_more() -> None:
    problem = Problem(source="keys", text="not root", remedy="run as root")
    wrong = sample(sensor=sensor(total("rejected", 1, "bad_cookie")), problems=(NO_EBPF, problem))
    async with running(fold(None, wrong), size=LARGE) as pilot:
        assert lines(pilot)[1].startswith("! bad cookie")
        assert "  (+2 more)  " in lines(pilot)[2]


async def test_nothing_moves_when_the_trouble_goes() -> None:
    broken, fine = models([sample(problems=(NO_EBPF,)), sample(1, sensor=sensor())])
    async with running(broken) as pilot:
        assert lines(pilot)[1].startswith("!")
        before = lines(pilot)[4].split()[0]
        await feed(pilot, fine)
        assert lines(pilot)[1].startswith("ok")
        assert lines(pilot)[4].split()[0] == before == "accepted"


async def test_what_a_problem_says_is_no_markup() -> None:
    odd = Problem(source="keys", text="[bold]x[/] \x1b[2J", remedy="[red]")
    async with running(fold(None, sample(problems=(odd,)))) as pilot:
        assert lines(pilot)[1].rstrip() == "! not known: keys: [bold]x[/] ?[2J ([red])"


# Rates, counters, cost


async def test_the_headline_rates() -> None:
    async with running(scenario("rejected"), size=(140, 40)) as pilot:
        assert lines(pilot)[3].split() == [
            *("accepted", "1200/s", "▅▅▅▅▅▅▅▅", "rejected", "412/s", "▁▁██████"),
            *("requests", "0/s", "▁▁▁▁▁▁▁▁", "queue", "full", "0/s", "▁▁▁▁▁▁▁▁", "saved", "~26.86", "s/s"),
        ]


async def test_a_rate_that_is_not_known_is_a_dash() -> None:
    async with running(fold(None, sample())) as pilot:
        assert lines(pilot)[4].split() == ["accepted", "-/s", "rejected", "-/s"]
        assert lines(pilot)[5].split() == ["requests", "-/s", "queue", "full", "-/s", "saved", "-", "s/s"]


async def test_rates_stay_in_their_places_while_they_grow() -> None:
    few, many = (
        models([sample(sensor=sensor()), sample(1, sensor=sensor(total("accepted", n)))]) for n in (7, 987_654)
    )
    async with running(*few) as pilot:
        before = lines(pilot)[4]
        await feed(pilot, *many)
        assert lines(pilot)[4].index("rejected") == before.index("rejected")
        assert "accepted  987654/s" in lines(pilot)[4]


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], "        "),
        ([None, 0.0, 7.0], "      ▁█"),
        ([1.0] * 20, "▅▅▅▅▅▅▅▅"),
        ([100.0, 101, 99, 100], "    ▅▅▄▅"),
        ([0.0, 0.001, 7.0], "     ▁▂█"),
        ([0.0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([5.0, None], "      ▅ "),
    ],
)
def test_sparklines(values: list[float | None], bars: str) -> None:
    assert panels.sparkline(values) == bars


async def test_counters_are_summed_over_the_namespaces() -> None:
    def places(active: int) -> tuple[object, ...]:
        moved = {"TCPFastOpenActive": active}
        return (
            namespace(counters=moved),
            namespace(inum=9, cookie=9, own=False, counters=moved),
            namespace(inum=8, cookie=8, own=False, counters=None),
        )

    run = [sample(namespaces=places(5)), sample(1, namespaces=places(7))]
    async with running(*models(run), size=LARGE) as pilot:
        row = next(line for line in lines(pilot) if line.startswith("Active"))
        assert row.split() == ["Active", "14", "+4", "ActiveFail", "-", "Passive", "-", "PassiveAltKey", "-"]


async def test_what_was_lost_is_in_sight_on_the_smallest_usual_terminal() -> None:
    lost = Losses(records_limited=11_132, handshakes_evicted=3, totals_full=1)
    async with running(fold(None, sample(sensor=sensor(losses=lost)))) as pilot:
        said = " ".join(line.strip() for line in lines(pilot)[-2:])
        for words in ("11132 not shown one by one", "0 evicted", "3 not followed", "1 not counted"):
            assert words in said


# Pause and end


async def test_pause_freezes_the_screen_and_says_so() -> None:
    first, second = scenario("healthy", 0), scenario("healthy", 1)
    async with running(first) as pilot:
        await pilot.press("space")
        before = lines(pilot)
        assert "PAUSED  14:13:20" in before[0]
        await feed(pilot, second)
        assert "PAUSED -1s  14:13:20" in lines(pilot)[0]
        assert lines(pilot)[1:] == before[1:]
        await pilot.press("space")
        assert "LIVE  14:13:21" in lines(pilot)[0]
        await feed(pilot, second)
        assert "LIVE  14:13:21" in lines(pilot)[0]


async def test_the_cursor_moves_also_while_paused() -> None:
    async with running(of_peers("10.0.0.1", "10.0.0.2")) as pilot:
        await pilot.press("space", "down", "down")
        assert cursor(pilot) == "10.0.0.2"


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_it_ends(key: str) -> None:
    async with running() as pilot:
        await pilot.press(key)
        assert not pilot.app.is_running
        assert pilot.app.return_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_it(number: signal.Signals) -> None:
    async with running() as pilot:
        assert signal.getsignal(number) is not signal.SIG_DFL
        os.kill(os.getpid(), number)
        await pilot.pause()
        assert pilot.app._exit


def test_the_feed_is_stopped_however_the_screen_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    made, ended = app(), []

    def fails() -> None:
        raise OSError("the terminal is gone")

    monkeypatch.setattr(made, "run", fails)
    with pytest.raises(OSError, match="gone"):
        app_module.run(made, lambda _deliver: lambda: ended.append(True))
    assert ended == [True]


def test_a_loop_that_stands_still_is_left_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its terminal takes nothing: what is newer takes the place of what waits."""
    made, posted = app(), list[ModelReady]()
    first, second, third, fourth = (of_peers(f"10.0.0.{i}") for i in range(1, 5))

    def three(deliver: Callable[[Model], object]) -> Callable[[], None]:
        for model in (first, second, third):
            deliver(model)
        assert [message.model for message in posted] == [third]
        deliver(fourth)
        assert [message.model for message in posted] == [third, fourth]
        return lambda: None

    monkeypatch.setattr(made, "run", lambda: None)
    monkeypatch.setattr(made, "post_message", posted.append)
    app_module.run(made, three)


# Any terminal


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12), (20, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("name", ["healthy", "rejected", "tier_0"])
async def test_no_terminal_is_too_small_or_too_large(size: tuple[int, int], name: str) -> None:
    async with running(scenario(name), size=size) as pilot:
        await pilot.press("down", "end", "space")
        assert len(lines(pilot)) == size[1]
        assert all(cell_len(line) == size[0] for line in lines(pilot))


async def test_a_resized_terminal_is_laid_out_anew() -> None:
    async with running(scenario("healthy"), size=LARGE) as pilot:
        await pilot.press("space")
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert lines(pilot)[0] == "server ON  client ON  eBPF exact            PAUSED  14:13:31"
        assert lines(pilot)[4].split()[:2] == ["requests", "3/s"]
        assert next(line for line in lines(pilot) if line.startswith("PEER")).split()[-1] == "ms"


async def test_the_counters_make_room_on_a_low_terminal() -> None:
    async with running(scenario("healthy"), size=(80, 16)) as pilot:
        assert not pilot.app.query_one("#counters", Static).display
        assert len(shown(pilot)) == 4
