"""Which process holds a socket: /proc/PID/fd/* that read ``socket:[INODE]`` (fs/proc/fd.c).

Going through every descriptor of every process is the dearest reading of all, so it is done only when a socket turns up
that no known process holds, and not more often than a given period. Time comes in as an argument.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from tfotop.sample import Problem, Process
from tfotop.sources import Report, is_number, read_file
from tfotop.sources.namespaces import pids as all_pids

SOURCE = "processes"
PERIOD_S = 2.0
MISSED_S = 30.0
INIT = 1


class Holder(NamedTuple):
    """The process named as the owner of a socket, and the number of one of its descriptors of that socket."""

    process: Process
    fd: int


class Processes:
    """The owners of sockets, remembered from call to call.

    ``period_s``: known holders are checked, and new sockets sought, at most this often; a socket that was sought in
    vain (the kernel's own, or of a process closed to us) is sought again after ``missed_s``.
    """

    def __init__(self, proc: str = "/proc", period_s: float = PERIOD_S, missed_s: float = MISSED_S) -> None:
        self._proc = proc
        self._period_s, self._missed_after_s = period_s, missed_s
        self._known: dict[int, Holder] = {}
        self._missed_s: dict[int, float] = {}
        self._looked_s: float | None = None
        self._closed = False

    def holders(
        self, inodes: Collection[int], now_s: float, report: Report, pids: Collection[int] | None = None
    ) -> Mapping[int, Holder]:
        """The owner of each socket in ``inodes`` (all that are wanted: others are forgotten); unknown ones are absent.

        ``pids``: look only at these processes, else at all. ``now_s``: any clock that only goes forward.
        """
        self._forget_all_but(inodes)
        if self._looked_s is None or now_s - self._looked_s >= self._period_s:
            self._looked_s = now_s
            self._verify()
            self._seek(self._due(inodes, now_s), now_s, pids)
        if self._closed and not self._known.keys() >= set(inodes) - {0}:
            report(Problem(source=SOURCE, text="some sockets belong to processes closed to us", remedy=_remedy()))
        return dict(self._known)

    def _forget_all_but(self, inodes: Collection[int]) -> None:
        wanted = frozenset(inodes)
        self._known = {inode: holder for inode, holder in self._known.items() if inode in wanted}
        self._missed_s = {inode: since for inode, since in self._missed_s.items() if inode in wanted}

    def _verify(self) -> None:
        """Forget holders that closed the socket or are gone (pids are used again); renew the names of the others."""
        for inode, holder in list(self._known.items()):
            pid = holder.process.pid
            comm = comm_of(pid, self._proc)
            if comm is None or not holds(pid, holder.fd, inode, self._proc):
                del self._known[inode]
            elif comm != holder.process.comm:
                self._known[inode] = Holder(Process(pid=pid, comm=comm), holder.fd)

    def _due(self, inodes: Collection[int], now_s: float) -> set[int]:
        """The sockets to seek now: unknown, and not sought in vain a short while ago. Inode 0 is no socket's."""
        again_s = now_s - self._missed_after_s
        resting = {inode for inode, since_s in self._missed_s.items() if since_s > again_s}
        return set(inodes) - self._known.keys() - resting - {0}

    def _seek(self, due: set[int], now_s: float, pids: Collection[int] | None) -> None:
        if not due:
            return
        found, self._closed = scan(due, self._proc, all_pids(self._proc) if pids is None else pids)
        owners = {inode: owner(descriptors, self._proc) for inode, descriptors in found.items()}
        self._known.update({inode: holder for inode, holder in owners.items() if holder is not None})
        self._missed_s.update(dict.fromkeys(due - self._known.keys(), now_s))


def _remedy() -> str:
    return "run as root" if os.geteuid() else "run with every capability of these processes"


def scan(wanted: Collection[int], proc: str, pids: Collection[int]) -> tuple[dict[int, dict[int, int]], bool]:
    """Who holds the ``wanted`` sockets: {inode: {pid: a descriptor}}, and whether a process was closed to us."""
    found: dict[int, dict[int, int]] = {}
    closed = False
    targets = {f"socket:[{inode}]": inode for inode in wanted}
    for pid in pids:
        try:
            for fd, target in _descriptors(f"{proc}/{pid}/fd"):
                if target in targets:
                    found.setdefault(targets[target], {}).setdefault(pid, fd)
        except PermissionError:  # so says the kernel also of one that went this moment (proc_fd_access_allowed)
            closed = closed or os.path.exists(f"{proc}/{pid}")
        except (FileNotFoundError, ProcessLookupError):
            continue  # gone meanwhile
    return found, closed


def _descriptors(directory: str) -> Iterator[tuple[int, str]]:
    """Each descriptor of a process and what it is. Raises ``OSError`` if the process is gone, or closed to us."""
    for name in os.listdir(directory):
        try:
            yield int(name), os.readlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue  # closed meanwhile


def holds(pid: int, fd: int, inode: int, proc: str = "/proc") -> bool:
    """Whether a descriptor still is that socket."""
    try:
        return os.readlink(f"{proc}/{pid}/fd/{fd}") == f"socket:[{inode}]"
    except OSError:
        return False


def owner(descriptors: Mapping[int, int], proc: str = "/proc") -> Holder | None:
    """Which of several processes that share a socket to name: {pid: descriptor} in, ``None`` if all are gone.

    The one that opened it, as far as that can be seen: not init, which holds the sockets of socket-activated services;
    not a process whose parent holds it too (a worker of nginx: its master is named); of the rest, the oldest.
    """
    births = {pid: birth for pid in descriptors if (birth := _birth(pid, proc)) is not None}
    candidates = {pid: birth for pid, birth in births.items() if pid != INIT} or births
    roots = {pid: birth for pid, birth in candidates.items() if birth.parent not in candidates} or candidates
    for pid in sorted(roots, key=lambda pid: (roots[pid].start_ticks, pid)):
        comm = comm_of(pid, proc)
        if comm is not None:
            return Holder(Process(pid=pid, comm=comm), descriptors[pid])
    return None


class _Birth(NamedTuple):
    """Fields 4 and 22 of /proc/PID/stat: who started a process, and when (clock ticks since boot)."""

    parent: int
    start_ticks: int


def _birth(pid: int, proc: str) -> _Birth | None:
    """Where a process comes from; ``None`` if it is gone or its stat makes no sense."""
    try:
        text = read_file(f"{proc}/{pid}/stat")
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()  # comm, in parentheses, may itself hold spaces and parentheses
    if len(fields) < 20 or not is_number(fields[1]) or not is_number(fields[19]):
        return None
    return _Birth(int(fields[1]), int(fields[19]))


def comm_of(pid: int, proc: str = "/proc") -> str | None:
    """The name of a process as the kernel gives it, which may hold anything but NUL; ``None`` if it is gone."""
    try:
        return read_file(f"{proc}/{pid}/comm").removesuffix(b"\n").decode("utf-8", "replace")
    except OSError:
        return None
