"""Listening TCP sockets of one network namespace, and their Fast Open queues.

The sockets come from sock_diag (net/ipv4/inet_diag.c, tcp_diag.c). The length of the Fast Open queue is in no dump:
getsockopt(TCP_FASTOPEN) tells it, on a duplicate of the socket (pidfd_getfd, Linux 5.6; takes ptrace rights over the
process). The duplicate is only asked, and closed at once.

getsockopt(TCP_FASTOPEN_KEY) of a listener gives its own keys, and nothing at all (length 0) where it has none and the
namespace's serve it (net/ipv4/tcp_fastopen.c, ``tcp_fastopen_get_cipher``; tried on 6.18): what it gives is its own.
"""

import ctypes
import errno
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from tfotop.sample import Listener, Problem
from tfotop.sources import Report
from tfotop.sources.keys import KEY_BYTES, fingerprint
from tfotop.sources.processes import Holder
from tfotop.sources.sock_diag import LISTEN, decode, refused, sockets

SOURCE = "listeners"
LIMIT = 4096
REREAD_EVERY = 10

SYS_PIDFD_GETFD: Final = 438
SO_COOKIE: Final = 57
SO_PROTOCOL: Final = 38
IPPROTO_MPTCP: Final = 262
TCP_FASTOPEN: Final = 23
TCP_FASTOPEN_KEY: Final = 33
# The process ended, the descriptor was closed, or its number is of something else by now.
GONE: Final = (errno.ESRCH, errno.EBADF, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EINVAL)

_libc = ctypes.CDLL(None, use_errno=True)


def dump(report: Report, limit: int = LIMIT) -> tuple[Listener, ...] | None:
    """The listeners of this thread's namespace, IPv4 first: call through ``namespaces.visit``. Takes no privilege.

    Without ``max_qlen``, ``own_key`` and ``process``, which ``Queues.complete`` adds. At most ``limit``, the excess is
    reported; ``None`` if the kernel gave no dump (reported).
    """
    found: list[Listener] = []
    excess = 0
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for buffer, start, _ in sockets(family, (LISTEN,)):
                if len(found) < limit:
                    found.append(_listener(buffer, start))
                else:
                    excess += 1
    except OSError as error:
        report(refused(error))
        return None
    if excess:
        report(Problem(source=SOURCE, text=f"more than {limit} listeners in one namespace: the others are not shown"))
    return tuple(found)


def _listener(buffer: bytearray, start: int) -> Listener:
    this = decode(buffer, start)
    return Listener(
        cookie=this.cookie,
        address=this.local,
        port=this.local_port,
        inode=this.inode,
        backlog=this.wqueue,
        accept_queue=this.rqueue,
    )


class Queue(NamedTuple):
    """What one listener answered: the length of its Fast Open queue, fingerprints of a key and a backup of its own."""

    max_qlen: int
    own_key: str | None
    own_backup: str | None = None


class Queues:
    """The Fast Open queues of all listeners of the host, each asked again every ``reread_every`` calls."""

    def __init__(self, reread_every: int = REREAD_EVERY) -> None:
        self._reread_every = reread_every
        self._known: dict[tuple[int, int], tuple[int, Queue]] = {}
        self._calls = 0

    def complete(
        self, listeners: Mapping[int, Sequence[Listener]], holders: Mapping[int, Holder], report: Report
    ) -> dict[int, tuple[Listener, ...]]:
        """The same listeners, by namespace, with queue, own key and process where these can be known.

        ``listeners`` are all there are: what is known of others is forgotten. Old kernels count socket cookies in each
        namespace anew, hence its number beside them.
        """
        self._calls += 1
        known = self._known
        self._known = {}
        return {
            inum: tuple(self._with_queue(inum, listener, known, holders, report) for listener in group)
            for inum, group in listeners.items()
        }

    def _with_queue(
        self,
        inum: int,
        listener: Listener,
        known: Mapping[tuple[int, int], tuple[int, Queue]],
        holders: Mapping[int, Holder],
        report: Report,
    ) -> Listener:
        holder = holders.get(listener.inode)
        if holder is None:
            return listener
        key = inum, listener.cookie
        asked, queue = known.get(key, (0, None))
        if queue is None or self._calls - asked >= self._reread_every:
            asked, queue = self._calls, ask(listener, holder, report)
        if queue is None:
            return replace(listener, process=holder.process)
        self._known[key] = asked, queue
        return replace(listener, process=holder.process, **queue._asdict())

    def forget(self) -> None:
        """Ask all of them again at the next call."""
        self._known = {}


def ask(listener: Listener, holder: Holder, report: Report) -> Queue | None:
    """Ask the socket itself, through a duplicate; ``None`` if it is gone (silent) or closed to us (reported)."""
    try:
        with duplicate(holder.process.pid, holder.fd) as ours:
            return _answer(ours, listener)
    except PermissionError:
        report(Problem(source=SOURCE, text="the Fast Open queues of some listeners are closed to us", remedy=_remedy()))
    except OSError as error:
        if error.errno == errno.ENOSYS:
            report(
                Problem(source=SOURCE, text="no Fast Open queues: pidfd_getfd is missing", remedy="Linux 5.6 or later")
            )
        elif error.errno not in GONE:
            report(Problem(source=SOURCE, text=f"a Fast Open queue could not be read: {error.strerror}"))
    return None


def _answer(ours: socket.socket, listener: Listener) -> Queue | None:
    """What the duplicate says; ``None`` if its descriptor is another socket by now."""
    if not is_of(ours, listener):
        return None
    keys = ours.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, 2 * KEY_BYTES)
    names = [fingerprint(keys[at : at + KEY_BYTES]) for at in range(0, len(keys) - KEY_BYTES + 1, KEY_BYTES)]
    own_key, own_backup, *_ = *names, None, None
    return Queue(ours.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN), own_key, own_backup)


def is_of(ours: socket.socket, listener: Listener) -> bool:
    """Whether a socket is this listener, or the MPTCP one that has it for its subflow.

    The two have one inode number (``mptcp_subflow_create_socket``, net/mptcp/subflow.c) and each its own cookie; the
    MPTCP one answers for both, since Linux 6.2.
    """
    if ours.getsockopt(socket.SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP:
        return os.fstat(ours.fileno()).st_ino == listener.inode
    return int.from_bytes(ours.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder) == listener.cookie


def duplicate(pid: int, fd: int) -> socket.socket:
    """Our own descriptor of a socket of another process, to be closed at once. Raises ``OSError``."""
    pidfd = os.pidfd_open(pid)
    try:
        ours = _libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
    finally:
        os.close(pidfd)
    if ours < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return _as_socket(ours)


def _as_socket(fd: int) -> socket.socket:
    """``fd`` as a socket; if it is none (its number is of something else by now) it is closed. Raises ``OSError``."""
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)
    except OSError:
        os.close(fd)
        raise


def _remedy() -> str:
    return "run as root" if os.geteuid() else "run with every capability of the processes that listen"
