"""Namespaces: found, named, entered, and let go."""

import contextlib
import os
import socket
import sys

import pytest

from tfotop.sources import listeners, namespaces, netstat, sock_diag, tcp_metrics
from tfotop.sources.namespaces import visit

from .inside import (
    complain,
    found,
    inside,
    listening,
    namespace,
    run,
    until,
)

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
