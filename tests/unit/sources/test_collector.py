"""One Sample from all sources: each that fails costs its own fields only, and dear ones are read now and then."""

import os
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from tests.scenarios import build
from tfotop.sample import Keys, Listener, Metric, Problem, Process, Sample, Sysctls
from tfotop.sources import collector, keys, listeners, namespaces, netstat, sock_diag, sysctl, tcp_metrics
from tfotop.sources.collector import Collector, Turn
from tfotop.sources.namespaces import Netns
from tfotop.sources.processes import Processes

SECOND = build.SECOND
OWN = Netns(inum=10, path="/proc/self/ns/net", pids=(1, 2), pid=1, own=True, cookie=1)
OTHER = Netns(inum=20, path="/run/netns/blue", name="blue", cookie=2)
LISTENER = Listener(cookie=77, address="::", port=443, inode=100, backlog=511, accept_queue=0)
METRIC = Metric(destination="10.0.0.1")
CONNECTION = build.connection()
READING = build.sensor(build.total("accepted", 1))

FULL = {
    "netstat": {"TCPFastOpenActive": 1},
    "sysctl": Sysctls(tcp_fastopen=3),
    "keys": Keys(primary="a41f"),
    "listeners": (LISTENER,),
    "metrics": (METRIC,),
    "connections": ((CONNECTION,), 0),
}


class Host:
    """Sources that answer, or fail when told to; counts the questions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.found: tuple[Netns, ...] = (OWN, OTHER)
        self.closed: set[int] = set()
        monkeypatch.setattr(
            namespaces, "find", lambda report: (self._answer("namespaces", report) and self.found) or ()
        )
        monkeypatch.setattr(namespaces, "visit", self._visit)
        monkeypatch.setattr(netstat, "read", lambda _netns, report: self._answer("netstat", report))
        monkeypatch.setattr(sysctl, "read", lambda report: self._answer("sysctl", report) or Sysctls())
        monkeypatch.setattr(keys, "read", lambda report: self._answer("keys", report))
        monkeypatch.setattr(listeners, "dump", lambda report: self._answer("listeners", report))
        monkeypatch.setattr(listeners, "ask", lambda *_: listeners.Queue(16, None))
        monkeypatch.setattr(tcp_metrics, "read", lambda report, _name: self._answer("metrics", report))
        monkeypatch.setattr(sock_diag, "read", lambda report: self._answer("connections", report))
        monkeypatch.setattr(Processes, "holders", lambda *_: {100: listeners.Holder(build.NGINX, 6)})

    def _find(self, report: Callable[[Problem], object]) -> tuple[Netns, ...]:
        return self.found if self._answer("namespaces", report) else ()

    def _answer(self, source: str, report: Callable[[Problem], object]) -> Any:
        self.asked[source] += 1
        if source in self.failing:
            report(Problem(source=source, text="broken"))
            return None
        return FULL.get(source, True)

    def _visit(self, netns: Netns, function: Callable[[], object], report: Callable[[Problem], object]) -> object:
        if netns.inum in self.closed:
            report(Problem(source="visit", text="closed"))
            return None
        return function()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """All that the sources read, at no cost: how long this process really takes is not what these tests are about."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(collector, "time", SimpleNamespace(monotonic=lambda: 0.0))
    return Host(monkeypatch)


class Eye:
    """A sensor that always reads the same."""

    secrets = (1, 2)

    def __init__(self, missing: str | None = None) -> None:
        self.missing = missing

    def read(self, mono_ns: int, wall_ns: int, owner: object, alive: list[int]) -> Any:
        assert callable(owner)
        assert all(isinstance(cookie, int) for cookie in alive)
        return READING


def with_sensor(missing: str | None = None) -> Collector:
    made = Collector(Problem(source="sensor", text="not yet"))
    made.sensor = Eye(missing)
    return made


def at(made: Collector, seconds: float) -> Sample:
    return made.sample(int(seconds * SECOND), build.START_WALL_NS)


def shown(sample: Sample) -> list[dict[str, Any]]:
    return [asdict(namespace) for namespace in sample.namespaces]


WHOLE = {
    "processes": 0,
    "counters": FULL["netstat"],
    "counters_after": FULL["netstat"],
    "sysctls": FULL["sysctl"],
    "keys": FULL["keys"],
    "listeners": (replace(LISTENER, max_qlen=16, process=build.NGINX),),
    "metrics": (METRIC,),
    "connections": (CONNECTION,),
}


