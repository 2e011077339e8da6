"""The readers against the running kernel, in namespaces of their own; the oracles are ip, ss and nstat."""

import contextlib
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyroute2.netns
import pytest

from tfotop.sample import Connection, Listener, Metric, Problem
from tfotop.sources import keys, listeners, namespaces, netstat, processes, sock_diag, sysctl, tcp_metrics
from tfotop.sources.namespaces import Netns, visit

pytestmark = pytest.mark.kernel

T = TypeVar("T")
DEADLINE_S = 10.0
KEY = "00112233-44556677-8899aabb-ccddeeff"
NUMBERS = itertools.count()

# A process that listens as told, says so, and stays until its standard input is closed.
LISTENER = """
import os, socket, sys
ours = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
ours.bind((sys.argv[1], int(sys.argv[2])))
ours.listen(int(sys.argv[3]))
if int(sys.argv[4]):
    ours.setsockopt(socket.IPPROTO_TCP, 23, int(sys.argv[4]))
if sys.argv[5]:
    ours.setsockopt(socket.IPPROTO_TCP, 33, bytes.fromhex(sys.argv[5]))
if all(os.fork() for _ in range(int(sys.argv[6]))):
    print("ready", flush=True)
sys.stdin.read()
"""


def run(command: str) -> str:
    """What a command prints."""
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


def inside(name: str, function: Callable[[], T]) -> T:
    """Run ``function`` in a named namespace, without the code under test."""

    def entered() -> T:
        pyroute2.netns.setns(name)
        return function()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(entered).result()


def until(function: Callable[[], T]) -> T:
    """Poll until ``function`` gives something true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (result := function()):
        assert time.monotonic() < deadline, f"still {result!r}"
        time.sleep(0.01)
    return result


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A new network namespace with its loopback up, gone afterwards whatever happens."""
    name = f"tfosrc-{os.getpid()}-{next(NUMBERS)}"
    run(f"ip netns add {name}")
    try:
        run(f"ip -n {name} link set lo up")
        run(f"ip netns exec {name} sysctl -qw net.ipv4.tcp_fastopen=3")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def netns_name() -> Iterator[str]:
    with namespace() as name:
        yield name


