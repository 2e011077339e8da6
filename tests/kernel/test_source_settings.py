"""Counters, settings and keys of a namespace; the oracles are nstat and sysctl."""

import json
import socket

import pytest

from tfotop.sources import keys, listeners, netstat, sysctl
from tfotop.sources.namespaces import visit

from .inside import KEY, close, complain, found, inside, listening, run, say, server, until

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
