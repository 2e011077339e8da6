"""The real program in a real terminal on live traffic: filter, sort, ladder, pause, resize, job control."""

import re
import shutil
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest

from .bed import Bed, Server, exchange, until
from .conftest import cannot
from .running import ended, orphans, programs_of
from .tmux import PROMPT, Tmux

PORT = 7413
ONLY = ("--port", str(PORT))  # other tests may run beside these


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    """At the end no program of ours is left that nobody holds."""
    if not shutil.which("tmux"):
        cannot("this test needs tmux")
    yield
    until(lambda: not orphans(), 5, "all programs gone")


@pytest.fixture
def terminal() -> Iterator[Tmux]:
    """The sizes are exported, as some shells do: they are those of the beginning."""
    with Tmux(LANG="C.UTF-8", COLUMNS="100", LINES="30") as made:
        made.start(*ONLY)
        sensed(made)
        yield made


def sensed(terminal: Tmux) -> None:
    """Wait for the sensor."""
    pid = tfotop(terminal.shell_pid).pid
    until(lambda: len(programs_of(pid)) == 5, 15, "the sensor")


def visit(bed: Bed, times: int = 2) -> Server:
    """Connections: the first fetches a cookie; nobody listens on IPv6."""
    server = Server.start(bed.server, port=PORT)
    for _ in range(times):
        for address in (bed.server.v4, bed.server.v6):
            exchange(bed.client, address, server.port)
    return server


def rows(lines: list[str]) -> list[str]:
    """The peers in the table, from its top."""
    return [line for line in lines if re.match(r"\S+ +(server|client) +\d+ ", line)]


def tfotop(shell_pid: int) -> psutil.Process:
    """The program in the terminal."""
    return next(p for p in psutil.Process(shell_pid).children() if p.cmdline()[1:3] == ["-m", "tfotop"])


def test_filter_sort_ladder_and_pause(terminal: Tmux, bed: Bed) -> None:
    server = visit(bed)
    terminal.waits(lambda lines: len(rows(lines)) == 3, "three peers")
    terminal.type("/role:client")
    terminal.waits(lambda lines: len(rows(lines)) == 2, "the clients")
    terminal.press("Enter")
    assert all(" client " in row for row in rows(terminal.lines))
    terminal.press("s")
    terminal.sees("sorted by")
    terminal.press("Escape")
    terminal.waits(lambda lines: len(rows(lines)) == 3, "all again")
    terminal.press("j", "Enter")
    terminal.sees("SYN-ACK")
    terminal.sees("OUTCOMES")
    terminal.press("Escape")
    terminal.waits(lambda lines: len(rows(lines)) == 3, "the table again")
    terminal.press("Space")
    terminal.sees("PAUSED")
    shown = [row.split()[:6] for row in rows(terminal.lines)]
    exchange(bed.client, bed.server.v4, server.port)
    terminal.waits(lambda lines: re.search(r"PAUSED -[2-9]s", lines[0]), "time that passes")
    assert [row.split()[:6] for row in rows(terminal.lines)] == shown
    terminal.press("Space")
    terminal.sees("LIVE")
    terminal.waits(lambda lines: [row.split()[:6] for row in rows(lines)] != shown, "the new connection")


def test_each_view_on_live_traffic(terminal: Tmux, bed: Bed) -> None:
    server = visit(bed)
    for key, words in (
        ("2", f" {server.port} "),
        ("3", "accepted"),
        ("4", "TCPFastOpenPassive"),
        ("5", "SYN in to first request byte"),
        ("?", "Esc closes"),
    ):
        terminal.press(key)
        terminal.sees(words, 30)  # a listener that began just now is seen when the settings are read next
    terminal.press("Escape")
    terminal.sees_no("Esc closes")


def test_resize_while_it_runs(terminal: Tmux, bed: Bed) -> None:
    visit(bed)
    terminal.waits(lambda lines: len(rows(lines)) == 3, "three peers")
    terminal.resize(200, 50)
    terminal.sees("1st BYTE ms")
    terminal.waits(lambda lines: max(map(len, lines)) > 180, "what stands beside")
    terminal.resize(40, 12)
    terminal.sees("40x12 is too small")
    terminal.resize(1, 1)
    terminal.resize(80, 24)
    terminal.waits(lambda lines: len(rows(lines)) == 3, "three peers at 80x24")
    assert max(map(len, terminal.lines)) <= 80


def test_hangup_ends_it_and_the_shell_is_as_before(terminal: Tmux) -> None:
    process = tfotop(terminal.shell_pid)
    process.send_signal(signal.SIGHUP)
    terminal.sees(PROMPT)
    terminal.sees_no("LIVE")
    until(lambda: ended(process), 2, "its end")
    terminal.type("echo still $((40 + 2))", "Enter")
    terminal.sees("still 42")


def test_a_terminal_that_is_gone_ends_it(terminal: Tmux, bed: Bed) -> None:
    visit(bed)
    process = tfotop(terminal.shell_pid)
    for _ in range(40):
        terminal.press("5", "3", "4", "1")
    terminal.kill()
    until(lambda: ended(process), 5, "its end")


def test_to_the_shell_and_back(terminal: Tmux, bed: Bed) -> None:
    terminal.press("C-z")
    terminal.sees("Stopped")
    terminal.type("echo meanwhile $((40 + 2))", "Enter")
    terminal.sees("meanwhile 42")
    terminal.type("fg", "Enter")
    terminal.sees("LIVE")
    visit(bed)
    terminal.waits(lambda lines: len(rows(lines)) == 3, "three peers")
    terminal.press("q")
    terminal.sees(PROMPT)


def test_without_utf_8_all_is_ascii(bed: Bed) -> None:
    with Tmux(LANG="C", LC_ALL="C") as terminal:
        terminal.start(*ONLY)
        sensed(terminal)
        visit(bed)
        terminal.waits(lambda lines: len(rows(lines)) == 3, "three peers")
        terminal.press("G", "Enter")  # at the top is the address that nobody listens on
        terminal.sees("|<- SYN-ACK")
        assert terminal.text.isascii()


def test_a_dumb_terminal_gets_one_snapshot() -> None:
    with Tmux(TERM="dumb") as terminal:
        terminal.type(f"{sys.executable} -m tfotop", "Enter")
        terminal.sees("this terminal (TERM) cannot show the screen", 15)
        terminal.sees("TCPFastOpenPassive", 15)
        terminal.waits(lambda lines: any(line == PROMPT for line in lines[1:]), "the prompt", 15)