@contextlib.contextmanager
def process(name: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process in a namespace that has printed its first line."""
    command = ["ip", "netns", "exec", name, sys.executable, "-c", *argv]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            assert child.stdin is not None
            child.stdin.close()  # also ends its workers
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(DEADLINE_S)
            child.kill()


@contextlib.contextmanager
def listening(
    name: str,
    port: int,
    max_qlen: int = 0,
    key: str = "",
    address: str = "127.0.0.1",
    backlog: int = 50,
    workers: int = 0,
) -> Iterator[int]:
    """The pid of a process that listens."""
    argv = (LISTENER, address, str(port), str(backlog), str(max_qlen), key, str(workers))
    with process(name, *argv) as child:
        yield child.pid


def found(name: str) -> Netns:
    """The namespace as the code under test finds it."""
    problems: list[Problem] = []
    matches = [netns for netns in namespaces.find(problems.append) if netns.name == name]
    assert len(matches) == 1
    return matches[0]


def complain(problem: Problem) -> None:
    raise AssertionError(problem)


def server(family: int = socket.AF_INET, address: str = "127.0.0.1", max_qlen: int = 16) -> socket.socket:
    ours = socket.socket(family)
    ours.bind((address, 0))
    ours.listen(16)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, max_qlen)
    return ours


def say(listener: socket.socket, address: str, family: int = socket.AF_INET) -> tuple[socket.socket, socket.socket]:
    """One Fast Open connection: the client's end and the server's, the request read."""
    client = socket.socket(family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(DEADLINE_S), 0))
    listener.settimeout(DEADLINE_S)
    client.sendto(b"request", socket.MSG_FASTOPEN, (address, listener.getsockname()[1]))
    accepted, _ = listener.accept()
    accepted.settimeout(DEADLINE_S)
    assert accepted.recv(100) == b"request"
    return client, accepted


def close(*sockets: socket.socket) -> None:
    for ours in sockets:
        ours.close()


# namespaces


def test_a_named_namespace_without_a_process_is_found(netns_name: str) -> None:
    netns = found(netns_name)
    assert netns.inum == os.stat(f"/run/netns/{netns_name}").st_ino
    assert (netns.processes, netns.pid, netns.own) == (0, None, False)


def test_our_own_namespace_comes_first_and_has_us_in_it() -> None:
    own = namespaces.find(lambda _: None)[0]
    assert own.own
    assert own.inum == os.stat("/proc/self/ns/net").st_ino
    assert own.pid == os.getpid()
    assert sum(netns.own for netns in namespaces.find(lambda _: None)) == 1


def test_a_namespace_is_found_through_its_processes_after_its_name_is_gone(netns_name: str) -> None:
    inum = os.stat(f"/run/netns/{netns_name}").st_ino
    with listening(netns_name, 1001) as pid:
        assert found(netns_name).pids == (pid,)
        run(f"ip netns del {netns_name}")
        (netns,) = [netns for netns in namespaces.find(lambda _: None) if netns.inum == inum]
        assert (netns.name, netns.pid, netns.processes) == (None, pid, 1)
        assert visit(netns, lambda: os.stat("/proc/thread-self/ns/net").st_ino, complain) == inum
        assert netstat.read(netns, complain)


def test_the_cookie_is_that_of_a_socket_inside(netns_name: str) -> None:
    def cookie() -> bytes:
        with socket.socket() as ours:
            return ours.getsockopt(socket.SOL_SOCKET, 71, 8)

    assert found(netns_name).cookie == int.from_bytes(inside(netns_name, cookie), sys.byteorder)
    own = namespaces.find(lambda _: None)[0]
    assert own.cookie == int.from_bytes(cookie(), sys.byteorder)


def test_a_visit_runs_inside_and_moves_nobody_else(netns_name: str) -> None:
    home = os.stat("/proc/self/ns/net").st_ino
    netns = found(netns_name)
    assert visit(netns, lambda: os.stat("/proc/thread-self/ns/net").st_ino, complain) == netns.inum
    assert os.stat("/proc/thread-self/ns/net").st_ino == home
    with pytest.raises(ZeroDivisionError):
        visit(netns, lambda: 1 // 0, complain)
    until(lambda: places_of_threads() == {home})  # the kernel takes a moment to end a thread


def places_of_threads() -> set[int]:
    """The namespaces that the threads of this process are in."""
    places = set()
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError):
            places.add(os.stat(f"/proc/self/task/{task}/ns/net").st_ino)
    return places


def test_a_namespace_that_is_gone_is_silent() -> None:
    with namespace() as name:
        netns = found(name)
    assert visit(netns, lambda: 1, complain) is None
    assert netstat.read(netns, complain) is None


def test_another_namespace_with_the_same_number_is_not_entered(netns_name: str) -> None:
    netns = found(netns_name)
    assert netns.cookie is not None
    assert visit(netns, lambda: 1, complain) == 1
    assert visit(netns._replace(cookie=netns.cookie + 1), lambda: 1, complain) is None
    assert visit(netns._replace(inum=netns.inum + 1), lambda: 1, complain) is None


def test_nothing_keeps_a_dead_namespace_alive(netns_name: str) -> None:
    """A veth pair goes with either of its namespaces: the end that is left tells."""
    with namespace() as watched:
        run(f"ip -n {netns_name} link add tfosrc0 type veth peer name tfosrc1 netns {watched}")
        netns = found(watched)
        visit(netns, lambda: (sock_diag.read(complain), tcp_metrics.read(complain), listeners.dump(complain)), complain)
        netstat.read(netns, complain)
        assert "tfosrc0" in run(f"ip -n {netns_name} link show")
    until(lambda: "tfosrc0" not in run(f"ip -n {netns_name} link show"))


# counters


def nstat(name: str) -> dict[str, int]:
    """nstat's absolute values, without its prefixes."""
    document = json.loads(run(f"ip netns exec {name} nstat -asz --json"))
    return {key.removeprefix("TcpExt").removeprefix("Tcp"): value for key, value in document["kernel"].items()}


def visit_counters(name: str) -> dict[str, int]:
    counters = netstat.read(found(name), complain)
    assert counters is not None
    return counters


def test_the_counters_are_those_of_nstat(netns_name: str) -> None:
    def handshakes() -> None:
        with server() as listener:
            close(*say(listener, "127.0.0.1"))
            close(*say(listener, "127.0.0.1"))

    before = visit_counters(netns_name)
    inside(netns_name, handshakes)
    until(lambda: visit_counters(netns_name) == visit_counters(netns_name))
    counters = visit_counters(netns_name)
    oracle = nstat(netns_name)
    # nstat names TcpExtTCPFastOpenActive, whose prefix is taken off twice where Tcp follows; compare by suffix.
    assert {name: oracle[name.removeprefix("TCP") if name not in oracle else name] for name in counters} == counters
    moved = {name: counters[name] - before[name] for name in counters if "FastOpen" in name}
    assert {name: count for name, count in moved.items() if count} == {
        "TCPFastOpenActive": 1,
        "TCPFastOpenPassive": 1,
        "TCPFastOpenCookieReqd": 1,
    }
    assert counters["ActiveOpens"] - before["ActiveOpens"] == 2


def test_the_counters_are_the_same_through_a_process_and_without(netns_name: str) -> None:
    def refused() -> None:
        with socket.socket() as client, pytest.raises(ConnectionRefusedError):
            client.connect(("127.0.0.1", 1))

    inside(netns_name, refused)
    without = visit_counters(netns_name)
    assert without["AttemptFails"] == 1
    with listening(netns_name, 1002):
        assert found(netns_name).pid is not None
        assert visit_counters(netns_name) == without


# settings and keys


def test_the_settings_are_those_of_the_namespace(netns_name: str) -> None:
    for name, value in (
        ("net.ipv4.tcp_fastopen", 0x603),
        ("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 77),
        ("net.ipv4.tcp_syncookies", 2),
        ("net.ipv4.tcp_max_syn_backlog", 333),
        ("net.core.somaxconn", 444),
    ):
        run(f"ip netns exec {netns_name} sysctl -qw {name}={value}")
    settings = visit(found(netns_name), lambda: sysctl.read(complain), complain)
    assert settings is not None
    assert (settings.tcp_fastopen, settings.blackhole_timeout_s, settings.tcp_syncookies) == (0x603, 77, 2)
    assert (settings.tcp_max_syn_backlog, settings.somaxconn) == (333, 444)
    assert sysctl.read(complain) != settings


def test_a_key_has_one_fingerprint_as_sysctl_and_as_socket_option(netns_name: str) -> None:
    """And it is the same key to the kernel: a cookie made by the namespace's is good for the listener's own."""
    netns = found(netns_name)
    assert visit(netns, lambda: keys.read(complain), complain) == keys.Keys()
    run(f"ip netns exec {netns_name} sysctl -qw net.ipv4.tcp_fastopen_key={KEY}")
    read = visit(netns, lambda: keys.read(complain), complain)
    assert read is not None
    raw = bytes.fromhex("33221100 77665544 bbaa9988 ffeeddcc")
    assert read == keys.Keys(primary=keys.fingerprint(raw))

    def cookie_then_own_key() -> None:
        with server() as listener:
            close(*say(listener, "127.0.0.1"))
            listener.setsockopt(socket.IPPROTO_TCP, listeners.TCP_FASTOPEN_KEY, raw)
            close(*say(listener, "127.0.0.1"))

    inside(netns_name, cookie_then_own_key)
    assert visit_counters(netns_name)["TCPFastOpenPassive"] == 1


def test_a_backup_key_is_read(netns_name: str) -> None:
    run(f"ip netns exec {netns_name} sysctl -qw net.ipv4.tcp_fastopen_key={KEY},1-2-3-4")
    read = visit(found(netns_name), lambda: keys.read(complain), complain)
    assert read is not None
    assert read.backup == keys.fingerprint(bytes.fromhex("01000000 02000000 03000000 04000000"))
    assert read.primary != read.backup


# tcp_metrics


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_metrics_are_those_of_ip(netns_name: str, family: int, address: str) -> None:
    def handshake() -> None:
        with server(family, address) as listener:
            close(*say(listener, address, family))

    def read() -> tuple[Metric, ...] | None:
        return visit(netns, lambda: tcp_metrics.read(complain, keys.fingerprint), complain)

    netns = found(netns_name)
    assert read() == ()
    inside(netns_name, handshake)
    (metric,) = until(read)
    (line,) = run(f"ip -n {netns_name} tcp_metrics show").splitlines()
    oracle = dict(re.findall(r"(fo_mss|fo_cookie|source|rtt) (\S+)", line))
    assert line.startswith(f"{address} ")
    assert metric.destination == address
    assert metric.source == oracle["source"] == address
    assert metric.fo_mss == int(oracle["fo_mss"])
    assert metric.fo_cookie_len == 8
    assert metric.fo_cookie_id == keys.fingerprint(bytes.fromhex(oracle["fo_cookie"]))
    assert metric.age_ms is not None
    assert 0 <= metric.age_ms < DEADLINE_S * 1000
    if "rtt" in oracle:
        assert metric.rtt_us == int(oracle["rtt"].removesuffix("us"))


def test_metrics_are_bounded_and_fast_open_ones_come_first(netns_name: str) -> None:
    def many() -> None:
        with socket.create_server(("0.0.0.0", 0)) as plain:
            for last in range(2, 12):
                ends = socket.create_connection((f"127.0.0.{last}", plain.getsockname()[1])), plain.accept()[0]
                ends[0].sendall(b"x")
                assert ends[1].recv(1) == b"x"
                close(*ends)
        with server() as listener:
            close(*say(listener, "127.0.0.1"))

    inside(netns_name, many)
    problems: list[Problem] = []
    netns = found(netns_name)
    until(lambda: len(visit(netns, lambda: tcp_metrics.read(complain), complain) or ()) > 3)
    metrics = visit(netns, lambda: tcp_metrics.read(problems.append, limit=2), complain)
    assert metrics is not None
    assert len(metrics) == 2
    assert metrics[0].destination == "127.0.0.1"
    assert metrics[0].fo_cookie_len == 8
    assert [problem.source for problem in problems] == ["tcp_metrics"]


# connections


def connections(name: str, limit: int = 100) -> tuple[tuple[Connection, ...], int]:
    result = visit(found(name), lambda: sock_diag.read(complain, limit), complain)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("family", "bound", "address", "shown"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1", "[::1]"),
        (socket.AF_INET6, "::", "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_both_ends_of_a_fast_open_connection(
    netns_name: str, family: int, bound: str, address: str, shown: str
) -> None:
    def handshakes() -> tuple[socket.socket, ...]:
        listener = server(family, bound)
        return listener, *say(listener, address, family), *say(listener, address, family)

    listener, first, first_child, client, child = ends = inside(netns_name, handshakes)
    try:
        live, more = connections(netns_name)
        by_cookie = {connection.cookie: connection for connection in live}
        port, peer_port = listener.getsockname()[1], client.getsockname()[1]
        mine, theirs = by_cookie[cookie_of(client)], by_cookie[cookie_of(child)]
        assert (mine.local, mine.peer) == (f"{shown}:{peer_port}", f"{shown}:{port}")
        assert (theirs.local, theirs.peer) == (mine.peer, mine.local)
        assert (mine.syn_data, mine.client_fail) == (True, 0)
        assert theirs.syn_data
        assert mine.rtt_us
        if sock_diag.knows_tfo_child(os.uname().release):
            assert (mine.tfo_child, theirs.tfo_child) == (False, True)
        # The first one had no cookie: the client says so, its child is an ordinary one.
        assert by_cookie[cookie_of(first)].client_fail == 1
        assert cookie_of(first_child) not in by_cookie
        assert (len(live), more) == (3, 0)
        assert [len(part) if isinstance(part, tuple) else part for part in connections(netns_name, 1)] == [1, 2]
    finally:
        close(*ends)


def cookie_of(ours: socket.socket) -> int:
    return int.from_bytes(ours.getsockopt(socket.SOL_SOCKET, listeners.SO_COOKIE, 8), sys.byteorder)


def test_a_client_whose_data_was_not_acknowledged(netns_name: str) -> None:
    def handshakes() -> tuple[socket.socket, ...]:
        with server() as listener:
            close(*say(listener, "127.0.0.1"))
            with open("/proc/sys/net/ipv4/tcp_fastopen", "w") as setting:
                setting.write("1")
            return say(listener, "127.0.0.1")

    ends = inside(netns_name, handshakes)
    try:
        assert [(c.syn_data, c.client_fail) for c in connections(netns_name)[0]] == [(False, 2)]
    finally:
        close(*ends)


# listeners and their processes


def listeners_of(name: str, queues: listeners.Queues | None = None) -> dict[tuple[str, int], list[Listener]]:
    netns = found(name)
    dumped = visit(netns, lambda: listeners.dump(complain), complain)
    assert dumped is not None
    holders = processes.Processes().holders({one.inode for one in dumped}, 0.0, complain, netns.pids)
    by_endpoint: dict[tuple[str, int], list[Listener]] = {}
    for one in (queues or listeners.Queues()).complete({netns.inum: dumped}, holders, complain)[netns.inum]:
        by_endpoint.setdefault((one.address, one.port), []).append(one)
    return by_endpoint


def test_the_listeners_are_those_of_ss_with_queue_key_and_process(netns_name: str) -> None:
    key = "000102030405060708090a0b0c0d0e0f"
    with contextlib.ExitStack() as stack:
        for port, max_qlen, own, address in (
            (1, 7, "", "127.0.0.1"),
            (2, 0, "", "::"),
            (3, 9, key, "::ffff:127.0.0.1"),
        ):
            stack.enter_context(listening(netns_name, port, max_qlen, own, address, backlog=40 + port))
        run(f"ip netns exec {netns_name} sysctl -qw net.ipv4.tcp_fastopen_key={KEY}")
        seen = listeners_of(netns_name)
        # ss: state, accept queue, backlog, local, peer, processes
        oracle = {
            int(row[3].rpartition(":")[2]): (
                int(row[1]),
                int(row[2]),
                int(row[5].partition("pid=")[2].partition(",")[0]),
            )
            for row in map(str.split, run(f"ip netns exec {netns_name} ss -Hltnp").splitlines())
        }
        flat = [one for siblings in seen.values() for one in siblings]
        processes_of = {one.port: one.process for one in flat}
        assert {
            one.port: (one.accept_queue, one.backlog, process.pid if (process := processes_of[one.port]) else None)
            for one in flat
        } == oracle
    assert {key: [(one.max_qlen, one.own_key) for one in siblings] for key, siblings in seen.items()} == {
        ("127.0.0.1", 1): [(7, None)],  # the namespace's key is not its own
        ("::", 2): [(0, None)],
        ("127.0.0.1", 3): [(9, keys.fingerprint(bytes.fromhex(key)))],
    }


def test_siblings_of_one_port_stay_apart(netns_name: str) -> None:
    with listening(netns_name, 5, max_qlen=3) as first, listening(netns_name, 5, max_qlen=4) as second:
        siblings = listeners_of(netns_name)["127.0.0.1", 5]
        assert {one.process.pid: one.max_qlen for one in siblings if one.process} == {first: 3, second: 4}
        assert len({one.cookie for one in siblings}) == 2


def test_the_master_is_named_not_its_workers(netns_name: str) -> None:
    with listening(netns_name, 6, workers=3) as master:
        until(lambda: found(netns_name).processes == 4)
        ((one,),) = listeners_of(netns_name).values()
        assert one.process is not None
        assert one.process.pid == master
        assert one.process.comm == comm(master)


def comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm") as name:
        return name.read().rstrip("\n")


def test_a_changed_queue_is_seen_when_it_is_asked_again_and_asking_leaves_nothing(netns_name: str) -> None:
    listener = inside(netns_name, server)
    queues = listeners.Queues(reread_every=3)
    try:
        # The socket lives in the namespace, its process (we) does not.
        dumped = visit(found(netns_name), lambda: listeners.dump(complain), complain)
        assert dumped
        holders = {
            one.inode: processes.Holder(processes.Process(pid=os.getpid(), comm="x"), listener.fileno())
            for one in dumped
        }

        def qlens() -> list[int | None]:
            return [one.max_qlen for one in queues.complete({1: dumped}, holders, complain)[1]]

        descriptors = os.listdir("/proc/self/fd")
        assert qlens() == [16]
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        assert [qlens() for _ in range(3)] == [[16], [16], [5]]
        assert os.listdir("/proc/self/fd") == descriptors
    finally:
        listener.close()
    assert listeners.Queues().complete({1: dumped}, holders, complain)[1][0].max_qlen is None


def test_a_descriptor_that_is_another_socket_by_now_tells_nothing(netns_name: str) -> None:
    with listening(netns_name, 7, max_qlen=8):
        ((one,),) = listeners_of(netns_name).values()
        with server() as other, open("/dev/null") as no_socket:
            for fd in (other.fileno(), no_socket.fileno(), 9999):
                holder = processes.Holder(processes.Process(pid=os.getpid(), comm="x"), fd)
                assert listeners.ask(one, holder, complain) is None


# without privileges

UNPRIVILEGED = """
import os, socket, json, msgspec
from tfotop.sources import namespaces, netstat, sysctl, keys, tcp_metrics, sock_diag, listeners, processes
os.setgroups([]); os.setgid(65534); os.setuid(65534)
problems = []
everything = namespaces.find(problems.append)
own = everything[0]
first = len(problems)
others = [netstat.read(one, problems.append) for one in everything[1:]]
result = {
    "own": own.own, "inum": own.inum, "cookie": own.cookie, "namespace_problems": first,
    "counters": "TCPFastOpenActive" in netstat.read(own, problems.append),
    "sysctl": sysctl.read(problems.append).tcp_fastopen,
    "keys": keys.read(problems.append),
    "metrics": tcp_metrics.read(problems.append) is not None,
    "connections": sock_diag.read(problems.append) is not None,
}
dumped = listeners.dump(problems.append)
holders = processes.Processes().holders({one.inode for one in dumped}, 0.0, problems.append)
result["listeners"] = [one.port for one in listeners.Queues().complete({1: dumped}, holders, problems.append)[1]]
result["problems"] = sorted({(p.source, p.remedy) for p in problems})
print(json.dumps(result))
"""


def test_without_privileges_there_is_tier_0_and_one_problem_for_each_thing_missing(netns_name: str) -> None:
    home = os.getcwd()
    with listening(netns_name, 8):
        command = ["ip", "netns", "exec", netns_name, sys.executable, "-c", UNPRIVILEGED]
        environment = {**os.environ, "PYTHONPATH": home, "PYTHONDONTWRITEBYTECODE": "1"}
        output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    result = json.loads(output)
    assert result["inum"] == os.stat("/proc/self/ns/net").st_ino or result["own"]
    assert result["cookie"]
    assert (result["counters"], result["metrics"], result["connections"]) == (True, True, True)
    assert (result["sysctl"], result["keys"], result["listeners"]) == (3, None, [8])
    assert result["namespace_problems"] == 1
    assert result["problems"] == [
        ["keys", "run as root"],
        ["namespaces", "run as root"],
        ["processes", "run as root"],
    ]
