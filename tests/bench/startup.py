"""From the command to the first line of ``stream -n 1``, and where that time goes."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from .running import ROOT, TFOTOP
from .table import Row

REPEATS, LIMIT_S = 9, 1.0
FORMS = {"text": (), "json": ("--json",)}

# Each function of these modules that is named is timed where it is called; one that is gone is left out.
TIMED = """
import sys, time, json
began = time.perf_counter()
spent = {}
def timed(module, name, label):
    original = getattr(module, name, None)
    def wrapper(*arguments, **options):
        started = time.perf_counter()
        try:
            return original(*arguments, **options)
        finally:
            spent[label] = spent.get(label, 0) + time.perf_counter() - started
    if original:
        setattr(module, name, wrapper)
"""
PARENT = f"""{TIMED}
from tfotop import cli, commands
from tfotop.sources import handshakes
spent["import of the commands"] = time.perf_counter() - began
started = time.perf_counter()
from tfotop.sources import collector
from tfotop.views import json_lines, text
spent["import of the rest (while the child works)"] = time.perf_counter() - started
timed(handshakes.Starting, "finish", "wait for the child")
timed(collector.Collector, "sample", "first sample")
cli.main(["stream", "-n", "1", "--json"])
print(json.dumps(spent), file=sys.stderr)
"""
CHILD = f"""{TIMED}
from tfotop.sources import compiler
spent["child: imports"] = time.perf_counter() - began
timed(compiler, "import_bcc", "child: import bcc")
timed(compiler, "definitions", "child: BTF offsets")
timed(compiler, "compile_sensor", "child: compile")
timed(compiler, "attach", "child: load (verify, JIT) and attach")
compiler.main()
print(json.dumps(spent), file=sys.stderr)
"""
# The child as the product starts it, but for what it runs.
WITH_CHILD = f"""
import subprocess, sys
from tfotop.commands.common import RECORDS_PER_S
from tfotop.sources import handshakes
child = {CHILD!r}
original = subprocess.Popen
def other(argv, **options):
    return original([argv[0], "-c", child, *argv[3:]], **dict(options, stderr=None))
handshakes.subprocess.Popen = other
starting = handshakes.Starting(RECORDS_PER_S)
starting.finish()
"""


def rows() -> Iterator[Row]:
    found: dict[str, list[float]] = {name: [] for name in FORMS}
    for _ in range(REPEATS):
        for name, options in FORMS.items():
            found[name].append(first_line_s(*options))
    for name, values in found.items():
        note = f"median of {REPEATS}, from {min(values):.2f} to {max(values):.2f} s"
        yield Row(f"command to first line, {name}", statistics.median(values), "s", most=LIMIT_S, note=note)
    yield Row("  the bare interpreter", statistics.median(bare_s() for _ in range(REPEATS)) * 1000, "ms")
    for script in (PARENT, WITH_CHILD):
        for label, seconds in phases(script).items():
            yield Row(f"  {label}", seconds * 1000, "ms")


def first_line_s(*options: str) -> float:
    started = time.monotonic()
    with subprocess.Popen([*TFOTOP, "stream", "-n", "1", *options], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        line = process.stdout.readline()
        took = time.monotonic() - started
        process.stdout.read()
    if process.returncode or not line:
        raise RuntimeError(f"tfotop stream: status {process.returncode}")
    return took


def bare_s() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - started


def phases(script: str) -> dict[str, float]:
    """Median seconds of each phase over three runs, in order of their ends."""
    found: dict[str, list[float]] = {}
    for _ in range(3):
        argv = [sys.executable, "-c", script]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
        for label, seconds in json.loads(done.stderr.splitlines()[-1]).items():
            found.setdefault(label, []).append(seconds)
    return {label: statistics.median(values) for label, values in found.items()}
