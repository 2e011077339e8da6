"""The command line: the only place that wires sources to views. Imports wait until the sensor is being compiled."""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, Never

from tfotop import __version__
from tfotop.arguments import interval, netns, network, seconds, target, whole
from tfotop.words import ROLES

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

EXAMPLES: Final = """examples:
  sudo tfotop                               the live screen
  sudo tfotop events --role server          a line for each handshake, like tcpdump
  sudo tfotop events --json --peer 10.0.0.0/8
  sudo tfotop stream -n 1                   one snapshot as text
  sudo tfotop stream --json --interval 5    a snapshot every 5 s, one object a line
  sudo tfotop doctor                        what is wrong, and the command that mends it
"""

PROBE_EXAMPLES: Final = """examples:
  sudo tfotop probe example.org              TLS on port 443
  sudo tfotop probe web-3:8080 --http / -c 20
  sudo tfotop probe [2001:db8::7]:6379 --send 'PING\\r\\n'
exit status: 0 Fast Open works, 1 it does not, 2 cannot tell
"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage."""

    def error(self, message: str) -> Never:
        """Say what is wrong, and where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def shared(later: bool) -> Parser:
    """The options of every command. ``later``: behind its name, where one that is left out must not undo the first."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS if later else None)
    options.add_argument(
        "--interval",
        type=interval,
        metavar="S",
        default=argparse.SUPPRESS if later else 1.0,
        help="seconds between samples, 0.1 to 3600 (1)",
    )
    options.add_argument("--role", choices=ROLES, help="only this role")
    options.add_argument("--port", type=whole(1, 65535), help="only this port of the server")
    options.add_argument("--peer", type=network, metavar="CIDR", help="only peers in this network")
    options.add_argument("--netns", type=netns, metavar="NAME", help="only this network namespace (name or inode)")
    absent = argparse.SUPPRESS if later else False
    options.add_argument(
        "--no-bpf", action="store_true", default=absent, help="without eBPF: counters, sysctls, queues and keys only"
    )
    return options


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        "tfotop",
        description="Live monitor for TCP Fast Open (RFC 7413).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared(later=False)],
    )
    top.add_argument("--version", action="version", version=f"tfotop {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, one, what in (
        ("events", "a line for each handshake as it is decided", "handshakes"),
        ("stream", "a snapshot for each interval", "snapshots"),
    ):
        command = commands.add_parser(
            name,
            help=one,
            description=f"Prints {one}.",
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[shared(later=True)],
        )
        command.add_argument("-n", type=whole(1, 10**9), metavar="N", default=None, help=f"end after N {what}")
        command.add_argument("--json", action="store_true", default=False, help="one JSON object a line")
    _doctor(commands)
    _probe(commands)
    return top


def _doctor(commands: "argparse._SubParsersAction[Parser]") -> None:
    """``doctor`` and its options."""
    doctor = commands.add_parser(
        "doctor",
        help="what is wrong, on what evidence, and what mends it",
        description="Watches for a few seconds, then says what is wrong, on what evidence, and what mends it.",
        epilog="exit status: 0 healthy, 1 something is wrong, 2 cannot tell",
        parents=[shared(later=True)],
    )
    doctor.add_argument("--for", dest="seconds", type=interval, metavar="S", default=3.0, help="seconds to watch (3)")
    doctor.add_argument("--json", action="store_true", default=False, help="one JSON object")
    act = doctor.add_mutually_exclusive_group()
    act.add_argument("--fix", action="store_true", help="offer each change, make it if you say yes, check its effect")
    act.add_argument("--self-test", action="store_true", help="prove the kernel itself, in a namespace of its own")


def _probe(commands: "argparse._SubParsersAction[Parser]") -> None:
    """``probe`` and its options."""
    probe = commands.add_parser(
        "probe",
        help="measure Fast Open to one server, and say why it does not work",
        description="Measures the time to the first byte from a server with and without Fast Open: over IPv4 and IPv6 "
        "one first contact, then pairs of connections. Without --http, --tls or --send: HTTP on port 80, TLS on port "
        "443 (which is also the port where none is given), an empty line over plain TCP on others.",
        epilog=PROBE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    absent = argparse.SUPPRESS  # what stands before the command holds too
    probe.add_argument("--port", type=whole(1, 65535), default=absent, help="the port, as in HOST:PORT")
    probe.add_argument("--netns", type=netns, metavar="NAME", default=absent, help="from this network namespace")
    probe.add_argument("target", type=target, metavar="HOST[:PORT]", help="a name or an address; [IPV6]:PORT")
    what = probe.add_mutually_exclusive_group()
    what.add_argument("--http", metavar="PATH", help="an HTTP request, with the SYN where Fast Open works (port 80)")
    what.add_argument("--tls", action="store_true", help="a TLS ClientHello, up to the ServerHello (port 443)")
    escapes = r"these bytes over plain TCP, with \r \n \t \0 \\ \xHH; they may arrive twice"
    what.add_argument("--send", metavar="TEXT", help=escapes)
    probe.add_argument("--method", choices=("HEAD", "GET", "OPTIONS"), help="of --http (HEAD)")
    probe.add_argument("-c", type=whole(1, 1000), metavar="N", default=10, help="pairs of connections, 1 to 1000 (10)")
    probe.add_argument("-i", type=seconds(0.01, 3600), metavar="S", default=0.2, help="seconds between two (0.2)")
    limit = seconds(0.1, 60)
    probe.add_argument("--timeout", type=limit, metavar="S", default=5.0, help="seconds for an answer, 0.1 to 60 (5)")
    family = probe.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const="IPv4", help="only IPv4")
    family.add_argument("-6", dest="family", action="store_const", const="IPv6", help="only IPv6")
    probe._has_negative_number_optionals.clear()  # noqa: SLF001  or -1 behind -c would be an option, as -4 and -6 are
    probe.add_argument("--keep-cookie", action="store_true", help="no cold start: do not remove a cached cookie")
    without = "without eBPF: reasons from TCP_INFO and tcp_metrics"
    probe.add_argument("--no-bpf", action="store_true", default=absent, help=without)
    form = probe.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object, at the end")
    form.add_argument("--csv", action="store_true", help="a line for each connection")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    if sys.stdout is None:  # closed: the next file that is opened would take its place
        print("tfotop: standard output is closed: give it a file, or /dev/null", file=sys.stderr)
        return 2
    try:
        try:
            return _run(parser().parse_args(arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return 0
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        if error.errno not in NO_ROOM or not _printed(error):
            raise
        _drop_output()
        print(f"tfotop: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2


def _printed(error: OSError) -> bool:
    """Whether it came while printing, which the commands do, and not from a source."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = str(trace.tb_frame.f_globals.get("__name__")) if trace else ""
    return where in ("argparse", __name__) or where.startswith("tfotop.commands.")


def _drop_output() -> None:
    """What is still in the buffer goes nowhere, or the interpreter complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _has_screen() -> bool:
    """Whether there is a terminal, and one whose cursor can be moved."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    dumb = os.environ.get("TERM", "") in ("", "dumb", "unknown")
    if terminal and dumb:
        print("tfotop: this terminal (TERM) cannot show the screen; `tfotop stream` goes on", file=sys.stderr)
    return terminal and not dumb


def _run(chosen: argparse.Namespace) -> int:
    name = chosen.command
    if name is None and not _has_screen():
        name, chosen.n, chosen.json = "stream", 1, False
    module = importlib.import_module(f"tfotop.commands.{name or 'screen'}")  # --help and errors must not wait for it
    status: int = module.run(chosen)
    return status