def test_everything_is_in_the_sample(host: Host) -> None:
    sample = at(with_sensor(), 1)
    assert shown(sample) == [
        {"inum": 10, "name": None, "cookie": 1, "own": True, **WHOLE, "processes": 2, "pid": 1},
        {"inum": 20, "name": "blue", "cookie": 2, "own": False, **WHOLE, "pid": None},
    ]
    assert (sample.mono_ns, sample.wall_ns, sample.tier) == (SECOND, build.START_WALL_NS, 2)
    assert (sample.sensor, sample.problems) == (READING, ())
    assert sample.cost is not None
    assert sample.cost.cpu_ns > 0
    assert sample.cost.rss_bytes > 1 << 20


@pytest.mark.parametrize(
    ("source", "unknown"),
    [
        ("netstat", {"counters": None, "counters_after": None}),
        ("sysctl", {"sysctls": Sysctls()}),
        ("keys", {"keys": None}),
        ("listeners", {"listeners": None}),
        ("metrics", {"metrics": None}),
        ("connections", {"connections": None}),
    ],
)
def test_a_source_that_fails_costs_its_own_fields(host: Host, source: str, unknown: dict[str, object]) -> None:
    host.failing = {source}
    sample = at(with_sensor(), 1)
    assert [{name: row[name] for name in WHOLE} for row in shown(sample)] == [
        {**WHOLE, **unknown, "processes": 2},
        {**WHOLE, **unknown},
    ]
    assert sample.problems == (Problem(source=source, text="broken"),)
    assert sample.sensor == READING


def test_without_namespaces_the_sensor_still_speaks(host: Host) -> None:
    host.failing = {"namespaces"}
    sample = at(with_sensor(), 1)
    assert (sample.namespaces, sample.sensor, sample.tier) == ((), READING, 2)
    assert [problem.source for problem in sample.problems] == ["namespaces"]


def test_a_namespace_that_cannot_be_entered_costs_what_is_read_inside(host: Host) -> None:
    host.closed = {20}
    own, other = shown(at(with_sensor(), 1))
    assert own["sysctls"] == FULL["sysctl"]
    assert [other[name] for name in ("sysctls", "keys", "listeners", "metrics", "connections")] == [None] * 5
    assert other["counters"] == FULL["netstat"]


def test_without_the_sensor_the_rest_is_there(host: Host) -> None:
    problem = Problem(source="sensor", text="bcc is not installed")
    sample = at(Collector(problem), 1)
    assert (sample.sensor, sample.tier, sample.problems) == (None, 1, (problem,))
    assert [(n.counters, n.counters_after) for n in sample.namespaces] == [(FULL["netstat"], None)] * 2


def test_without_root_the_tier_is_0(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert at(Collector(None), 1).tier == 0


def test_a_sensor_without_btf_says_so(host: Host) -> None:
    (problem,) = at(with_sensor("no reasons and no namespaces"), 1).problems
    assert (problem.source, problem.text) == ("sensor", "no reasons and no namespaces")


def test_equal_problems_of_many_namespaces_are_one(host: Host) -> None:
    host.failing = {"keys", "netstat"}
    assert len(at(with_sensor(), 1).problems) == 2


def test_counters_are_read_around_the_sensor(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(netstat, "read", lambda netns, _report: order.append(f"netstat {netns.inum}"))
    made = with_sensor()
    made.sensor = SimpleNamespace(missing=None, secrets=(1, 2), read=lambda *_: order.append("sensor") or READING)
    at(made, 1)
    assert order == ["netstat 10", "netstat 20", "sensor", "netstat 10", "netstat 20"]


# How often


def reads(host: Host, source: str, *seconds: float) -> list[int]:
    """How many namespaces were asked at each moment."""
    made, result = with_sensor(), []
    for moment in seconds:
        host.asked.clear()
        at(made, moment)
        result.append(host.asked[source])
    return result


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("netstat", [4, 4, 4, 4, 4, 4]),
        ("sysctl", [2, 0, 2, 0, 2, 2]),
        ("listeners", [2, 0, 2, 0, 2, 2]),
        ("metrics", [2, 0, 0, 0, 2, 0]),
        ("connections", [2, 0, 0, 0, 2, 0]),
    ],
)
def test_dear_sources_are_read_now_and_then(host: Host, source: str, numbers: list[int]) -> None:
    assert reads(host, source, 1, 2, 3, 4, 6, 8) == numbers


