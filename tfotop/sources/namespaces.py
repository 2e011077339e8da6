"""Every network namespace of the host, found through the processes that live in it, and a way to run code inside one.

Sources: the inodes behind /proc/PID/ns/net (fs/nsfs.c), the bind mounts of ``ip netns`` in /run/netns, and
SO_NETNS_COOKIE (net/core/sock.c, Linux 5.14). Inode numbers are used again soon after a namespace is gone; the cookie
never is. Nothing here holds a namespace open from one call to the next, since that would keep a dead one alive.

Only the main thread of a process is looked at: a process that puts one of its threads elsewhere is seen where it began.
"""

import ctypes
import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from tfotop.sample import Problem
from tfotop.sources import Report

SOURCE = "namespaces"
CLONE_NEWNET = 0x40000000
SO_NETNS_COOKIE = 71
MOUNTS = ("/run/netns", "/var/run/netns")

T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)


class Netns(NamedTuple):
    """One network namespace as found in one pass.

    ``path`` is what to open to enter it, ``pid`` a process that lives in it (our own, else the lowest; ``None``: no
    process, only a name). ``cookie`` is ``None`` where it could not be read (not root, Linux before 5.14).
    """

    inum: int
    path: str
    pids: tuple[int, ...] = ()
    pid: int | None = None
    own: bool = False
    name: str | None = None
    cookie: int | None = None

    @property
    def processes(self) -> int:
        """How many processes live in it, threads of the kernel included."""
        return len(self.pids)


def find(report: Report, proc: str = "/proc", mounts: Sequence[str] = MOUNTS) -> tuple[Netns, ...]:
    """Every namespace that can be seen, our own first, with its cookie; costs about 5 us a process."""
    return with_cookies(scan(report, proc, mounts))


def scan(report: Report, proc: str = "/proc", mounts: Sequence[str] = MOUNTS) -> tuple[Netns, ...]:
    """Every namespace that can be seen, our own first, still without cookies: one pass over ``proc``."""
    try:
        own = os.stat(f"{proc}/self/ns/net")
    except OSError as error:
        report(
            Problem(source=SOURCE, text=f"{proc} cannot be read: {error.strerror}", remedy=f"mount -t proc proc {proc}")
        )
        return ()
    residents, closed = _residents(proc)
    residents.setdefault(own.st_ino, [])
    if closed:
        report(_closed(closed))
    names = _names(mounts, own.st_dev)
    found = [_lived_in(inum, pids, own.st_ino, proc, names) for inum, pids in residents.items()]
    found += [Netns(inum, path, name=os.path.basename(path)) for inum, path in names.items() if inum not in residents]
    return tuple(sorted(found, key=lambda netns: (not netns.own, netns.inum)))


def with_cookies(found: Sequence[Netns]) -> tuple[Netns, ...]:
    """The same namespaces with their cookies, read afresh; one short-lived thread goes through all but our own."""
    own = [netns._replace(cookie=_cookie_here()) for netns in found if netns.own]
    others = [netns for netns in found if not netns.own]
    if not others:
        return tuple(own)
    return (*own, *_in_thread(lambda: [netns._replace(cookie=_cookie_inside(netns)) for netns in others]))


def visit(netns: Netns, function: Callable[[], T], report: Report) -> T | None:
    """What ``function`` returns when it runs inside ``netns``, on a thread of its own that ends with it.

    ``None`` if the namespace is gone (silent; also if another one has its inode number by now) or closed to us
    (reported). What ``function`` raises, ``visit`` raises. Our own namespace needs neither thread nor privilege.
    The thread never comes back from the namespace, so that no failure can leave a thread in the wrong one.
    """
    if netns.own:
        return function()
    try:
        return _in_thread(lambda: _run_inside(netns, function))
    except _Gone:
        return None
    except _Denied:
        report(Problem(source=SOURCE, text="other network namespaces cannot be entered", remedy=_remedy()))
        return None


def enter(inum: int) -> bool:
    """Move this thread, and all that it begins, for good; False if the namespace is gone, or closed to us."""
    found = next((netns for netns in scan(lambda _problem: None) if netns.inum == inum), None)
    if found is None:
        return False
    try:
        _enter(found)
    except (_Gone, _Denied):
        return False
    return True


