"""Addresses that the watched host itself translates: each handshake is seen whole, by the addresses of its socket."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from .bed import Bed, Namespace, Server, exchange, port_of, until
from .bed.conditions import full_accept_queue
from .bed.handmade import Handmade
from .bed.nat import translating
from .bed.segments import ACK
from .bed.traffic import Mode
from .usual import BOTH, address, endpoint
from .watching import Event, Sight, shows

pytestmark = pytest.mark.sensor

PORT = 81  # nobody listens on it


def visits(sight: Sight, host: Namespace, target: str, port: int, of: tuple[Namespace, Namespace]) -> list[Event]:
    """A first contact, a hit and a plain connection, told of both sides as such; the events of the server."""
    wanted = ("cookie_granted", "accepted", "plain")
    modes: list[Mode] = ["sendto", "sendto", "plain"]
    made = [exchange(host, target, port, mode=mode) for mode in modes]
    assert [one.error for one in made] == [None, None, None]
    events = [sight.next(one, 3 * of.count(one)) for one in dict.fromkeys(of)]
    by_role = {role: [e for group in events for e in group if e["role"] == role] for role in ("client", "server")}
    for mine in by_role.values():
        assert [e["outcome"] for e in mine] == list(wanted)
        assert all(e["handshake_rtt_us"] and e["first_byte_us"] is not None for e in mine), mine
    for event, one in zip(by_role["client"], made, strict=True):
        shows(event, local=endpoint(*one.local), peer=endpoint(target, port), syn_retransmits=0)
    sight.agrees()
    return by_role["server"]


@BOTH
def test_a_client_that_is_masqueraded(bed: Bed, sight: Sight, six: bool) -> None:
    server = Server.start(bed.server, family=socket.AF_INET6)
    here = address(bed, six)
    with translating(bed.client, "postrouting", "meta l4proto tcp masquerade to :700-799"):
        seen = visits(sight, bed.client, here, server.port, (bed.client, bed.server))
    assert all(700 <= int(e["peer"].rpartition(":")[2]) < 800 for e in seen)


@BOTH
def test_a_service_address_that_the_client_translates(bed: Bed, sight: Sight, six: bool) -> None:
    server = Server.start(bed.server, family=socket.AF_INET6)
    here, family = address(bed, six), "ip6" if six else "ip"
    with translating(bed.client, "output", f"tcp dport {PORT} dnat {family} to {endpoint(here, server.port)}"):
        seen = visits(sight, bed.client, here, PORT, (bed.client, bed.server))
    assert {e["local"] for e in seen} == {endpoint(here, server.port)}


@BOTH
def test_a_port_that_the_server_redirects(bed: Bed, sight: Sight, six: bool) -> None:
    server = Server.start(bed.server, family=socket.AF_INET6)
    here = address(bed, six)
    with translating(bed.server, "prerouting", f"tcp dport {PORT} redirect to :{server.port}"):
        seen = visits(sight, bed.client, here, PORT, (bed.client, bed.server))
    assert {e["local"] for e in seen} == {endpoint(here, server.port)}


def test_both_on_one_host(bed: Bed, sight: Sight) -> None:
    """As a proxy beside an application has it."""
    server = Server.start(bed.server, family=socket.AF_INET6)
    with translating(bed.server, "output", f"tcp dport {PORT} redirect to :{server.port}"):
        seen = visits(sight, bed.server, "127.0.0.1", PORT, (bed.server, bed.server))
    assert {e["local"] for e in seen} == {f"127.0.0.1:{server.port}"}


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """What this thread sends is received on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_cpu")
def test_a_synack_that_is_sent_again(bed: Bed, sight: Sight) -> None:
    """After SYNs of others. Which SYN-ACK the ACK answers is not known, so the handshake RTT is not either."""
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    with translating(bed.server, "prerouting", f"tcp dport {PORT} redirect to :{server.port}"):
        syn = stranger.syn(PORT)
        answer = stranger.ask(bed.server.v4, syn)
        assert answer
        visits(sight, bed.client, bed.server.v4, PORT, (bed.client, bed.server))
        assert stranger.receive(syn.sport, 5)
        stranger.send(bed.server.v4, answer.reply(ACK))
        stranger.reset(bed.server.v4, syn, answer)
        (seen,) = sight.next(bed.server)
    shows(seen, outcome="plain", handshake_rtt_us=None, local=endpoint(bed.server.v4, server.port))


@pytest.mark.usefixtures("one_cpu")
def test_a_synack_sent_again_answers_no_other_syn(bed: Bed, sight: Sight) -> None:
    """A SYN from a forged address, just before the SYN-ACK of an older one with its sequence number goes out again."""
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    full = full_accept_queue(bed.client, bed.server)
    sight.next(bed.server)
    older = stranger.syn(server.port)
    answer = stranger.ask(bed.server.v4, older)
    assert answer
    shows(sight.next(bed.server)[0], outcome="plain")  # settled, after two more SYN-ACKs
    forged = stranger.syn(port_of(full))

    def answered_again() -> bool:
        stranger.send(bed.server.v4, forged)
        return stranger.receive(older.sport, 0.002) is not None

    while stranger.receive(older.sport, 0.01):
        pass
    until(answered_again, 9, "the SYN-ACK once more")
    stranger.send(bed.server.v4, replace(forged, flags=ACK, seq=forged.seq + 1, ack=answer.seq + 1))
    stranger.reset(bed.server.v4, older, answer)
    stranger.send(bed.server.v4, replace(forged, seq=77_000))  # ends it: the same ports begin anew
    (seen,) = sight.next(bed.server)
    shows(seen, outcome="unanswered", reason="accept_queue_full")
    assert [peer for peer in sight.peers(bed.server) if peer.address == stranger.v4] == []
