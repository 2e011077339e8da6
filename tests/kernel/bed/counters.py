"""The kernel's own counters of a namespace: the oracle of every kernel test, independent of tfotop's parser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .namespaces import Namespace
from .polling import until

Counters = dict[str, int]

# What Fast Open moves (net/ipv4/proc.c, snmp4_net_list), and what tells SYN cookies and full queues apart.
FAST_OPEN = (
    "TCPFastOpenActive", "TCPFastOpenActiveFail", "TCPFastOpenPassive", "TCPFastOpenPassiveFail",
    "TCPFastOpenListenOverflow", "TCPFastOpenCookieReqd", "TCPFastOpenBlackhole", "TCPFastOpenPassiveAltKey",
)  # fmt: skip
RELATED = (
    "SyncookiesSent", "SyncookiesRecv", "SyncookiesFailed", "TCPReqQFullDoCookies", "TCPReqQFullDrop",
    "ListenOverflows", "ListenDrops", "TCPSynRetrans", "TCPTimeouts", "EmbryonicRsts", "TCPBacklogDrop",
)  # fmt: skip


def snapshot(namespace: Namespace) -> Counters:
    """Every TcpExt and Tcp counter, by its column name."""
    return namespace.run(lambda: _parse("netstat", "TcpExt") | _parse("snmp", "Tcp"))


def delta(before: Counters, after: Counters, names: tuple[str, ...] = ()) -> Counters:
    """The changes that are not zero, of all counters or of `names` only."""
    changes = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: change for name, change in changes.items() if change and (not names or name in names)}


class Watch:
    """The counters' changes since `counting` began."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace, self._before = namespace, snapshot(namespace)

    def delta(self, names: tuple[str, ...] = ()) -> Counters:
        return delta(self._before, snapshot(self._namespace), names)

    def fast_open(self) -> Counters:
        """The TCPFastOpen* changes that are not zero, without the common prefix `TCPFastOpen`."""
        return {name.removeprefix("TCPFastOpen"): change for name, change in self.delta(FAST_OPEN).items()}

    def related(self) -> Counters:
        return self.delta(RELATED)

    def wait(self, name: str, at_least: int = 1, timeout_s: float = 5.0) -> None:
        """Poll until the counter has moved by `at_least`."""
        until(lambda: self.delta().get(name, 0) >= at_least, timeout_s, f"{name} +{at_least}")


@contextmanager
def counting(namespace: Namespace) -> Iterator[Watch]:
    """The changes of a namespace's counters from here on.

    >>> with counting(bed.server) as server:
    ...     exchange(...)
    >>> assert server.fast_open() == {"CookieReqd": 1}
    """
    yield Watch(namespace)


def _parse(file: str, group: str) -> Counters:
    """Pairs of lines, names then values (net/ipv4/proc.c); /proc/net itself would be the main thread's namespace."""
    lines = Path(f"/proc/thread-self/net/{file}").read_text().splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith(f"{group}:"))
    return dict(zip(names, map(int, values), strict=True))
