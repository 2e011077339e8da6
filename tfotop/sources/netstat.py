"""The TCP counters of one network namespace, from /proc/PID/net/netstat and snmp (net/ipv4/proc.c).

A file is pairs of lines, ``Group: Name Name ...`` and ``Group: 1 2 ...``. Columns come and go with the kernel's
version, so they are read by name. A counter that this kernel does not have is absent from the result.
"""

import os
from functools import lru_cache

from tfotop.sample import Problem
from tfotop.sources import Report, is_number, malformed, read_file
from tfotop.sources.namespaces import Netns, visit

FAST_OPEN = "TCPFastOpen"
TCP_EXT = frozenset(
    (
        "SyncookiesSent",
        "SyncookiesRecv",
        "SyncookiesFailed",
        "ListenOverflows",
        "ListenDrops",
        "TCPSynRetrans",
        "TCPReqQFullDoCookies",
        "TCPReqQFullDrop",
        "TCPTimeouts",
        "TCPDeferAcceptDrop",
    )
)
TCP = frozenset(
    (
        "ActiveOpens",
        "PassiveOpens",
        "AttemptFails",
        "EstabResets",
        "InSegs",
        "OutSegs",
        "RetransSegs",
        "OutRsts",
    )
)
# The file, the group of lines in it that matters.
GROUPS = (("netstat", b"TcpExt:"), ("snmp", b"Tcp:"))


def read(netns: Netns, report: Report, proc: str = "/proc") -> dict[str, int] | None:
    """The counters of ``netns``, cumulative since it was made; ``None`` if it is gone or neither file could be read.

    Takes no privilege and no change of namespace where a process lives in it: about 90 us.
    """
    if netns.own:
        return read_directory(f"{proc}/self/net", report)
    if netns.pid is not None:
        return read_directory(f"{proc}/{netns.pid}/net", report)
    return visit(netns, lambda: read_directory(f"{proc}/thread-self/net", report), report)


def read_directory(directory: str, report: Report) -> dict[str, int] | None:
    """The counters in ``netstat`` and ``snmp`` of ``directory``, each file alone; ``None`` if there is neither."""
    counters: dict[str, int] = {}
    for name, group in GROUPS:
        try:
            text = read_file(os.path.join(directory, name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # the process is gone
        except OSError as error:
            report(Problem(source=name, text=f"cannot be read: {error.strerror}"))
            continue
        counters.update(parse(text, group, name, report))
    return counters or None


def parse(text: bytes, group: bytes, source: str, report: Report) -> dict[str, int]:
    """The wanted counters of ``group``; a line that does not fit its names is reported and skipped, others stay."""
    counters: dict[str, int] = {}
    lines = text.split(b"\n")
    names: bytes | None = None
    for number, line in enumerate(lines, 1):
        if not line.startswith(group):
            continue
        if names is None:
            names = line
            continue
        found = _pair(names, line)
        if found is None:
            report(malformed(source, number, line))
        else:
            counters.update(found)
        names = None
    if names is not None:
        report(malformed(source, len(lines), names))
    return counters


def _pair(names: bytes, values: bytes) -> dict[str, int] | None:
    """The wanted counters of one pair of lines; ``None`` if they differ in length or a wanted one is no number."""
    width, wanted = _columns(names)
    fields = values.split()
    if len(fields) != width or not all(is_number(fields[column]) for column, _ in wanted):
        return None
    return {name: int(fields[column]) for column, name in wanted}


@lru_cache(maxsize=8)
def _columns(names: bytes) -> tuple[int, tuple[tuple[int, str], ...]]:
    """How many columns there are, and the number and name of those that are wanted: the same for every reading."""
    columns = [name.decode("ascii", "replace") for name in names.split()]
    return len(columns), tuple((column, name) for column, name in enumerate(columns) if _wanted(columns[0], name))


def _wanted(group: str, name: str) -> bool:
    """Whether tfotop looks at this counter of this group."""
    return name in TCP if group == "Tcp:" else name in TCP_EXT or name.startswith(FAST_OPEN)
