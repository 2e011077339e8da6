"""tfotop as a process in odd surroundings, and the programs that it has attached."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from .bed.polling import PATIENCE

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
NO_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
OURS = {"ingress", "egress", "connect4", "connect6", "release"}


def tfotop(*arguments: str, within: Sequence[str] = (), **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command of tfotop to its end, `within` another one such as `unshare`."""
    command = [*within, sys.executable, "-m", "tfotop", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False, **options)


def ended(process: psutil.Process) -> bool:
    """Whether it has, though its parent may not have looked yet, or looks in this very moment."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def snapshot(*arguments: str, within: Sequence[str] = (), **options: Any) -> dict[str, Any]:
    """What `tfotop stream -n 1 --json` prints."""
    done = tfotop("stream", "-n", "1", "--json", *arguments, within=within, **options)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def hiding(*mounts: str) -> list[str]:
    """A command prefix: in a mount namespace of its own, after these shell commands."""
    return ["unshare", "-m", "sh", "-c", f'{"; ".join(mounts)}; exec "$@"', "sh"]


def programs_of(pid: int) -> set[int]:
    """The ids of the programs that this process holds, or links of (/proc/PID/fdinfo); none if it is gone."""
    found = set()
    with suppress(OSError):
        for info in os.scandir(f"/proc/{pid}/fdinfo"):
            with suppress(OSError):
                match = re.search(r"^prog_id:\s*(\d+)", Path(info.path).read_text(), re.MULTILINE)
                found |= {int(match[1])} if match else set()
    return found


def loaded() -> set[int]:
    """The ids of all programs named as ours, whoever loaded them."""
    shown = subprocess.run(["bpftool", "prog", "show", "--json"], capture_output=True, text=True, check=True)
    return {program["id"] for program in json.loads(shown.stdout) if program.get("name") in OURS}


def orphans() -> set[int]:
    """Those that no process holds."""
    return (ours := loaded()) and ours - set().union(*(programs_of(pid) for pid in psutil.pids()))


def mounts() -> str:
    """All mounts of this process, but for the namespaces of tests."""
    with open("/proc/self/mounts") as file:
        return "".join(line for line in file if "tfotop-test" not in line)
