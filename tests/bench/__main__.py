"""``python -m tests.bench [PART ...]``: print what tfotop costs beside its limits. Root; about five minutes in all.

The figures say something of this machine only; ratios and differences are of runs beside one another.
"""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator

from . import cpu, keys, memory, packet, programs, rate, startup, terminal
from .table import Row, show

PARTS: dict[str, tuple[str, Callable[[], Iterator[Row]]]] = {
    "startup": ("Start", startup.rows),
    "packet": ("Kernel time", packet.rows),
    "rate": ("Connections a second on loopback", rate.rows),
    "cpu": ("CPU of tfotop itself", cpu.rows),
    "terminal": ("Terminal", terminal.rows),
    "keys": ("Keys, with 65,536 peers and 15,000 handshakes/s", keys.rows),
    "memory": ("Memory", memory.rows),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    chosen = parser.parse_args().part or list(PARTS)
    if os.geteuid() != 0:
        print("the bench makes network namespaces and attaches eBPF programs: run it as root", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return run(chosen)
    except (KeyboardInterrupt, BrokenPipeError) as reason:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  nobody reads on, or the user has seen enough
        print("interrupted" if isinstance(reason, KeyboardInterrupt) else "", end="\n", file=sys.stderr)
        return 130


def run(chosen: list[str]) -> int:
    """All chosen parts; one that fails does not hide the next. Missing a limit is a result, not a failure."""
    started, rows, status = time.monotonic(), list[Row](), 0
    print(f"Linux {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if others := programs.other_sensors():
        print(f"{others} sensors of others are attached: they slow what is measured, with tfotop and without")
    for name in chosen:
        title, part = PARTS[name]
        try:
            rows += show(title, part())
        except BrokenPipeError:
            raise
        except (OSError, RuntimeError, AssertionError) as error:
            print(f"{name} failed: {error}", file=sys.stderr)
            status = 1
    missed = [row.what.strip() for row in rows if row.verdict in ("OVER", "UNDER")]
    print(
        f"\n{time.monotonic() - started:.0f} s; " + (f"missed: {'; '.join(missed)}" if missed else "within all limits")
    )
    return status


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
