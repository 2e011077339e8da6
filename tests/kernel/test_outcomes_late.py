"""Handshakes whose parts come late, or in another order. As test_outcomes.py."""

import socket
import time

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    begin,
    counting,
    listen,
    port_of,
    until,
)
from .bed.filters import filtering
from .bed.owned import owned
from .bed.traffic import MSG_FASTOPEN, finished
from .usual import answer_and_close, primed
from .watching import Sight, shows

pytestmark = pytest.mark.sensor


SLOW_S = 1.1  # an application that thinks before it speaks
LATER_S = 0.05


def test_answer_behind_a_synack_that_waits(slow_bed: Bed, slow_sight: Sight) -> None:
    """Both wait for the socket, which is still in SYN_SENT when the hook sees the first byte of the answer."""
    server = primed(slow_bed, slow_sight)
    with begin(slow_bed.client, slow_bed.server.v4) as sock, counting(slow_bed.client) as watch:
        sock.setblocking(False)
        assert sock.sendto(REQUEST, MSG_FASTOPEN, (slow_bed.server.v4, server.port)) == len(REQUEST)
        with owned(sock):
            watch.wait("InSegs", 2)
        finished(sock, 5)
    client, seen = slow_sight.pair()
    shows(client, outcome="accepted", syn_data_acked_bytes=len(REQUEST))
    assert 20_000 < client["handshake_rtt_us"] <= client["first_byte_us"]
    shows(seen, outcome="accepted")
    slow_sight.agrees()


def test_syn_sent_again_to_a_listener_that_answers_late(bed: Bed, sight: Sight) -> None:
    """The SYN-ACK is dropped once: one handshake at both ends, the RTT is of the segment that was answered."""
    server = Server.start(bed.server)
    with begin(bed.client, bed.server.v4) as sock:
        with filtering(bed.client, "drop_syn_ack") as dropped:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.connect((bed.server.v4, server.port))
            until(lambda: dropped.hits() >= 1)
        sock.settimeout(5)
        finished(sock, 5)
        sock.sendall(REQUEST)
        assert sock.recv(64)
    client, seen = sight.pair()
    shows(client, outcome="plain")
    shows(seen, outcome="plain")
    for event in (client, seen):
        assert event["handshake_rtt_us"] is None or event["handshake_rtt_us"] < 900_000, event
        assert event["first_byte_us"] > 900_000
    assert client["syn_retransmits"] + seen["syn_retransmits"] >= 1
    sight.agrees()


def test_server_that_closes_before_the_ack(slow_bed: Bed, slow_sight: Sight) -> None:
    """nginx with HTTP/1.0: the child is in FIN_WAIT1 when the client's ACK comes."""
    listener = listen(slow_bed.server)
    with begin(slow_bed.client, slow_bed.server.v4) as sock:
        sock.sendto(REQUEST, MSG_FASTOPEN, (slow_bed.server.v4, port_of(listener)))
        answer_and_close(listener)
        assert sock.recv(64)
    slow_sight.skip()
    with begin(slow_bed.client, slow_bed.server.v4) as sock:
        sock.sendto(REQUEST, MSG_FASTOPEN, (slow_bed.server.v4, port_of(listener)))
        answer_and_close(listener)
        assert sock.recv(64)
    _, seen = slow_sight.pair()
    shows(seen, outcome="accepted", first_byte_us=0)
    assert 20_000 < seen["handshake_rtt_us"] < 900_000
    (peer,) = slow_sight.peers(slow_bed.server)
    assert peer.outcomes == {"cookie_granted": 1, "accepted": 1}
    slow_sight.agrees()


def test_first_bytes_that_take_their_time(bed: Bed, sight: Sight) -> None:
    """The application thinks, at both ends: a first byte is waited for 2 s from the handshake on."""
    listener = listen(bed.server)
    with begin(bed.client, bed.server.v4) as sock:
        sock.connect((bed.server.v4, port_of(listener)))
        child, _ = listener.accept()
        with child:
            time.sleep(SLOW_S)
            sock.sendall(REQUEST)
            assert child.recv(64) == REQUEST
            time.sleep(LATER_S)
            child.send(b"answer")
            assert sock.recv(64)
    client, seen = sight.pair()
    assert client["first_byte_us"] > 1e6 * (SLOW_S + LATER_S), client
    assert 1e6 * SLOW_S < seen["first_byte_us"] < client["first_byte_us"], seen
    sight.agrees()


def test_client_that_has_nothing_more_to_say(bed: Bed, sight: Sight) -> None:
    """It shuts its side down before the answer comes: its first byte is the answer all the same."""
    server = primed(bed, sight)
    with begin(bed.client, bed.server.v4) as sock:
        sock.connect((bed.server.v4, server.port))
        sock.sendall(REQUEST)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(64)
    client, seen = sight.pair()
    for event in (client, seen):
        shows(event, outcome="plain")
        assert event["first_byte_us"] >= event["handshake_rtt_us"] > 0
    sight.agrees()
