"""What the values of options and arguments may be; each says in one line what is wrong with what was given."""

import argparse
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tfotop.probe.target import Target
from tfotop.probe.target import parse as parse_target


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A time from ``low`` to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {low:g} to {high:g}")
        return value

    return parse


interval: Final = seconds(0.1, 3600)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text[:12]) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def target(text: str) -> Target:
    """The server to probe."""
    try:
        return parse_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address, or a network in CIDR notation."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address or network, as in 10.2.0.0/16") from None


def netns(text: str) -> int:
    """A network namespace by its inode number, or by its name as in ``ip netns``."""
    if text.isascii() and text.isdigit():
        return _inode(text[:20])
    try:
        if text in ("", ".", "..") or "/" in text:
            raise FileNotFoundError
        return Path("/run/netns", text).stat().st_ino
    except (OSError, ValueError):
        message = f"no namespace {text[:40]!r}: give a name as in 'ip netns', or an inode number"
        raise argparse.ArgumentTypeError(message) from None


def _inode(text: str) -> int:
    """The number of a namespace that is there; only root can tell."""
    from tfotop.sources import namespaces  # a number is rare, and the command line must be quick

    inum = int(text)
    if os.geteuid() == 0 and inum not in {found.inum for found in namespaces.scan(lambda _problem: None)}:
        message = f"no namespace {text}: no process lives in it, and 'ip netns' has no name for it"
        raise argparse.ArgumentTypeError(message)
    return inum
