"""Running tfotop and other programs under measurement; what a process used of CPU and memory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kernel.bed.namespaces import end

ROOT = Path(__file__).resolve().parents[2]
TFOTOP = (sys.executable, "-m", "tfotop")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(argv: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """A program for the length of a block; it is ended however the block ends. Its output goes nowhere."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(argv, cwd=ROOT, **{**quiet, **options})
    try:
        yield process
    finally:
        end(process)


@contextmanager
def stream(*arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """``tfotop stream --json`` from its first line on, so with the sensor attached; the rest is read by nobody."""
    ours, theirs = os.pipe()
    with running([*TFOTOP, "stream", "--json", *arguments], stdout=theirs, stderr=None) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as lines:
            first = json.loads(lines.readline() or b"{}")
            if first.get("tier") != 2:
                raise RuntimeError(f"tfotop stream runs without the sensor: {first.get('problems')}")
            with running(["cat"], stdin=lines):  # a reader that is no load
                yield process


def cpu_s(pid: int) -> float:
    """User and system time of a process so far (proc_pid_stat(5)), without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def memory_mb(pid: int) -> dict[str, float]:
    """``rss``, ``pss`` and ``uss`` of a process in MB of 10^6 bytes (/proc/PID/smaps_rollup)."""
    kb: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        kb[name.rstrip(":")] = int(value)
    sizes = {"rss": kb["Rss"], "pss": kb["Pss"], "uss": kb["Private_Clean"] + kb["Private_Dirty"]}
    return {name: size * 1024 / 1e6 for name, size in sizes.items()}


def cpu_share(pid: int, seconds: float) -> float:
    """The part of one core that a process uses from now on, in percent."""
    before, started = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_s(pid) - before) / (time.monotonic() - started)