def test_between_readings_the_last_one_stands_with_its_problem(host: Host) -> None:
    host.failing = {"keys"}
    made = with_sensor()
    first, second = at(made, 1), at(made, 2)
    assert second.namespaces == first.namespaces
    assert second.problems == first.problems
    host.failing = set()
    assert at(made, 3).problems == ()


def test_a_new_namespace_does_not_wait(host: Host) -> None:
    host.found = (OWN,)
    made = with_sensor()
    at(made, 1)
    host.found = (OWN, OTHER)
    assert shown(at(made, 1.5))[1]["sysctls"] == FULL["sysctl"]


def test_an_inode_number_used_again_inherits_nothing(host: Host) -> None:
    made = with_sensor()
    at(made, 1)
    host.found, host.closed = (OWN, OTHER._replace(cookie=3)), {20}
    assert shown(at(made, 1.5))[1]["sysctls"] is None


def test_a_namespace_that_cannot_be_entered_does_not_make_every_sample_dear(host: Host) -> None:
    host.closed = {20}
    assert reads(host, "sysctl", 1, 1.1, 1.2, 1.3) == [1, 0, 0, 0]


def test_a_new_namespace_costs_the_others_nothing(host: Host) -> None:
    made = Collector(None)
    made.prepare(1.0)
    host.asked.clear()
    host.found = (*host.found, Netns(inum=30, path="/run/netns/red", name="red", cookie=3))
    made.prepare(1.5)
    assert host.asked["sysctl"] == 1
    made.prepare(3.0)
    assert host.asked["sysctl"] == 4


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.01, 2.0), (0.2, 4.0), (3.0, 60.0)])
def test_what_takes_long_is_read_seldom(took_s: float, rest_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((50.0, 50.0 + took_s))
    monkeypatch.setattr(collector, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    turn = Turn(2.0, 0.05)
    assert turn.has_come(1.0)
    with turn.taken(1.0):
        pass
    assert not turn.has_come(1.0 + rest_s - 0.001)
    assert turn.has_come(1.0 + rest_s + 0.001)
    turn.call()
    assert turn.has_come(1.0)


# Owners, for `events`


def test_the_owner_of_a_listener(host: Host) -> None:
    made = Collector(None)
    made.remember_owners(1.0)
    assert made.owner(1.0)(10, 77) == build.NGINX


def test_an_unknown_listener_is_sought_but_not_for_each_handshake(host: Host) -> None:
    made = Collector(None)
    made.remember_owners(1.0)
    host.asked.clear()
    find = made.owner(1.1)
    assert [find(10, 99), find(10, 98), find(10, 99)] == [None, None, None]
    assert host.asked["listeners"] == 2  # once in each namespace
    assert made.owner(1.2)(10, 99) is None
    assert host.asked["listeners"] == 2
    assert made.owner(1.4)(10, 99) is None
    assert host.asked["listeners"] == 4


def test_a_listener_younger_than_the_last_look_has_its_owner_at_once(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Collector(None)
    made.remember_owners(1.0)
    monkeypatch.setattr(listeners, "dump", lambda _report: (replace(LISTENER, cookie=99),))
    assert made.owner(1.0)(10, 99) == build.NGINX


def test_the_listeners_sought_in_vain_are_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfotop.sources.collector.MOST_SOUGHT", 2)
    made = Collector(None)
    made.remember_owners(1.0)
    host.asked.clear()
    for cookie in (99, 98, 97):
        made.owner(1.0)(10, cookie)
    assert host.asked["listeners"] == 6
    made.owner(1.0)(10, 99)  # forgotten, so it counts as new
    assert host.asked["listeners"] == 8


def test_a_listener_that_is_gone_keeps_its_owner(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Collector(None)
    made.remember_owners(1.0)
    monkeypatch.setattr(listeners, "dump", lambda _report: ())
    made.remember_owners(10.0)
    assert made.owner(10.0)(10, 77) == Process(pid=812, comm="nginx")


def test_owners_are_learnt_every_few_seconds(host: Host) -> None:
    made = Collector(None)
    for now_s in (1.0, 1.5, 2.5, 3.0, 4.0):
        made.remember_owners(now_s)
    assert host.asked["listeners"] == 4


def test_owners_remembered_are_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfotop.sources.owners.MOST_REMEMBERED", 2)
    made = Collector(None)
    for i in range(4):
        monkeypatch.setattr(listeners, "dump", lambda _report, i=i: (replace(LISTENER, cookie=i),))
        made.remember_owners(10.0 * i)
    assert [made.owners.of(10, i) for i in range(4)] == [None, None, build.NGINX, build.NGINX]
