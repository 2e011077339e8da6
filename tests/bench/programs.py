"""The kernel's own clock on eBPF programs: kernel.bpf_stats_enabled, run_time_ns and run_cnt (Linux 5.1)."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.kernel.running import programs_of

from .running import running

STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


class Run(NamedTuple):
    """How often a program ran, and how long in all. The time of a program that it tail-calls is in it."""

    times: int
    ns: int

    def __sub__(self, other: "Run") -> "Run":
        return Run(self.times - other.times, self.ns - other.ns)


@contextmanager
def clocked() -> Iterator[None]:
    """Have the kernel measure every program for the length of a block; afterwards as it was before."""
    before = STATS.read_text()
    STATS.write_text("1\n")
    try:
        yield
    finally:
        STATS.write_text(before)


def bpftool(*arguments: str) -> list[dict[str, object]]:
    done = subprocess.run(["bpftool", *arguments, "--json"], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return answer if isinstance(answer, list) else [answer]


def runs(ids: list[int]) -> dict[str, Run]:
    """Each of these programs by its name."""
    shown = [program for one in ids for program in bpftool("prog", "show", "id", str(one))]
    return {str(p["name"]): Run(int(str(p.get("run_cnt", 0))), int(str(p.get("run_time_ns", 0)))) for p in shown}


def other_sensors() -> int:
    """How many sensors are attached already: they are in every figure, with tfotop and without."""
    names = [program.get("name") for program in bpftool("prog", "show") if program.get("type") == "cgroup_skb"]
    return names.count("ingress")


def maps_of(pid: int) -> dict[str, int]:
    """Kernel memory of the maps that a process holds, bytes by name."""
    ids = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        text = info.read_text()
        if match := re.search(r"^map_id:\s*(\d+)", text, re.MULTILINE):
            ids.add(match[1])
    shown = [one for number in sorted(ids) for one in bpftool("map", "show", "id", number)]
    return {str(m.get("name", m["id"])): int(str(m["bytes_memlock"])) for m in shown}


@contextmanager
def empty() -> Iterator[list[int]]:
    """Empty programs on the same two hooks, loaded and linked in a child by the same compiler; their ids."""
    child = [sys.executable, "-m", "tests.bench.empty"]
    with running(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None) as process:
        assert process.stdout
        if process.stdout.readline() != b"attached\n":
            raise RuntimeError("the empty programs were not attached")
        yield sorted(programs_of(process.pid))
