"""What is judged when a SYN comes, and is otherwise a moment later: other CPUs, TIME_WAIT, a SYN that is sent again."""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    begin,
    burst,
    counting,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
)
from .bed.conditions import full_accept_queue, syn_cookies
from .bed.counters import Watch
from .bed.filters import SYN_ACK, filtering
from .bed.handmade import Handmade
from .bed.polling import PATIENCE
from .bed.segments import fast_open
from .bed.traffic import Mode, send_first
from .usual import primed
from .watching import Sight, shows

pytestmark = pytest.mark.sensor

VISITS, ROUNDS = int(2000 / PATIENCE), 20
FIRST_SYN_ACK = f"{SYN_ACK} tcp option fastopen exists counter drop"  # what is sent again has no cookie
REUSED = 31001
# Before Linux 6.10 it got lost on the way that a SYN takes over a port from TIME_WAIT (TCP_SKB_CB(skb)->tcp_tw_isn).
LETS_TIME_WAIT_IN = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 10)


def test_the_last_place_of_the_queue_taken_on_another_cpu(bed: Bed, sight: Sight) -> None:
    """The place is free when the SYN is looked at, and taken when the kernel looks: no bad cookie."""
    primed(bed, sight)
    short = bed.server.closing(Server(listen(bed.server, 1, backlog=1024)))
    with counting(bed.server) as watch, ThreadPoolExecutor(2) as clients:
        for _ in range(ROUNDS):
            done = [clients.submit(burst, bed.client, bed.server.v4, short.port, VISITS, at_once=20) for _ in range(2)]
            assert [one.result() for one in done] == [VISITS, VISITS]
            if watch.delta(("TCPFastOpenListenOverflow",)):
                break
    assert watch.delta(("TCPFastOpenListenOverflow",)), "the two never met"
    sight.agrees()
    refused = {(t.outcome, t.reason) for t in sight.totals(bed.server)} - {("accepted", None), ("cookie_granted", None)}
    assert refused == {("rejected", "queue_full")}


@pytest.mark.parametrize(
    ("mode", "outcome", "reason"), [("sendto", "cookie_refused", "accept_queue_full"), ("plain", "plain", None)]
)
def test_dropped_then_answered_with_a_syn_cookie(
    bed: Bed, sight: Sight, mode: Mode, outcome: str, reason: str | None
) -> None:
    """The SYN that is sent again has no option; it is the drop that took Fast Open from this connection."""
    listener = full_accept_queue(bed.client, bed.server)
    sight.skip()
    syn_cookies(bed.server)
    with counting(bed.server) as watch, begin(bed.client, bed.server.v4) as sock:
        threading.Thread(target=make_room, args=[listener, watch]).start()
        send_first(sock, bed.server.v4, port_of(listener), REQUEST, mode)
        child, _ = listener.accept()
        with child:
            assert child.recv(64) == REQUEST
    (seen,) = sight.next(bed.server)
    shows(seen, outcome=outcome, reason=reason, syn_retransmits=watch.delta()["ListenOverflows"])
    sight.agrees()


def make_room(listener: socket.socket, watch: Watch) -> None:
    """As soon as the first SYN is dropped."""
    watch.wait("ListenOverflows")
    listener.accept()[0].close()


def test_dropped_then_answered_as_it_was(bed: Bed, sight: Sight) -> None:
    """Who sends the option again gets the reason of the second answer."""
    listener, stranger = full_accept_queue(bed.client, bed.server, qlen=None), Handmade(bed.client, bed.server)
    sight.skip()
    syn = stranger.syn(port_of(listener), fast_open())
    assert not stranger.ask(bed.server.v4, syn, timeout_s=0.2)
    with listener.accept()[0]:
        assert stranger.ask(bed.server.v4, syn)
        shows(sight.next(bed.server)[0], outcome="cookie_refused", reason="no_queue", syn_retransmits=1)
    sight.agrees()


@pytest.mark.parametrize("cached", [True, False], ids=["cookie", "request"])
@pytest.mark.parametrize("always", [True, False], ids=["always", "queue full"])
def test_a_port_taken_over_from_time_wait_gets_no_syn_cookie(
    bed: Bed, sight: Sight, cached: bool, always: bool
) -> None:
    """The kernel lets it in where others get one (tcp_tw_isn in tcp_conn_request)."""
    listener, stranger = listen(bed.server, 16, backlog=1024 if always else 2), Handmade(bed.client, bed.server)
    for port in (REUSED - 1, REUSED):
        visit(bed, listener, port)
    sight.skip(2)
    if not cached:
        forget_cookies(bed.client)
    if always:
        syn_cookies(bed.server)
    else:
        for _ in range(4):
            stranger.send(bed.server.v4, stranger.syn(port_of(listener)))
    with counting(bed.server) as watch:
        visit(bed, listener, REUSED)
    moved = "TCPFastOpenPassive" if cached else "TCPFastOpenCookieReqd"
    assert watch.delta(("TCPFastOpenPassive", "TCPFastOpenCookieReqd")) == ({moved: 1} if LETS_TIME_WAIT_IN else {})
    seen = next(e for e in sight.next(bed.server, 1 if always else 5) if e["peer"].endswith(f":{REUSED}"))
    if LETS_TIME_WAIT_IN:
        shows(seen, outcome="accepted" if cached else "cookie_granted", reason=None)
    else:
        shows(seen, outcome="rejected" if cached else "cookie_refused", reason="syn_cookies")
    shows(sight.next(bed.client)[0], outcome=seen["outcome"])
    sight.agrees()


def visit(bed: Bed, listener: socket.socket, local_port: int) -> None:
    """The server closes first, so that the port is in TIME_WAIT there."""
    with begin(bed.client, bed.server.v4, local_port=local_port) as sock:
        send_first(sock, bed.server.v4, port_of(listener), REQUEST)
        with listener.accept()[0] as child:
            child.recv(64)
            child.send(b"answer")
        while sock.recv(64):
            pass
    time.sleep(0.1)


def test_a_lost_syn_ack_is_not_the_server_s_refusal(bed: Bed, sight: Sight) -> None:
    """The first SYN was answered, says the timestamp; what is sent again has no cookie, whatever the first had."""
    server = Server.start(bed.server)
    with filtering(bed.client, FIRST_SYN_ACK) as rule:
        exchange(bed.client, bed.server.v4, server.port)
    assert rule.hits() == 1
    client, seen = sight.pair()
    shows(client, outcome="cookie_refused", reason=None)
    assert client["syn_retransmits"] > 0
    shows(seen, outcome="cookie_granted", reason=None)
    sight.agrees()


@pytest.mark.parametrize("bad", [True, False], ids=["bad cookie", "request"])
def test_a_syn_ack_without_its_cookie_that_is_sent_again_says_nothing_of_the_queue(
    bed: Bed, sight: Sight, bad: bool
) -> None:
    """The first is dropped on the server itself, before it can be seen; what is sent again never has a cookie."""
    primed(bed, sight)
    server = bed.server.closing(Server(listen(bed.server, 5)))
    if bad:
        rotate_key(bed.server, keep_old=False)
    else:
        forget_cookies(bed.client)
    with filtering(bed.server, FIRST_SYN_ACK, hook="output") as rule:
        exchange(bed.client, bed.server.v4, server.port)
    assert rule.hits() == 1
    (seen,) = sight.next(bed.server)
    assert (seen["outcome"], seen["reason"]) == (("rejected", "bad_cookie") if bad else ("cookie_refused", None))
    if bad:
        sight.agrees()
