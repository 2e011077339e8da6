"""Help, command palette, clipboard, saved screens, themes, job control, terminals without colour or UTF-8."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.command import CommandPalette
from textual.pilot import Pilot

from tests.scenarios import make
from tests.scenarios.build import NO_EBPF, handshake, peer, sample, sensor
from tfotop.model.fold import fold
from tfotop.sample import Process
from tfotop.views.tui import keys, themes
from tfotop.views.tui.app import TfotopApp
from tfotop.views.tui.help import HelpScreen, page
from tfotop.views.tui.keys import Group, Row
from tfotop.views.tui.widgets.peers import PeersTable

from .screen import LARGE, NORMAL, app, feed, lines, models, press, running, scenario, settled


def text(pilot: Pilot[None]) -> str:
    return "\n".join(lines(pilot))


def footer(pilot: Pilot[None]) -> str:
    return lines(pilot)[-2].rstrip()


# Help and palette


async def test_help_has_every_key_on_one_page_at_80x24() -> None:
    async with running(scenario("incident")) as pilot:
        groups = list(keys.groups(pilot.app))
        await press(pilot, "question_mark")
        shown = text(pilot)
        for row in (row for group in groups for row in group.rows):
            assert row.what in shown, row
            assert row.keys.split()[0] in shown
        assert {"everywhere", "in lists"} <= {group.title for group in groups}


@pytest.mark.parametrize("key", ["escape", "question_mark", "enter", "space"])
async def test_help_goes_away(key: str) -> None:
    async with running(scenario("incident")) as pilot:
        await press(pilot, "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        await press(pilot, key)
        assert not isinstance(pilot.app.screen, HelpScreen)
        assert "LIVE" in lines(pilot)[0]


async def test_help_is_laid_out_anew_for_another_size() -> None:
    async with running(scenario("incident"), size=LARGE) as pilot:
        await press(pilot, "question_mark")
        await pilot.resize_terminal(62, 17)
        await settled(pilot)
        first, *others = lines(pilot)[1:]
        assert "Esc closes" in first
        assert any("q ^c      quit" in line for line in others)
        await press(pilot, "end")
        assert any("the first row" in line for line in lines(pilot))


async def test_models_that_come_under_the_help_are_shown_after_it() -> None:
    run = scenario("incident", 3), scenario("incident", 4)
    async with running(run[0]) as pilot:
        await press(pilot, "question_mark")
        await feed(pilot, run[1])
        await press(pilot, "escape")
        assert "14:13:24" in lines(pilot)[0]


def test_every_binding_has_a_key_and_a_description() -> None:
    bindings = keys.of(TfotopApp)
    assert len(bindings) > 10
    assert all(keys.keys(b) and b.description for b in bindings)
    taken = [key for b in bindings for key in b.key.split(",")]
    assert sorted(taken) == sorted(set(taken))


def test_a_page_of_keys_fits_any_width() -> None:
    groups = [Group("everywhere", (Row("q", "quit"), Row("PgDn ^f", "a screenful down"))), Group("x", ())]
    assert page(groups, 36)[2:] == ["EVERYWHERE", "q         quit", "PgDn ^f   a screenful down", "X"]
    assert page(groups, 72)[2:] == [
        f"{'EVERYWHERE':36}PgDn ^f   a screenful down",
        f"{'q         quit':36}X",
    ]
    assert all(cell_len(line) <= max(20, width) for width in range(1, 100) for line in page(groups, width)[2:])


async def test_the_palette_has_the_keys_and_the_themes() -> None:
    async with running(scenario("incident")) as pilot:
        commands = {command.title: command for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {"counters", "pause", "help", "theme mono", "quit"} <= commands.keys()
        await commands["counters"].callback()
        await settled(pilot)
        assert "TCPFastOpenCookieReqd" in text(pilot)
        await press(pilot, "ctrl+p")
        assert isinstance(pilot.app.screen, CommandPalette)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, CommandPalette)


# Clipboard


@pytest.mark.parametrize(
    ("pressed", "copied", "said"),
    [
        ("j y", "10.2.4.17         server   443 rejected    240    420", "copied: 10.2.4.17"),
        ("3 y", "14:13:38.800 client 10.9.0.14:8443", "copied: 14:13:38.800"),
        ("4 j y", "TCPFastOpenActiveFail", "copied: TCPFastOpenActiveFail"),
        ("2 y", "0.0.0.0", "copied: 0.0.0.0"),
        ("j enter y", "client 10.2.4.17:40239 -> 192.0.2.1:443  rejected: bad cookie\n", "copied "),
        ("Y", "do all servers behind this address share one key?", "copied: do all servers"),
    ],
)
async def test_copy(pressed: str, copied: str, said: str) -> None:
    async with running(scenario("incident")) as pilot:
        await press(pilot, *pressed.split())
        assert pilot.app.clipboard.startswith(copied)
        assert footer(pilot).startswith(said)


async def test_without_a_line_the_fix_is_copied() -> None:
    async with running(*models(make.load("server_bit_off"))[:7]) as pilot:
        pilot.app.query_one(PeersTable).show(pilot.app.shown._replace(rows=[]))
        await press(pilot, "y")
        assert pilot.app.clipboard == "sysctl -w net.ipv4.tcp_fastopen=3"


async def test_nothing_to_copy() -> None:
    async with running(fold(None, sample(sensor=sensor()))) as pilot:
        for key in ("y", "Y"):
            await press(pilot, key)
            assert pilot.app.clipboard == ""
            assert footer(pilot) == "nothing to copy: no line is chosen, and there is no fix"


async def test_what_is_copied_holds_no_escape_codes() -> None:
    odd = peer("10.0.0.1", process=Process(pid=1, comm="\x1b]0;x\x07"))
    async with running(fold(None, sample(sensor=sensor(peers=(odd,)))), size=LARGE) as pilot:
        await press(pilot, "j", "y")
        assert "?]0;x?" in pilot.app.clipboard
        assert pilot.app.clipboard.isprintable()


async def test_a_notice_goes_after_five_seconds_of_the_models() -> None:
    async with running(scenario("incident", 1)) as pilot:
        await press(pilot, "t")
        assert footer(pilot).startswith("theme ")
        await feed(pilot, scenario("incident", 5))
        assert footer(pilot).startswith("theme ")
        await feed(pilot, scenario("incident", 6))
        assert footer(pilot).startswith("q quit")


# Saved screens


async def test_a_screen_is_saved_as_picture_and_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(scenario("incident"), size=(120, 40)) as pilot:
        before = lines(pilot)
        await press(pilot, "S")
        assert footer(pilot) == f"saved {tmp_path}/tfotop-web-3-20260921-141339.svg and .txt"[:120].rstrip()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["tfotop-web-3-20260921-141339.svg", "tfotop-web-3-20260921-141339.txt"]
    assert (tmp_path / names[1]).read_text("utf-8").split("\n")[:-1] == [line.rstrip() for line in before]
    assert (tmp_path / names[0]).read_text("utf-8").startswith("<svg")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


async def test_a_screen_that_cannot_be_saved_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    async with running(scenario("incident")) as pilot:
        await press(pilot, "S")
        assert footer(pilot).startswith("not saved: No such file or directory")


async def test_it_can_be_saved_before_the_first_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as pilot:
        await press(pilot, "S")
    assert len(list(tmp_path.iterdir())) == 2


# Themes


async def test_t_goes_through_the_themes() -> None:
    async with running(scenario("incident")) as pilot:
        seen = []
        for _ in themes.NAMES:
            seen.append(pilot.app.theme)
            await press(pilot, "t")
        assert tuple(seen) == themes.NAMES
        assert pilot.app.theme == themes.TERMINAL


def colours(pilot: Pilot[None]) -> set[str]:
    """What the terminal is told, of colours other than its own two."""
    found = set()
    for strip in pilot.app.screen._compositor.render_strips():
        segments = list(strip)
        for line_filter in pilot.app.get_line_filters():
            segments = line_filter.apply(segments, pilot.app.screen.styles.background)
        for segment in segments:
            for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                if colour is not None and not colour.is_default:
                    found.add(colour.name)
    return found


@pytest.mark.parametrize("size", [NORMAL, (200, 60)], ids=str)
async def test_without_colour_there_is_none(size: tuple[int, int]) -> None:
    async with running(scenario("incident"), size=size) as pilot:
        await press(pilot, "j")
        assert "color(3)" in colours(pilot)
        await press(pilot, "t", "t", "t")
        assert pilot.app.theme == themes.MONO
        for key in ("1", "2", "3", "4", "5", "slash", "escape", "question_mark"):
            await press(pilot, key)
            assert colours(pilot) == set()


async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(scenario("incident")) as pilot:
        assert pilot.app.theme == themes.MONO
        assert colours(pilot) == set()


async def test_with_the_sixteen_colours_of_the_terminal_there_are_no_others() -> None:
    async with running(scenario("incident"), size=(200, 60)) as pilot:
        await press(pilot, "j")
        for key in ("1", "2", "3", "4", "5", "question_mark"):
            await press(pilot, key)
            assert colours(pilot) <= {f"color({n})" for n in range(16)}


# Without UTF-8


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "enter", "question_mark"])
async def test_without_utf_8_everything_is_ascii(key: str) -> None:
    made = TfotopApp("wéb-3", "6.18.44", 1.0, utf8=False)
    odd = peer("10.0.0.1", process=Process(pid=1, comm="データ"))
    model = fold(None, sample(sensor=sensor(peers=(odd,), handshakes=(handshake(peer="10.0.0.1:4000"),))))
    async with made.run_test(size=(200, 60)) as pilot:
        await feed(pilot, model)
        await press(pilot, "j", key)
        segments = [s for strip in made.screen._compositor.render_strips() for s in strip]
        for line_filter in made.get_line_filters():
            segments = line_filter.apply(segments, made.screen.styles.background)
        assert all(segment.text.isascii() for segment in segments)


# Job control


async def test_ctrl_z_goes_to_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(TfotopApp, "action_suspend_process", lambda self: asked.append(self))  # noqa: PLW0108  a method
    async with running(scenario("incident")) as pilot:
        await press(pilot, "ctrl+z")
        assert asked == [pilot.app]


def test_an_app_can_be_made_without_a_loop() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert app().theme == themes.TERMINAL
    assert os.environ.get("NO_COLOR") is None


@pytest.mark.parametrize("of", [lambda: fold(None, sample(problems=(NO_EBPF,)))])
async def test_keys_before_there_is_anything(of: Callable[[], object]) -> None:
    every = [key for b in keys.of(TfotopApp) for key in b.key.split(",") if key not in ("q", "ctrl+c", "ctrl+z", "S")]
    async with running() as pilot:
        for key in every:
            await press(pilot, key)
            await press(pilot, "escape")
        await feed(pilot, of())
        assert pilot.app.is_running
