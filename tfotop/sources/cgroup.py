"""The root of cgroup v2, to which the sensor is attached: where it is mounted, or a private mount of it."""

import os
from pathlib import Path
from typing import Final

from tfotop.sources.mounts import mount

ANY_DIRECTORY: Final = "/sys"


def find_root(mountinfo: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The first mount of the whole cgroup v2 tree (proc_pid_mountinfo(5)), also beside v1; ``None`` without one."""
    for line in mountinfo.read_text(errors="replace").splitlines():
        fields, _, rest = line.partition(" - ")
        columns = fields.split()
        if rest.split(" ", 1)[0] == "cgroup2" and len(columns) > 4 and columns[3] == "/":
            return columns[4].encode().decode("unicode_escape")
    return None


def open_root() -> int:
    """A descriptor of the root of cgroup v2. Raises OSError.

    Where it is not mounted it is mounted over a directory that is always there, so call it from a process whose mounts
    are its own and that ends soon (mounts.py).
    """
    root = find_root()
    if root is None:
        mount("cgroup2", root := ANY_DIRECTORY)
    return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
