"""``tfotop doctor --self-test``: a first contact and a hit, between two sockets in a network namespace of its own.

A child process makes the namespace, which has no name and no mount: it goes with the child, however that ends, and the
child goes with its parent (PR_SET_PDEATHSIG).
"""

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from tfotop.commands.common import complain
from tfotop.stop import Stop

TIMEOUT_S: Final = 15
PR_SET_PDEATHSIG: Final = 1
ADVICE: Final = {
    "namespace": "a kernel with CONFIG_NET_NS, and CAP_SYS_ADMIN",
    "loopback": "CAP_NET_ADMIN in the new namespace",
    "settings": "a kernel with TCP Fast Open for servers (Linux 3.7)",
    "listener": "a kernel with TCP Fast Open for servers (Linux 3.7)",
}


def run(chosen: argparse.Namespace) -> int:
    """Exit 0: the kernel does Fast Open; 1: it does not, and the step that failed is named; 2: cannot tell."""
    if os.geteuid() != 0:
        complain("doctor --self-test needs root: it makes a network namespace of its own")
        return 2
    steps, problem = _child()
    if problem:
        complain(problem)
        return 2
    failed = next((step for step in steps if not step["ok"]), None)
    if chosen.json:
        result = {"self_test": "failed" if failed else "passed", "failed": failed and failed["step"], "steps": steps}
        print(json.dumps(result), flush=True)
    else:
        print("\n".join(map(_line, steps)), flush=True)
        print(_verdict(failed), flush=True)
    return 1 if failed else 0


def _line(step: dict[str, object]) -> str:
    return f"{'ok    ' if step['ok'] else 'FAILED'}  {step['step']:14} {step['what']}"


def _verdict(failed: dict[str, object] | None) -> str:
    if failed is None:
        return "This kernel does TCP Fast Open: first contact and hit both went as RFC 7413 says."
    advice = ADVICE.get(str(failed["step"]))
    return f"This kernel failed at the step {failed['step']!r}" + (f": it takes {advice}" if advice else "")


def _child() -> tuple[list[dict[str, object]], str | None]:
    """The steps as the child tells them, or why there are none."""
    stop = Stop()
    path = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(
        [sys.executable, "-m", "tfotop.commands.self_test_steps"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  no other thread runs here
    )
    waited = 0.0
    while child.poll() is None and not stop.requested and waited < TIMEOUT_S:
        stop.wait(0.05)
        waited += 0.05
    if child.poll() is None:
        child.kill()
    printed, complaint = child.communicate()
    if stop.requested:
        return [], "doctor --self-test was stopped; its namespace is gone"
    steps = [json.loads(line) for line in printed.splitlines() if line.startswith(b"{")]
    if child.returncode != 0 and all(step["ok"] for step in steps):
        last = complaint.decode(errors="replace").strip().splitlines()[-1:] or [f"no answer in {TIMEOUT_S} s"]
        steps.append({"step": "unknown", "ok": False, "what": last[0]})
    return steps, None


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
