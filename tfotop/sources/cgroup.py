"""The root of cgroup v2, to which the sensor is attached: where it is mounted, or a private mount of it."""

import ctypes as C
import os
from pathlib import Path
from typing import Final

CLONE_NEWNS: Final = 0x00020000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2
ANY_DIRECTORY: Final = "/sys"  # covered for a moment, in a mount namespace of our own


def find_root(mountinfo: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The first mount of the whole cgroup v2 tree (proc_pid_mountinfo(5)), also beside v1; ``None`` without one."""
    for line in mountinfo.read_text(errors="replace").splitlines():
        fields, _, rest = line.partition(" - ")
        columns = fields.split()
        if rest.split(" ", 1)[0] == "cgroup2" and len(columns) > 4 and columns[3] == "/":
            return columns[4].encode().decode("unicode_escape")
    return None


def open_root() -> int:
    """A descriptor of the root of cgroup v2.

    Where it is not mounted it is mounted for a moment, in a mount namespace of the calling process alone: call it from
    a process that ends. Raises OSError.
    """
    root = find_root()
    return _open(root) if root else _open_privately()


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _open_privately() -> int:
    libc = C.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNS), "unshare")
    _check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount --make-rprivate /")
    _check(libc.mount(b"none", ANY_DIRECTORY.encode(), b"cgroup2", 0, None), "mount cgroup2")
    try:
        return _open(ANY_DIRECTORY)
    finally:
        libc.umount2(ANY_DIRECTORY.encode(), MNT_DETACH)


def _check(result: int, call: str) -> None:
    if result:
        number = C.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
