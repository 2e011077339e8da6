"""Cached cookies, connections, listeners and their processes; the oracles are ip and ss."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys

import pytest

from tfotop.sample import Connection, Listener, Metric, Problem
from tfotop.sources import keys, listeners, processes, sock_diag, tcp_metrics
from tfotop.sources.namespaces import visit

from .inside import (
    DEADLINE_S,
    KEY,
    close,
    complain,
    found,
    inside,
    listening,
    run,
    say,
    server,
    until,
)

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


def test_a_listener_of_mptcp_has_a_queue_and_a_process(netns_name: str) -> None:
    """As programs in Go have them: two sockets with one inode number, of which the process holds the other."""
    with listening(netns_name, 1, 7, "000102030405060708090a0b0c0d0e0f", protocol=listeners.IPPROTO_MPTCP) as pid:
        (one,) = listeners_of(netns_name)["127.0.0.1", 1]
    assert one.process is not None
    assert (one.process.pid, one.max_qlen) == (pid, 7)
    assert one.own_key == keys.fingerprint(bytes(range(16)))


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
