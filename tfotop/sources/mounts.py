"""A mount namespace for the compiler's child alone: what it mounts, nobody else sees, and it is gone with the child."""

import ctypes as C
import os
from typing import Final

CLONE_NEWNS: Final = 0x00020000
MS_BIND: Final = 1 << 12
MS_REC: Final = 1 << 14
MS_PRIVATE: Final = 1 << 18

_libc = C.CDLL(None, use_errno=True)


def become_private() -> None:
    """Give this process a mount namespace of its own. Raises OSError (it takes CAP_SYS_ADMIN)."""
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount --make-rprivate /")


def mount(kind: str, where: str) -> None:
    """Mount a file system of that kind, privately. Raises OSError."""
    _check(_libc.mount(b"none", where.encode(), kind.encode(), 0, None), f"mount {kind}")


def cover(file: str) -> None:
    """Let a file be empty for this process. Raises OSError."""
    _check(_libc.mount(b"/dev/null", file.encode(), None, MS_BIND, None), f"mount {file}")


def _check(result: int, call: str) -> None:
    if result:
        number = C.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
