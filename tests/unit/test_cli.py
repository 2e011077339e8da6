"""The command line: what it takes, and one line about what it does not take."""

import argparse
import ipaddress
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tfotop import __version__, cli
from tfotop import arguments as given
from tfotop.commands import common, doctor, events, probe, screen, stream

COMMANDS = {"screen": screen, "stream": stream, "events": events, "doctor": doctor, "probe": probe}


class Started:
    """What would have been started, and with which options."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.command: str | None = None
        self.options: dict[str, object] = {}
        for name, module in COMMANDS.items():
            monkeypatch.setattr(module, "run", lambda chosen, name=name: self._start(name, chosen))

    def _start(self, name: str, chosen: argparse.Namespace) -> int:
        self.command, self.options = name, vars(chosen)
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


def terminal(monkeypatch: pytest.MonkeyPatch, stdin: bool, stdout: bool) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: stdin)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: stdout)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--interval x", "--interval: 'x' is not a number of seconds from 0.1 to 3600"),
        ("--interval nan", "--interval: 'nan'"),
        ("--interval inf", "--interval: 'inf'"),
        ("--interval 0", "--interval: '0'"),
        ("--interval -1", "--interval: '-1'"),
        ("--interval 3601", "--interval: '3601'"),
        ("--role both", "--role: invalid choice: 'both' (choose from 'client', 'server')"),
        ("--port 0", "--port: '0' is not a whole number from 1 to 65535"),
        ("--port 65536", "--port: '65536'"),
        ("--port https", "--port: 'https'"),
        ("--port 4.5", "--port: '4.5'"),
        ("--port ٤٤٣", "--port: '٤٤٣'"),
        ("--port " + "9" * 5000, "--port: '99999"),
        ("--peer 10.2.0.0/33", "--peer: '10.2.0.0/33' is not an address or network, as in 10.2.0.0/16"),
        ("--peer web-3", "--peer: 'web-3'"),
        ("--peer fe80::1%", "--peer: 'fe80::1%'"),
        ("--netns no-such-namespace", "--netns: no namespace 'no-such-namespace': give a name as in 'ip netns'"),
        ("--netns ../../proc/self/ns/net", "--netns: no namespace '../../proc/self/ns/net'"),
        ("--netns .", "--netns: no namespace '.'"),
        ("--netns ..", "--netns: no namespace '..'"),
        ("--netns " + "a" * 300, "--netns: no namespace 'aaa"),
        ("--netns \x1b[31m", r"--netns: no namespace '\x1b[31m'"),
        ("--bogus", "unrecognized arguments: --bogus"),
        ("bogus", "invalid choice: 'bogus' (choose from 'events', 'stream', 'doctor', 'probe')"),
        ("stream -n 0", "-n: '0' is not a whole number from 1 to 1000000000"),
        ("stream -n", "-n: expected one argument"),
        ("events -n x", "-n: 'x'"),
        ("events --role both", "--role: invalid choice"),
        ("stream more", "unrecognized arguments: more"),
        ("--json", "unrecognized arguments: --json"),
        ("--interval", "--interval: expected one argument"),
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_bad_input_is_named_in_one_line(
    arguments: str, named: str, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments.split(" "))
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out, started.command) == (2, "", None)
    assert re.fullmatch(r"tfotop[^\n]*: [^\n]*\(see tfotop[a-z ]* --help\)\n", printed.err), printed.err
    if "choose from" in named:  # Python 3.12.8 and later print the choices without quotes
        named, printed = named.replace("'", ""), printed._replace(err=printed.err.replace("'", ""))
    assert named in printed.err


def test_an_empty_name_of_a_namespace_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["--netns", ""])
    assert "no namespace ''" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["events", "--help"], ["stream", "--help"]])
def test_help_has_examples(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(arguments)
    printed = capsys.readouterr().out
    assert cli.EXAMPLES.strip() in printed
    for option in ("--interval", "--role", "--port", "--peer", "--netns", "--no-bpf"):
        assert option in printed


def test_every_example_is_taken(monkeypatch: pytest.MonkeyPatch, started: Started) -> None:
    terminal(monkeypatch, stdin=True, stdout=True)
    examples = [line.split("  ")[1].split()[2:] for line in cli.EXAMPLES.splitlines()[1:]]
    ran = []
    for arguments in examples:
        assert cli.main(arguments) == 0
        ran.append(started.command)
    assert ran == ["screen", "events", "events", "stream", "stream", "doctor"]


def test_every_example_of_the_probe_is_taken(started: Started) -> None:
    for line in cli.PROBE_EXAMPLES.splitlines()[1:-1]:
        assert cli.main(shlex.split(line.split("    ")[0])[2:]) == 0
        assert started.command == "probe"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("", "the following arguments are required: HOST[:PORT]"),
        ("web:0", "'web:0' is no target: expected HOST, HOST:PORT or [IPV6]:PORT, with a port from 1 to 65535"),
        ("web:65536", "'web:65536' is no target"),
        ("http://web/", "'http://web/' is no target"),
        ("web -c 0", "-c: '0' is not a whole number from 1 to 1000"),
        ("web -c 1001", "-c: '1001'"),
        ("web -c -1", "-c: '-1'"),
        ("web -c 1.5", "-c: '1.5'"),
        ("web -i 0", "-i: '0' is not a number of seconds from 0.01 to 3600"),
        ("web -i nan", "-i: 'nan'"),
        ("web --timeout 61", "--timeout: '61' is not a number of seconds from 0.1 to 60"),
        ("web -4 -6", "-6: not allowed with argument -4"),
        ("web --tls --http /", "--http: not allowed with argument --tls"),
        ("web --json --csv", "--csv: not allowed with argument --json"),
        ("web --method POST", "--method: invalid choice: 'POST'"),
        ("web more", "unrecognized arguments: more"),
        ("web --port 0", "--port: '0' is not a whole number from 1 to 65535"),
        ("web --netns no-such-namespace", "--netns: no namespace 'no-such-namespace'"),
    ],
)
def test_bad_input_of_the_probe_is_named_in_one_line(
    arguments: str, named: str, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["probe", *arguments.split()])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out, started.command) == (2, "", None)
    assert re.fullmatch(r"tfotop[^\n]*: [^\n]*\(see tfotop[a-z ]* --help\)\n", printed.err), printed.err
    assert named in printed.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--role client probe web", "--role is not for a probe"),
        ("--peer 10.2.0.0/16 probe web", "--peer is not for a probe"),
        ("--port 80 probe web:443", "two ports: 443 of the target, and --port 80"),
        ("probe web:443 --port 80", "two ports: 443 of the target, and --port 80"),
        ("probe web --tls --method GET", "--method is for --http PATH"),
        ("probe web --send x", "--send needs a port"),
    ],
)
def test_what_a_probe_has_no_use_for_is_said(arguments: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"tfotop: {named}")


@pytest.mark.parametrize("arguments", ["--port 8080 --no-bpf probe web", "probe web --port 8080 --no-bpf"])
def test_the_port_of_a_probe_may_be_an_option(arguments: str, started: Started) -> None:
    assert cli.main(arguments.split()) == 0
    assert started.options["no_bpf"]
    assert probe.choose(argparse.Namespace(**started.options))[1] == 8080


@pytest.mark.parametrize(("root", "status"), [(True, 2), (False, 0)])
def test_the_number_of_a_namespace_that_is_not_there(
    root: bool, status: int, started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    ended = 0
    try:
        cli.main(["stream", "--netns", "12345"])
    except SystemExit as error:
        ended = int(error.code or 0)
    assert ended == status
    assert ("no namespace 12345: no process lives in it" in capsys.readouterr().err) == root


@pytest.mark.parametrize("command", ["--help", "--version", "stream -n 2 --interval 0.1 --no-bpf", "doctor --for 0.1"])
def test_a_full_disk_is_one_line(command: str) -> None:
    with open("/dev/full", "w") as full:
        argv = [sys.executable, "-m", "tfotop", *command.split()]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "tfotop: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def test_a_closed_output_is_one_line() -> None:
    script = f"exec {shlex.quote(sys.executable)} -m tfotop stream -n 1 >&-"
    done = subprocess.run(["sh", "-c", script], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "tfotop: standard output is closed: give it a file, or /dev/null\n",
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"tfotop {__version__}\n"


def test_a_program_of_its_own_says_it_too() -> None:
    command = [sys.executable, "-m", "tfotop", "stream", "-n", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "tfotop stream: argument -n: 'none' is not a whole number from 1 to 1000000000 (see tfotop stream --help)\n"
    )


@pytest.mark.parametrize(
    ("stdin", "stdout", "command"),
    [(True, True, "screen"), (False, True, "stream"), (True, False, "stream"), (False, False, "stream")],
)
def test_the_screen_needs_a_terminal(
    stdin: bool, stdout: bool, command: str, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    terminal(monkeypatch, stdin, stdout)
    assert cli.main([]) == 0
    assert started.command == command
    if command == "stream":
        assert (started.options["n"], started.options["json"]) == (1, False)


@pytest.mark.parametrize("command", ["events", "stream"])
def test_a_terminal_makes_no_difference_to_a_command(
    command: str, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    terminal(monkeypatch, stdin=True, stdout=True)
    assert cli.main([command]) == 0
    assert (started.command, started.options["n"], started.options["json"]) == (command, None, False)


OWN = Path("/proc/self/ns/net").stat().st_ino
OPTIONS = f"--interval 2.5 --role server --port 443 --peer 10.2.3.4/16 --netns {OWN} --no-bpf"


@pytest.mark.parametrize("arguments", [f"{OPTIONS} stream", f"stream {OPTIONS}"], ids=["before", "behind"])
def test_the_shared_options_stand_before_or_behind_the_command(arguments: str, started: Started) -> None:
    assert cli.main(arguments.split()) == 0
    assert {name: started.options[name] for name in ("interval", "role", "port", "peer", "netns", "no_bpf")} == {
        "interval": 2.5,
        "role": "server",
        "port": 443,
        "peer": ipaddress.ip_network("10.2.0.0/16"),
        "netns": OWN,
        "no_bpf": True,
    }


def test_what_is_not_chosen_is_any(started: Started) -> None:
    assert cli.main(["stream"]) == 0
    assert common.selection(argparse.Namespace(**started.options)) == (None, None, None, None)
    assert (started.options["interval"], started.options["no_bpf"]) == (1.0, False)


def test_a_namespace_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blue").touch()
    monkeypatch.setattr(given, "Path", lambda *parts: tmp_path.joinpath(*parts[1:]))
    assert given.netns("blue") == (tmp_path / "blue").stat().st_ino


def test_doctor_knows_no_peers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--peer", "10.1.2.3"]) == 2
    assert "--peer is for the screen, events and stream" in capsys.readouterr().err


def test_events_without_ebpf_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["events", "--no-bpf"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "tfotop: events needs eBPF: run without --no-bpf\n")


def test_control_c_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_chosen: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "run", interrupted)
    assert cli.main(["stream"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_closed_pipe_ends_quietly() -> None:
    program = "import sys; from tfotop import cli; from tfotop.commands import stream\n"
    program += "def closed(chosen): raise BrokenPipeError\n"
    program += "stream.run = closed; status = cli.main(['stream']); print('lost'); sys.exit(status)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
