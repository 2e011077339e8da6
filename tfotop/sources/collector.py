"""One Sample from all sources: cheap ones are read each time, dear ones every few seconds; each may fail alone."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psutil

from tfotop.sample import Connection, Cost, Keys, Listener, Metric, Namespace, Problem, Process, Sample, Sysctls
from tfotop.sources import keys, listeners, namespaces, netstat, sock_diag, sysctl, tcp_metrics
from tfotop.sources.handshakes import Sensor
from tfotop.sources.namespaces import Netns
from tfotop.sources.owners import Owners
from tfotop.sources.records import cookie_fingerprint

SETTINGS_PERIOD_S, SETTINGS_SHARE = 2.0, 0.05  # sysctls, keys, listeners
SOCKETS_PERIOD_S, SOCKETS_SHARE = 5.0, 0.01  # tcp_metrics, connections
UNKNOWN_PERIOD_S: Final = 0.2  # listeners again, when handshakes name one that was sought in vain
MOST_SOUGHT: Final = 8192


class Turn:
    """When a dear source is read: every ``period_s``, or less often, so that it takes ``share`` of the time at most."""

    def __init__(self, period_s: float, share: float) -> None:
        self._period_s, self._share = period_s, share
        self.last_s = self._due_s = float("-inf")
        self.rest_s = 0.0  # what the share asks for

    def has_come(self, now_s: float) -> bool:
        """Whether it is to be read now."""
        return now_s >= self._due_s

    def call(self) -> None:
        """Have it read the next time."""
        self._due_s = float("-inf")

    @contextmanager
    def taken(self, now_s: float) -> Iterator[None]:
        """It is read in this block, which says how long to rest."""
        began_s = time.monotonic()
        yield
        self.rest_s = (time.monotonic() - began_s) / self._share
        self.last_s, self._due_s = now_s, now_s + max(self._period_s, self.rest_s)


class Settings:
    """What was last read inside one namespace."""

    def __init__(self) -> None:
        self.looked = False
        self.sysctls: Sysctls | None = None
        self.keys: Keys | None = None
        self.listeners: tuple[Listener, ...] | None = None
        self.metrics: tuple[Metric, ...] | None = None
        self.connections: tuple[Connection, ...] | None = None


class Collector:
    """Makes Samples. ``sensor`` may come later, or never; ``problem`` then says why."""

    def __init__(self, problem: Problem | None) -> None:
        self.sensor: Sensor | None = None
        self.problem = problem
        self.owners = Owners()
        self._settings: dict[tuple[int, int | None], Settings] = {}
        self._settings_turn = Turn(SETTINGS_PERIOD_S, SETTINGS_SHARE)
        self._sockets_turn = Turn(SOCKETS_PERIOD_S, SOCKETS_SHARE)
        self._lasting: dict[str, list[Problem]] = {}
        self._sought: set[int] = set()  # cookies of listeners

    def prepare(self, now_s: float) -> None:
        """Read the dear sources while the sensor is still being compiled, so that the first sample is quick."""
        self._refresh(namespaces.find(lambda _problem: None), now_s)

    def sample(self, mono_ns: int, wall_ns: int) -> Sample:
        """Read everything that is due. Counters are read before and after the sensor: its totals lie between."""
        problems: list[Problem] = []
        found = namespaces.find(problems.append)
        self._refresh(found, mono_ns / 1e9)
        before = {n.inum: netstat.read(n, problems.append) for n in found}
        alive = [n.cookie for n in found if n.cookie is not None]
        reading = self.sensor.read(mono_ns, wall_ns, self.owners.of, alive) if self.sensor else None
        after = {n.inum: netstat.read(n, problems.append) for n in found} if reading else {}
        lasting = [problem for group in self._lasting.values() for problem in group]
        return Sample(
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            tier=2 if reading else 1 if os.geteuid() == 0 else 0,
            namespaces=tuple(self._namespace(n, before.get(n.inum), after.get(n.inum)) for n in found),
            sensor=reading,
            problems=tuple(dict.fromkeys([*self._sensor_problem(), *problems, *lasting])),
            cost=_cost(),
        )

    def _sensor_problem(self) -> list[Problem]:
        if self.sensor is None:
            return [self.problem] if self.problem else []
        if self.sensor.missing:
            return [Problem(source="sensor", text=self.sensor.missing, remedy="a kernel with CONFIG_DEBUG_INFO_BTF")]
        return []

    def _refresh(self, found: tuple[Netns, ...], now_s: float) -> None:
        self._settings = {(n.inum, n.cookie): self._settings.get((n.inum, n.cookie)) or Settings() for n in found}
        new = tuple(n for n in found if not self._settings[n.inum, n.cookie].looked)
        if self._settings_turn.has_come(now_s):
            with self._settings_turn.taken(now_s):
                self._lasting["settings"] = self._for_each(found, self._read_settings)
                self._read_owners(found, now_s)
        elif new:  # only these: where containers come and go there may be hundreds of others
            self._lasting["settings"] += self._for_each(new, self._read_settings)
            self._read_owners(found, now_s)
        if self._sockets_turn.has_come(now_s):
            with self._sockets_turn.taken(now_s):
                self._lasting["sockets"] = self._for_each(found, self._read_sockets)

    def _for_each(self, found: tuple[Netns, ...], read: Callable[[Settings, list[Problem]], None]) -> list[Problem]:
        """Read inside of each namespace; what went wrong."""
        problems: list[Problem] = []
        for netns in found:
            state = self._settings[netns.inum, netns.cookie]
            state.looked = True  # also where it is closed to us: trying again each time would be dear
            namespaces.visit(netns, lambda state=state: read(state, problems), problems.append)  # type: ignore[misc]  # a default cannot be inferred
        return problems

    def _read_settings(self, state: Settings, problems: list[Problem]) -> None:
        state.sysctls = sysctl.read(problems.append)
        state.keys = keys.read(problems.append)
        state.listeners = listeners.dump(problems.append)

    def _read_owners(self, found: tuple[Netns, ...], now_s: float) -> None:
        problems: list[Problem] = []
        groups = {n.inum: self._settings[n.inum, n.cookie].listeners or () for n in found}
        complete = self.owners.complete(groups, now_s, problems.append)
        for netns in found:
            state = self._settings[netns.inum, netns.cookie]
            state.listeners = complete[netns.inum] if state.listeners is not None else None
        self._lasting["owners"] = problems

    def _read_sockets(self, state: Settings, problems: list[Problem]) -> None:
        name = cookie_fingerprint(self.sensor.secrets) if self.sensor else None
        state.metrics = tcp_metrics.read(problems.append, name)
        connections = sock_diag.read(problems.append)
        state.connections = connections[0] if connections else None

    def _namespace(self, n: Netns, before: dict[str, int] | None, after: dict[str, int] | None) -> Namespace:
        state = self._settings[n.inum, n.cookie]
        return Namespace(
            inum=n.inum,
            name=n.name,
            cookie=n.cookie,
            own=n.own,
            processes=n.processes,
            pid=n.pid,
            counters=before,
            counters_after=after,
            sysctls=state.sysctls,
            keys=state.keys,
            listeners=state.listeners,
            metrics=state.metrics,
            connections=state.connections,
        )

    def remember_owners(self, now_s: float) -> None:
        """Learn the listeners of the host every few seconds, so that they are known also when they are gone."""
        if self._settings_turn.has_come(now_s):
            self.prepare(now_s)

    def owner(self, now_s: float) -> Callable[[int | None, int], Process | None]:
        """Who owns a listener, for the handshakes of one reading; one that is not known is sought once for them all.

        A listener never sought before is sought at once: it may be younger than the last look, and gone at the next.
        """
        rested = now_s - self._settings_turn.last_s >= max(UNKNOWN_PERIOD_S, self._settings_turn.rest_s)
        looked = False

        def find(netns: int | None, cookie: int) -> Process | None:
            nonlocal looked
            known = self.owners.of(netns, cookie)
            if known is None and not looked and (rested or cookie not in self._sought):
                looked = True
                self._seek(cookie, now_s)
            return known or self.owners.of(netns, cookie)

        return find

    def _seek(self, cookie: int, now_s: float) -> None:
        if len(self._sought) >= MOST_SOUGHT:
            self._sought.clear()
        self._sought.add(cookie)
        self._settings_turn.call()
        self.prepare(now_s)


_ourselves = psutil.Process()


def _cost() -> Cost:
    """CPU time of this process (without the child that compiled) and resident memory."""
    with _ourselves.oneshot():
        used = _ourselves.cpu_times()
        return Cost(cpu_ns=int((used.user + used.system) * 1e9), rss_bytes=_ourselves.memory_info().rss)