class _Gone(Exception):
    """The namespace does not exist any more."""


class _Denied(Exception):
    """The kernel does not let us in."""


def _residents(proc: str) -> tuple[dict[int, list[int]], list[int]]:
    """The pids in each namespace by inode number, ascending, and those of processes that did not show their own."""
    residents: dict[int, list[int]] = {}
    closed = []
    for pid in pids(proc):
        try:
            inum = os.stat(f"{proc}/{pid}/ns/net").st_ino
        except PermissionError:  # so says the kernel also of one that went this moment (proc_ns_get_link)
            if os.path.exists(f"{proc}/{pid}"):
                closed.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # gone, or a zombie: it has no namespaces (kernel/exit.c, exit_task_namespaces)
        else:
            residents.setdefault(inum, []).append(pid)
    return residents, closed


def pids(proc: str = "/proc") -> list[int]:
    """The processes below ``proc``, ascending."""
    return sorted(int(name) for name in os.listdir(proc) if name.isascii() and name.isdigit())


def _names(mounts: Sequence[str], device: int) -> dict[int, str]:
    """The bind mounts of namespaces by inode number; a file that is left of an unmounted one is on another device."""
    names: dict[int, str] = {}
    for directory in mounts:
        for path in _paths(directory):
            try:
                status = os.stat(path)
            except OSError:
                continue  # unmounted and removed meanwhile
            if status.st_dev == device:
                names.setdefault(status.st_ino, path)
    return names


def _paths(directory: str) -> list[str]:
    """The files in ``directory`` in order of name; none where there is no such directory or it is closed to us."""
    try:
        return sorted(os.path.join(directory, name) for name in os.listdir(directory))
    except OSError:
        return []


def _lived_in(inum: int, residents: list[int], own: int, proc: str, names: dict[int, str]) -> Netns:
    """The namespace that ``residents`` live in; our own is entered through ourselves, the others through the lowest."""
    path = names.get(inum)
    name = os.path.basename(path) if path else None
    if inum == own:
        pid = os.getpid() if os.getpid() in residents or not residents else residents[0]
        return Netns(inum, f"{proc}/self/ns/net", tuple(residents), pid, True, name)
    return Netns(inum, path or f"{proc}/{residents[0]}/ns/net", tuple(residents), residents[0], False, name)


def _closed(closed: list[int]) -> Problem:
    """Of many the number is not said: it changes all the time."""
    text = f"process {closed[0]} does not show its" if len(closed) == 1 else "some processes do not show their"
    return Problem(source=SOURCE, text=f"{text} network namespace", remedy=_remedy())


def _remedy() -> str:
    return "run as root" if os.geteuid() else "run with all capabilities of the host (CAP_SYS_PTRACE, CAP_SYS_ADMIN)"


def _cookie_inside(netns: Netns) -> int | None:
    """The cookie of ``netns``, moving this thread into it; ``None`` if that is not possible."""
    try:
        _enter(netns)
    except (_Gone, _Denied):
        return None
    return _cookie_here()


def _cookie_here() -> int | None:
    """SO_NETNS_COOKIE of the namespace that this thread is in; ``None`` before Linux 5.14."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        try:
            return int.from_bytes(ours.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
        except OSError:
            return None


def _run_inside(netns: Netns, function: Callable[[], T]) -> T:
    """Enter, make sure that it is still the namespace that was found, and run ``function``."""
    _enter(netns)
    if netns.cookie is not None and _cookie_here() != netns.cookie:
        raise _Gone
    return function()


def _enter(netns: Netns) -> None:
    """Move this thread into ``netns``; never called on a thread that outlives the visit."""
    try:
        fd = os.open(netns.path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        raise _Gone from None
    except PermissionError:
        raise (_Denied if os.path.lexists(netns.path) else _Gone) from None
    try:
        if os.fstat(fd).st_ino != netns.inum:
            raise _Gone
        if _libc.setns(fd, CLONE_NEWNET):
            raise _Denied(os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


def _in_thread(function: Callable[[], T]) -> T:
    """What ``function`` returns or raises on a new thread, which has ended by the time this returns."""
    with ThreadPoolExecutor(max_workers=1) as short_lived:
        return short_lived.submit(function).result()
