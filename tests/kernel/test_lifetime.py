"""How tfotop ends: nothing stays attached, it ends within a second, and the terminal is as it was."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psutil
import pytest

from .bed import Bed, Server, exchange, until
from .running import loaded, orphans, programs_of

STREAM = [sys.executable, "-m", "tfotop", "stream", "--json"]
EVENTS = [sys.executable, "-m", "tfotop", "events"]
TRIES = 3  # of an end within a second: on a busy machine one may take longer


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    """At the end no program of ours is left that nobody holds."""
    yield
    until(lambda: not orphans(), 5, "all programs gone")


def started(command: list[str]) -> "subprocess.Popen[str]":
    """A running command, after its first line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    assert process.stdout.readline()
    return process


@pytest.mark.parametrize("command", [STREAM, EVENTS], ids=["stream", "events"])
def test_kill_9_leaves_nothing_attached(command: list[str]) -> None:
    process = started(command)
    mine = programs_of(process.pid)
    assert len(mine) == 5
    process.kill()
    process.wait()
    until(lambda: not mine & loaded(), 5, "the programs are gone")
    assert process.stdout
    process.stdout.close()


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.6])
def test_kill_9_while_it_starts(after_s: float) -> None:
    process = subprocess.Popen(STREAM, stdout=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.kill()
    process.wait()


@pytest.mark.parametrize("command", [STREAM, EVENTS], ids=["stream", "events"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_it_quietly(command: list[str], number: int) -> None:

    def end() -> float:
        process = started(command)
        asked = time.monotonic()
        process.send_signal(number)
        rest, _ = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "Traceback" not in rest
        return time.monotonic() - asked

    assert any(end() < 1 for _ in range(TRIES))


def test_signals_end_it_also_while_nobody_reads() -> None:
    """A pager on its first page: the pipe is full, and the write waits."""

    def end() -> bool:
        process = subprocess.Popen([*STREAM, "--interval", "0.1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert process.stdout
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
            assert select.select([process.stdout], [], [], 20)[0]
            time.sleep(1)  # there is room for one snapshot at most
            asked = time.monotonic()
            process.terminate()
            assert process.wait(10) == 0
            took_s = time.monotonic() - asked
            said = process.communicate()[1]
        finally:
            process.kill()
        return took_s < 1 and re.search(rb"nobody took the last \d+ bytes of output", said) is not None

    assert any(end() for _ in range(TRIES))


def test_closed_pipe_ends_it_quietly(bed: Bed) -> None:
    process = subprocess.Popen([*EVENTS, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert process.stdout
    assert "watching" in process.stderr.readline()
    process.stdout.close()
    server = Server.start(bed.server)
    exchange(bed.client, bed.server.v4, server.port)
    assert process.wait(5) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


class Terminal:
    """The screen in a terminal of its own."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._settings = termios.tcgetattr(theirs)
        self._theirs = theirs
        environment = {**os.environ, "TERM": "xterm-256color", "TZ": "UTC"}
        command = [sys.executable, "-m", "tfotop"]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment
        )
        self.seen = b""

    def read(self, timeout_s: float = 0.1) -> bytes:
        """Everything that it wrote so far."""
        while select.select([self._ours], [], [], timeout_s)[0]:
            try:
                self.seen += os.read(self._ours, 65536)
            except OSError:
                break
        return self.seen

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def restored(self) -> bool:
        """Line settings as before, the alternate screen left, the cursor shown."""
        seen = self.read()
        back = seen.rfind(b"\x1b[?1049l") > seen.rfind(b"\x1b[?1049h")
        cursor = seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")
        return termios.tcgetattr(self._theirs) == self._settings and back and cursor

    def close(self) -> None:
        """End it, however."""
        self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        os.close(self._ours)


@contextmanager
def screen() -> Iterator[Terminal]:
    """One that is up."""
    with closing(Terminal()) as made:
        until(lambda: b"LIVE" in made.read(), 15, "the screen")
        yield made


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with screen() as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_restore_the_terminal(number: int) -> None:
    def end() -> float:
        with screen() as terminal:
            asked = time.monotonic()
            terminal.process.send_signal(number)
            terminal.process.wait(10)
            took_s = time.monotonic() - asked
            assert terminal.restored(), terminal.seen[-300:]
            return took_s

    assert any(end() < 1 for _ in range(TRIES))


def test_q_restores_the_terminal(terminal: Terminal) -> None:
    terminal.press("q")
    assert terminal.process.wait(2.0) == 0
    assert terminal.restored(), terminal.seen[-300:]


def test_terminal_that_goes_away(terminal: Terminal) -> None:
    """The SSH connection breaks: the kernel hangs up the session."""
    os.close(terminal._ours)
    terminal._ours = os.open(os.devnull, os.O_RDWR)
    terminal.process.send_signal(signal.SIGHUP)
    terminal.process.wait(2.0)


def test_terminal_that_goes_away_without_a_signal() -> None:
    """The leader of the session gets the SIGHUP, and keeps it: so does ``make run``."""
    ours, theirs = pty.openpty()

    def lead() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    argv = ["sh", "-c", 'trap : HUP; "$0" -m tfotop; true', sys.executable]
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    leader = subprocess.Popen(argv, **streams, preexec_fn=lead)  # noqa: PLW1509  no other thread runs here
    try:
        os.close(theirs)
        seen = bytearray()
        until(lambda: seen.extend(os.read(ours, 65536)) or b"LIVE" in seen, 15, "the screen")
        (screen,) = psutil.Process(leader.pid).children()
        os.close(ours)
        screen.wait(2.0)
        assert leader.wait(2.0) == 0
    finally:
        leader.kill()
        leader.wait()


def test_real_handshakes_reach_the_screen(terminal: Terminal, bed: Bed) -> None:
    until(lambda: len(programs_of(terminal.process.pid)) == 5, 10, "the sensor")
    server = Server.start(bed.server)
    for _ in range(3):
        exchange(bed.client, bed.server.v4, server.port)
    until(lambda: bed.server.v4.encode() in terminal.read(), 10, "the peer on the screen")
    until(lambda: b"valid" in terminal.read(), 10, "its cookie")
