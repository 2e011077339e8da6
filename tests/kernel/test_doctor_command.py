"""The command itself: exit statuses, the text, --self-test and --fix, and that nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from .bed import Bed, Server, exchange, settings, until
from .bed.conditions import listen_with_400
from .doctoring import Terminal, nothing, watching
from .running import NO_CAPABILITIES, NOBODY, ended, tfotop

pytestmark = pytest.mark.sensor

DOCTOR = [sys.executable, "-m", "tfotop", "doctor"]


def namespaces_of(pids: set[int]) -> set[int]:
    """The network namespaces that these processes live in."""
    found = set()
    for pid in pids:
        try:
            found.add(os.stat(f"/proc/{pid}/ns/net").st_ino)
        except OSError:
            continue
    return found


def caught_inside() -> tuple["subprocess.Popen[bytes]", int]:
    """A self-test and its child, stopped as soon as it has a namespace of its own: it shall not come to its end.

    On a busy machine it may have come to it before somebody looks; then the next one is tried.
    """
    own = os.stat("/proc/self/ns/net").st_ino
    for _ in range(20):
        running = subprocess.Popen([*DOCTOR, "--self-test"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            for number in children_of(running.pid):
                if namespaces_of({number}) - {own}:
                    os.kill(number, signal.SIGSTOP)
                    return running, number
    raise TimeoutError("no self-test was caught in its namespace")


def children_of(pid: int) -> list[int]:
    """psutil would go through all processes of the host."""
    try:
        return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def test_self_test() -> None:
    done = tfotop("doctor", "--self-test")
    assert (done.returncode, done.stderr) == (0, "")
    assert "hit " in done.stdout
    steps = json.loads(tfotop("doctor", "--self-test", "--json").stdout)
    assert (steps["self_test"], steps["failed"]) == ("passed", None)
    assert [step["step"] for step in steps["steps"]][-5:] == ["first contact", "cookie", "hit", "answer", "counters"]


def test_self_test_not_root() -> None:
    done = tfotop("doctor", "--self-test", within=NOBODY)
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs root" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_self_test_names_the_step_that_failed() -> None:
    """Without CAP_SYS_ADMIN there is no namespace; with a read-only /proc/sys the setting does not change."""
    done = tfotop("doctor", "--self-test", within=NO_CAPABILITIES)
    assert done.returncode == 1
    assert "failed at the step 'namespace'" in done.stdout
    read_only = [
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --bind -o ro /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; exec "$@"',
        "sh",
    ]
    done = tfotop("doctor", "--self-test", within=read_only)
    assert done.returncode == 1
    assert "failed at the step 'settings'" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_self_test_leaves_nothing_behind(number: signal.Signals) -> None:
    """Stopped in the middle, however: the child is gone, and the namespace with it."""
    running, caught = caught_inside()
    child = psutil.Process(caught)
    inside = namespaces_of({child.pid})
    assert inside
    running.send_signal(number)
    running.wait(20)
    until(lambda: ended(child), 5, "no child")
    assert not namespaces_of(set(psutil.pids())) & inside
    assert mounts() == 0


def mounts() -> int:
    """How many namespaces are mounted that no test made."""
    return sum(
        "nsfs" in line and "tfotop-test" not in line for line in Path("/proc/self/mounts").read_text().splitlines()
    )


def test_not_root_cannot_tell(bed: Bed) -> None:
    done = tfotop("doctor", "--for", "0.2", "--json", "--no-bpf", within=NOBODY)
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["status"] == "wrong" else 2)
    assert any("not root" in text for text in report["cannot_tell"])


def test_the_text(bed: Bed) -> None:
    """Verdict, cause, evidence with its source and tier, fix, verify, unknown: in 80 columns but for commands."""
    Server.start(bed.server)
    settings.mode(bed.server, 1)
    done = tfotop("doctor", "--for", "0.3", "--no-bpf", "--netns", bed.server.name, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("something is wrong (1 finding).")
    for label in ("evidence", "fix", "to last", "undo", "verify", "unknown", "id"):
        assert any(line.startswith(f"   {label} ") for line in lines), (label, done.stdout)
    assert all(len(line) <= 80 for line in lines if "ip netns exec" not in line)
    assert f"ip netns exec {bed.server.name} sysctl -w net.ipv4.tcp_fastopen=3" in done.stdout


def test_a_healthy_host_exits_0(bed: Bed) -> None:
    server = Server.start(bed.server)
    report = watching(
        lambda: [exchange(bed.client, bed.server.v4, server.port) for _ in range(3)], "--netns", bed.server.name
    )
    assert (report["exit"], report["status"], report["findings"]) == (0, "healthy", [])


def test_fix_without_a_terminal(bed: Bed) -> None:
    done = tfotop("doctor", "--fix", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert "terminal" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_fix_changes_nothing_without_a_yes(bed: Bed) -> None:
    Server.start(bed.server)
    settings.mode(bed.server, 1)
    for answer in ("n", "", "yep", "YESSIR"):
        terminal = Terminal([*DOCTOR, "--fix", "--no-bpf", "--for", "0.2", "--netns", bed.server.name])
        assert "sysctl -w net.ipv4.tcp_fastopen=3" in terminal.until("make it? [y/N] ")
        terminal.type(answer)
        _, rest = terminal.end()
        assert "Nothing was changed." in rest
        assert bed.server.sysctl("net.ipv4.tcp_fastopen") == "1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_question_is_no_answer_and_the_last_one(bed: Bed, number: signal.Signals) -> None:
    Server.start(bed.server)
    settings.mode(bed.server, 1)
    terminal = Terminal([*DOCTOR, "--fix", "--no-bpf", "--for", "0.2", "--netns", bed.server.name])
    terminal.until("make it? [y/N] ")
    terminal.process.send_signal(number)
    _, rest = terminal.end()
    assert "not made, stopped" in rest
    assert "Nothing was changed." in rest
    assert bed.server.sysctl("net.ipv4.tcp_fastopen") == "1"


def test_fix_makes_checks_and_tells_how_it_lasts(bed: Bed) -> None:
    Server.start(bed.server)
    settings.mode(bed.server, 0x401)
    terminal = Terminal([*DOCTOR, "--fix", "--no-bpf", "--for", "0.2", "--netns", bed.server.name])
    terminal.until("make it? [y/N] ")
    terminal.type("y")
    status, rest = terminal.end()
    assert status == 1
    assert f"made: net.ipv4.tcp_fastopen is {0x403} now" in rest
    assert "to last:" in rest
    assert f"to undo: ip netns exec {bed.server.name} sysctl -w net.ipv4.tcp_fastopen={0x401}" in " ".join(rest.split())
    assert bed.server.sysctl("net.ipv4.tcp_fastopen") == str(0x403)
    assert watching(nothing, "--no-bpf", "--netns", bed.server.name)["findings"] == []


def test_fix_says_when_a_change_has_no_effect(bed: Bed) -> None:
    """A sysctl(8) that does nothing: the value is read back."""
    Server.start(bed.server)
    settings.mode(bed.server, 1)
    lame = bed.path / "bin"
    lame.mkdir()
    (lame / "sysctl").write_text("#!/bin/sh\nexit 0\n")
    (lame / "sysctl").chmod(0o755)
    path = f"{lame}:{os.environ['PATH']}"
    command = ["env", f"PATH={path}", *DOCTOR, "--fix", "--no-bpf", "--for", "0.2", "--netns", bed.server.name]
    terminal = Terminal(command)
    terminal.until("make it? [y/N] ")
    terminal.type("y")
    _, rest = terminal.end()
    assert "NOT MADE: net.ipv4.tcp_fastopen is 1, not 3" in rest
    assert "0 changes made" in rest


def test_fix_gives_a_running_listener_its_queue(bed: Bed) -> None:
    """No command can: it is done on the socket itself, and the application goes on."""
    early = listen_with_400(bed.server, before=False)
    server = bed.server.closing(Server(early))
    assert early.getsockopt(6, 23) == 0
    terminal = Terminal([*DOCTOR, "--fix", "--no-bpf", "--for", "0.2", "--netns", bed.server.name])
    before = terminal.until("make it? [y/N] ")
    assert f"setsockopt(TCP_FASTOPEN, 256) on the running listener of port {server.port}" in before
    terminal.type("y")
    _, rest = terminal.end()
    assert "made: max_qlen is 256 now" in rest
    assert early.getsockopt(6, 23) == 256
    for _ in range(2):
        result = exchange(bed.client, bed.server.v4, server.port)
    assert result.info.syn_data_acked


def test_stopped_at_once_it_still_judges() -> None:
    """Ctrl-C ends the window, not the program; there is no traceback."""
    running = subprocess.Popen(
        [*DOCTOR, "--no-bpf", "--for", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr
    assert "watching for 60 s" in running.stderr.readline()
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    printed, complaint = running.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert (complaint, running.returncode) in (("", 0), ("", 1))
    assert "Watched" in printed
