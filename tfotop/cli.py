"""The command line: the only place that wires sources to views. Imports wait until the sensor is being compiled."""

import argparse
import importlib
import ipaddress
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Never

from tfotop import __version__
from tfotop.words import ROLES

EXAMPLES: Final = """examples:
  sudo tfotop                               the live screen
  sudo tfotop events --role server          a line for each handshake, like tcpdump
  sudo tfotop events --json --peer 10.0.0.0/8
  sudo tfotop stream -n 1                   one snapshot as text
  sudo tfotop stream --json --interval 5    a snapshot every 5 s, one object a line
"""


def interval(text: str) -> float:
    """Seconds between two samples, 0.1 to 3600."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text[:12]) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address, or a network in CIDR notation."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address or network, as in 10.2.0.0/16") from None


def netns(text: str) -> int:
    """A network namespace by its inode number, or by its name as in ``ip netns``."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        if text in ("", ".", "..") or "/" in text:
            raise FileNotFoundError
        return Path("/run/netns", text).stat().st_ino
    except (OSError, ValueError):
        message = f"no namespace {text[:40]!r}: give a name as in 'ip netns', or an inode number"
        raise argparse.ArgumentTypeError(message) from None


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
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    chosen = parser().parse_args(arguments)
    try:
        return _run(chosen)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return 0
    except KeyboardInterrupt:
        return 0


def _run(chosen: argparse.Namespace) -> int:
    name = chosen.command
    if name is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        name, chosen.n, chosen.json = "stream", 1, False
    module = importlib.import_module(f"tfotop.commands.{name or 'screen'}")  # --help and errors must not wait for it
    status: int = module.run(chosen)
    return status
