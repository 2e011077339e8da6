"""SYN-ACKs that no cgroup hook sees: the server's part is told from the SYN, the ACK and what the kernel holds."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    begin,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    settings,
    until,
)
from .bed.conditions import syn_cookies
from .bed.filters import hiding_synacks
from .bed.handmade import Handmade
from .bed.segments import ACK, RST
from .bed.traffic import MSG_FASTOPEN, Mode
from .running import hiding
from .usual import BOTH, address, answer_and_close
from .watching import Event, Events, Sight, shows

pytestmark = pytest.mark.sensor


@pytest.fixture
def hidden(bed: Bed) -> Iterator[None]:
    with hiding_synacks(bed.server, bed.client):
        yield


def visit(bed: Bed, sight: Sight, six: bool, port: int, mode: Mode = "sendto") -> Event:
    """What tfotop says of the server's part in a visit; the client's is taken."""
    assert exchange(bed.client, address(bed, six), port, mode=mode).error is None
    return sight.pair()[1]


@BOTH
@pytest.mark.usefixtures("hidden")
def test_granted_accepted_plain(bed: Bed, sight: Sight, six: bool) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    for mode, outcome, cookie in (("sendto", "cookie_granted", 0), ("sendto", "accepted", 8), ("plain", "plain", None)):
        seen = visit(bed, sight, six, server.port, mode)
        shows(seen, outcome=outcome, reason=None, cookie_len=cookie, new_cookie_len=None)
        assert 0 < seen["handshake_rtt_us"] < 900_000
        assert seen["first_byte_us"] is not None
    sight.agrees()
    (peer,) = sight.peers(bed.server)
    assert peer.outcomes == {"cookie_granted": 1, "accepted": 1, "plain": 1}
    assert (peer.with_tfo.count, peer.without_tfo.count) == (1, 2)


@pytest.mark.usefixtures("hidden")
def test_declined(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    visit(bed, sight, False, server.port)
    rotate_key(bed.server, keep_old=False)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="bad_cookie", cookie_len=8)
    settings.mode(bed.server, settings.CLIENT)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="server_bit_off")
    forget_cookies(bed.client)
    shows(visit(bed, sight, False, server.port), outcome="cookie_refused", reason="server_bit_off", cookie_len=0)
    sight.agrees()


@pytest.mark.usefixtures("hidden")
def test_syn_cookies_are_told_apart(bed: Bed, sight: Sight, without_btf: Events) -> None:
    """Without BTF nobody knows at the SYN that its answer will be a cookie, and a grant is not told from a refusal."""
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    visit(bed, sight, False, server.port)
    shows(visit(bed, sight, False, server.port), outcome="accepted")
    shows(visit(bed, sight, False, server.port, "plain"), outcome="plain")
    syn_cookies(bed.server)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="syn_cookies")
    settings.mode(bed.server, settings.CLIENT)
    bed.server.sysctl("net.ipv4.tcp_syncookies", 0)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="server_bit_off")
    sight.agrees()
    here = f"{bed.server.v4}:{server.port}"
    told = without_btf.collect(lambda event: event["local"] == here, 5)
    assert [(e["outcome"], e["reason"]) for e in told] == [
        ("unanswered", None),
        ("accepted", None),
        ("plain", None),
        ("rejected", "syn_cookies"),
        ("rejected", None),
    ]


@pytest.fixture
def without_btf() -> Iterator[Events]:
    """It has no namespaces either, so its events are known by their addresses."""
    events = Events(within=hiding("mount --bind /dev/null /sys/kernel/btf/vmlinux"))
    try:
        yield events
    finally:
        events.close()


@pytest.mark.usefixtures("hidden")
def test_forged_segments_prove_nothing(bed: Bed, sight: Sight) -> None:
    """Who cannot see the SYN-ACK does not know its sequence number, whatever is sent behind the ACK."""
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    syn = stranger.syn(server.port)
    answer = stranger.ask(bed.server.v4, syn)
    assert answer
    forged = answer.reply(ACK, ack=(answer.seq + 12345) % 2**32)
    for segment in (forged, replace(forged, payload=b"data")):
        stranger.send(bed.server.v4, segment)
    until(lambda: sum(t.handshakes for t in sight.totals(bed.server)) == 1, what="the handshake in the totals")
    assert sight.peers(bed.server) == []
    shows(sight.next(bed.server)[0], outcome="plain", handshake_rtt_us=None, first_byte_us=None)


@pytest.mark.usefixtures("hidden")
def test_a_request_in_the_ack(bed: Bed, sight: Sight) -> None:
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    answer = stranger.ask(bed.server.v4, stranger.syn(server.port))
    assert answer
    stranger.send(bed.server.v4, answer.reply(ACK, payload=b"data"))
    (seen,) = sight.next(bed.server)
    shows(seen, outcome="plain")
    assert 0 < seen["handshake_rtt_us"] <= seen["first_byte_us"]
    (peer,) = sight.peers(bed.server)
    assert (peer.outcomes, peer.without_tfo.count) == ({"plain": 1}, 1)
    stranger.send(bed.server.v4, answer.reply(RST, seq=answer.ack + 4))


@pytest.mark.usefixtures("hidden")
def test_a_listener_that_waits_for_the_request(bed: Bed, sight: Sight) -> None:
    """TCP_DEFER_ACCEPT: the kernel forgets the ACK, and makes the child of the segment behind it."""
    listener = listen(bed.server)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    with begin(bed.client, bed.server.v4) as sock:
        sock.connect((bed.server.v4, port_of(listener)))
        until(lambda: sight.totals(bed.server), what="the handshake in the totals")
        sock.send(REQUEST)
        answer_and_close(listener)
        assert sock.recv(64)
    shows(sight.pair()[1], outcome="plain")
    (peer,) = sight.peers(bed.server)
    assert (peer.outcomes, peer.without_tfo.count) == ({"plain": 1}, 1)


@BOTH
def test_a_child_that_is_closed_before_the_ack(slow_bed: Bed, slow_sight: Sight, six: bool) -> None:
    """A short answer over a slow link: the child is in FIN_WAIT1 when the client's ACK comes."""
    listener = listen(slow_bed.server, family=socket.AF_INET6)
    target = address(slow_bed, six), port_of(listener)
    with hiding_synacks(slow_bed.server, slow_bed.client):
        for outcome in ("cookie_granted", "accepted"):
            with begin(slow_bed.client, target[0]) as sock:
                sock.sendto(REQUEST, MSG_FASTOPEN, target)
                answer_and_close(listener)
                assert sock.recv(64)
            client, seen = slow_sight.pair()
            assert (client["outcome"], seen["outcome"]) == (outcome, outcome)
            assert 20_000 < seen["handshake_rtt_us"] < 900_000
    (peer,) = slow_sight.peers(slow_bed.server)
    assert peer.outcomes == {"cookie_granted": 1, "accepted": 1}
    slow_sight.agrees()
