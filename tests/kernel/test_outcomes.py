"""Each outcome and reason, made on purpose: the `events --json` objects of both roles, totals against counters."""

import os
import socket
import time
from pathlib import Path

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    as_process,
    begin,
    counting,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    settings,
    until,
)
from .bed.conditions import full_accept_queue, full_fast_open_queue, listen_with_400, syn_cookies
from .bed.filters import filtering
from .bed.handmade import Handmade
from .bed.owned import owned
from .bed.traffic import MSG_FASTOPEN, Mode, finished
from .watching import Sight, shows

pytestmark = pytest.mark.sensor

BOTH = pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])


# Linux 6.1 does not show the SYN-ACK of an IPv6 listener to cgroup programs (6.12 does): its cookie is not known there.
HIDES_V6_SYNACKS = tuple(map(int, os.uname().release.split(".")[:2])) < (6, 6)
# The third timeout in a row: after 1, 1, 1 s, or after 1, 2, 4 s before the sysctl came (Linux 6.5).
THIRD_TIMEOUT_S = 3.5 if Path("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").exists() else 7.5

SLOW_S = 1.2  # an application that thinks before it speaks


def address(bed: Bed, six: bool) -> str:
    return bed.server.v6 if six else bed.server.v4


def primed(bed: Bed, sight: Sight, six: bool = False) -> Server:
    """A server whose cookie the client has; the events of that are taken."""
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    assert exchange(bed.client, address(bed, six), server.port).answer
    sight.skip()
    return server


@BOTH
@pytest.mark.parametrize("mode", ["sendto", "connect_option"])
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "non-blocking"])
def test_first_contact_and_hit(bed: Bed, sight: Sight, six: bool, mode: Mode, blocking: bool) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    exchange(bed.client, address(bed, six), server.port, mode=mode, blocking=blocking)
    client, seen = sight.pair()
    granted: dict[str, object] = {
        "outcome": "cookie_granted",
        "option": "standard",
        "cookie_len": 0,
        "new_cookie_len": 8,
    }
    shows(client, role="client", reason="no_cookie_cached", variant=None, syn_data_bytes=0, **granted)
    if six and HIDES_V6_SYNACKS:
        granted["new_cookie_len"] = None
    else:
        assert client["new_cookie_id"] == seen["new_cookie_id"]
    shows(seen, role="server", reason=None, variant=None, max_qlen=16, qlen=0, tcp_fastopen=3, **granted)
    local = exchange(bed.client, address(bed, six), server.port, mode=mode, blocking=blocking).local
    client, seen = sight.pair()
    hit = {"outcome": "accepted", "reason": None, "variant": None, "cookie_len": 8, "new_cookie_len": None}
    data = {"syn_data_bytes": len(REQUEST), "syn_data_acked_bytes": len(REQUEST), "syn_retransmits": 0}
    shows(client, role="client", local=endpoint(*local), peer=endpoint(address(bed, six), server.port), **hit, **data)
    shows(seen, role="server", peer=endpoint(*local), local=endpoint(address(bed, six), server.port), **hit, **data)
    assert None not in (client["handshake_rtt_us"], client["first_byte_us"], seen["handshake_rtt_us"]), (client, seen)
    assert 0 < client["handshake_rtt_us"] < client["first_byte_us"] < 5_000_000
    assert seen["first_byte_us"] == 0 < seen["handshake_rtt_us"]
    sight.agrees()


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


def endpoint(host: str, port: int) -> str:
    host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@BOTH
def test_plain(bed: Bed, sight: Sight, six: bool) -> None:
    server = primed(bed, sight, six)
    exchange(bed.client, address(bed, six), server.port, mode="plain")
    for event in sight.pair():
        shows(event, outcome="plain", reason=None, option=None, cookie_len=None, new_cookie_len=None, syn_data_bytes=0)
        assert 0 < event["handshake_rtt_us"] <= event["first_byte_us"]
    sight.agrees()


def test_zero_payload(bed: Bed, sight: Sight) -> None:
    """The server makes a child; there is no data that the SYN-ACK could acknowledge to the client."""
    server = primed(bed, sight)
    exchange(bed.client, bed.server.v4, server.port, request=b"")
    for event in sight.pair():
        shows(event, outcome="accepted", cookie_len=8, syn_data_bytes=0, syn_data_acked_bytes=0, first_byte_us=None)
    sight.agrees()


def test_backup_key(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    rotate_key(bed.server, keep_old=True)
    exchange(bed.client, bed.server.v4, server.port)
    for event in sight.pair():
        shows(event, outcome="accepted", variant="backup_key", cookie_len=8, new_cookie_len=8)
        assert event["cookie_id"] != event["new_cookie_id"]
    sight.agrees()


def test_rotated_key(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    rotate_key(bed.server, keep_old=False)
    exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    rejected = {"outcome": "rejected", "cookie_len": 8, "new_cookie_len": 8, "syn_data_acked_bytes": 0}
    shows(client, reason="data_not_acked", syn_data_bytes=len(REQUEST), **rejected)
    shows(seen, reason="bad_cookie", syn_data_bytes=len(REQUEST), **rejected)
    assert seen["first_byte_us"] >= seen["handshake_rtt_us"] > 0
    sight.agrees()


def test_server_bit_off(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    settings.mode(bed.server, settings.CLIENT)
    exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="rejected", reason="data_not_acked", new_cookie_len=None)
    shows(seen, outcome="rejected", reason="server_bit_off", tcp_fastopen=1)
    forget_cookies(bed.client)
    exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="cookie_refused", reason="none_granted", cookie_len=0)
    shows(seen, outcome="cookie_refused", reason="server_bit_off", cookie_len=0)
    sight.agrees()


@pytest.mark.parametrize("qlen", [0, None])
def test_no_queue(bed: Bed, sight: Sight, qlen: int | None) -> None:
    primed(bed, sight)
    server = Server.start(bed.server, qlen)
    exchange(bed.client, bed.server.v4, server.port)
    forget_cookies(bed.client)
    exchange(bed.client, bed.server.v4, server.port)
    with_cookie, asking = sight.next(bed.server, 2)
    shows(with_cookie, outcome="rejected", reason="no_queue", max_qlen=0, tcp_fastopen=3)
    shows(asking, outcome="cookie_refused", reason="no_queue", max_qlen=0, tcp_fastopen=3)
    sight.agrees()


@pytest.mark.parametrize("before", [True, False])
def test_bit_400(bed: Bed, sight: Sight, before: bool) -> None:
    server = bed.server.closing(Server(listen_with_400(bed.server, before)))
    exchange(bed.client, bed.server.v4, server.port)
    (seen,) = sight.next(bed.server)
    wanted = {"outcome": "cookie_granted", "reason": None} if before else {"reason": "no_queue", "max_qlen": 0}
    shows(seen, tcp_fastopen=0x403, **wanted)
    sight.agrees()


def test_queue_full(bed: Bed, sight: Sight) -> None:
    primed(bed, sight)
    with full_fast_open_queue(bed.client, bed.server, bed.server.v4) as listener:
        server = bed.server.closing(Server(listener))
        exchange(bed.client, bed.server.v4, server.port)
        full = next(e for e in sight.next(bed.server, 1) if e["outcome"] == "rejected")
    shows(full, reason="queue_full", qlen=1, max_qlen=1, new_cookie_len=None)
    sight.agrees()


def test_accept_queue_full(bed: Bed, sight: Sight) -> None:
    """No SYN-ACK ever: the handshake with its repeated SYNs is one, unanswered."""
    primed(bed, sight)
    listener = full_accept_queue(bed.client, bed.server)
    assert exchange(bed.client, bed.server.v4, port_of(listener), timeout_s=1.5).error == "ETIMEDOUT"
    client = next(e for e in sight.next(bed.client, 2) if e["outcome"] != "plain")
    shows(client, outcome="unanswered", reason=None, syn_retransmits=1, syn_data_bytes=len(REQUEST))
    seen = next(e for e in sight.next(bed.server, 2) if e["outcome"] != "plain")
    shows(seen, outcome="unanswered", reason="accept_queue_full", syn_retransmits=1, syn_data_bytes=len(REQUEST))
    sight.agrees()


def test_syn_queue_full(bed: Bed, sight: Sight) -> None:
    """Half-open connections fill it, and SYN cookies are off: the SYN is dropped before its option is looked at."""
    bed.server.sysctl("net.ipv4.tcp_syncookies", 0)
    listener, stranger = listen(bed.server, 16, backlog=1), Handmade(bed.client, bed.server)
    for _ in range(2):
        assert stranger.ask(bed.server.v4, stranger.syn(port_of(listener)))
    with counting(bed.server) as watch:
        exchange(bed.client, bed.server.v4, port_of(listener), timeout_s=0.3)
    assert watch.delta(("TCPReqQFullDrop",)) == {"TCPReqQFullDrop": 1}
    shows(sight.next(bed.client)[0], outcome="unanswered", reason=None, cookie_len=0)
    *half_open, seen = sight.next(bed.server, 3)
    assert [event["outcome"] for event in half_open] == ["plain", "plain"]
    shows(seen, outcome="unanswered", reason="syn_queue_full", cookie_len=0, syn_retransmits=0)
    sight.agrees()


def test_syn_cookies(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    syn_cookies(bed.server)
    exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="rejected", reason="data_not_acked")
    shows(seen, outcome="rejected", reason="syn_cookies", cookie_len=8, handshake_rtt_us=None)
    forget_cookies(bed.client)
    exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="cookie_refused", reason="none_granted")
    shows(seen, outcome="cookie_refused", reason="syn_cookies", cookie_len=0)
    exchange(bed.client, bed.server.v4, server.port, mode="plain")
    shows(sight.pair()[1], outcome="plain", reason=None)
    sight.agrees()


@pytest.mark.parametrize(
    ("client_bits", "server_bits", "outcome", "variant"),
    [(0x5, 0x203, "accepted", "no_cookie"), (0x5, 0x003, "rejected", None), (0x1, 0x203, "accepted", "no_cookie")],
)
def test_modes_without_cookies(
    bed: Bed, sight: Sight, client_bits: int, server_bits: int, outcome: str, variant: str | None
) -> None:
    settings.mode(bed.client, client_bits)
    settings.mode(bed.server, server_bits)
    exchange(bed.client, bed.server.v4, Server.start(bed.server).port)
    client, seen = sight.pair()
    shows(seen, outcome=outcome, variant=variant, reason="no_data_no_cookie" if outcome == "rejected" else None)
    if client_bits & 4:
        shows(client, outcome=outcome, variant=variant, cookie_len=None, syn_data_bytes=len(REQUEST))
    else:
        shows(client, outcome="cookie_refused", reason="none_granted")
    sight.agrees()


def test_no_cookie_sockets(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server, 16, no_cookie=True)
    exchange(bed.client, bed.server.v4, server.port, no_cookie=True)
    for event in sight.pair():
        shows(event, outcome="accepted", variant="no_cookie", option=None, cookie_len=None)
    sight.agrees()


@pytest.mark.parametrize("rule", ["drop_syn_option", "drop_syn_data"])
def test_syn_dropped_on_the_way(bed: Bed, sight: Sight, rule: str) -> None:
    """The server sees a plain SYN only; the client's handshake is one, sent twice."""
    server = primed(bed, sight)
    with filtering(bed.server, rule):
        exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="lost", reason="syn_dropped", syn_retransmits=1, cookie_len=8, syn_data_acked_bytes=0)
    assert client["handshake_rtt_us"] is None or client["handshake_rtt_us"] < 900_000
    assert client["first_byte_us"] > 900_000
    shows(seen, outcome="plain", syn_retransmits=0)
    sight.agrees()


def test_option_stripped(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    with filtering(bed.server, "strip_syn_option"):
        exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="rejected", reason="data_not_acked", cookie_len=8)
    shows(seen, outcome="rejected", reason="no_data_no_cookie", cookie_len=None, option=None)
    sight.agrees()


@pytest.mark.parametrize("close_after_s", [0.05, 1.2])
def test_unanswered(bed: Bed, sight: Sight, close_after_s: float) -> None:
    server = primed(bed, sight)
    with filtering(bed.server, "drop_tcp"):
        assert exchange(bed.client, bed.server.v4, server.port, timeout_s=close_after_s).error == "ETIMEDOUT"
    (client,) = sight.next(bed.client)
    shows(client, outcome="unanswered", reason=None, syn_retransmits=int(close_after_s), syn_data_acked_bytes=None)
    shows(client, handshake_rtt_us=None, first_byte_us=None, cookie_len=8)
    sight.agrees()


def test_third_timeout_moves_active_fail(bed: Bed, sight: Sight) -> None:
    """tcp_fastopen_active_detect_blackhole; the handshake itself stays one that is unanswered."""
    server = primed(bed, sight)
    with filtering(bed.server, "drop_tcp"):
        assert exchange(bed.client, bed.server.v4, server.port, timeout_s=THIRD_TIMEOUT_S).error == "ETIMEDOUT"
    shows(sight.next(bed.client)[0], outcome="unanswered", reason=None, syn_retransmits=3)
    sight.agrees(timeouts=1)


@BOTH
def test_icmp_unreachable(bed: Bed, sight: Sight, six: bool) -> None:
    """The ICMP that closes the socket is the second here: the first comes while connect() still holds the socket."""
    error = pytest.raises(OSError, match=r"No route to host|unreachable")
    with filtering(bed.server, "unreachable"), begin(bed.client, address(bed, six)) as sock, error:
        sock.connect((address(bed, six), 443))
    shows(sight.next(bed.client)[0], outcome="unanswered", reason="icmp_unreachable")
    sight.agrees()


@BOTH
def test_reset(bed: Bed, sight: Sight, six: bool) -> None:
    server = primed(bed, sight, six)
    with filtering(bed.server, "reset_syn"):
        assert exchange(bed.client, address(bed, six), server.port).error == "ECONNREFUSED"
    assert exchange(bed.client, address(bed, six), 9, mode="plain").error == "ECONNREFUSED"
    with_data, closed = sight.next(bed.client, 2)
    shows(with_data, outcome="reset", reason="reset", syn_data_bytes=len(REQUEST), first_byte_us=None)
    shows(closed, outcome="reset", reason="reset", cookie_len=None)
    sight.agrees()


def test_client_bit_off(bed: Bed, sight: Sight) -> None:
    """The call itself fails; what the application does instead is a plain handshake, and the reason is known."""
    server = Server.start(bed.server)
    settings.mode(bed.client, settings.SERVER)
    exchange(bed.client, bed.server.v4, server.port, mode="plain")
    shows(sight.next(bed.client)[0], outcome="plain", reason="client_bit_off", tcp_fastopen=2)
    sight.agrees()


def test_blackhole(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 60)
    with filtering(bed.server, "drop_tcp"):
        exchange(bed.client, bed.server.v4, server.port, timeout_s=THIRD_TIMEOUT_S)
    exchange(bed.client, bed.server.v4, server.port)
    exchange(bed.client, bed.server.v4, server.port, mode="plain")
    disabling, asked, plain = sight.next(bed.client, 3)
    shows(disabling, outcome="unanswered")
    shows(asked, outcome="plain", reason="blackhole", cookie_len=None, syn_data_bytes=0)
    shows(plain, outcome="plain", reason=None)
    sight.agrees(timeouts=1)


def test_caller_and_listener_are_named(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server)
    pid = as_process(bed.client, "tfo-client", bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, pid=pid, comm="tfo-client")
    assert seen["pid"] is not None
    assert "python" in seen["comm"] or "pytest" in seen["comm"]


def test_v4_mapped_listener_shows_v4(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server, family=socket.AF_INET6)
    exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    assert seen["local"] == client["peer"] == f"{bed.server.v4}:{server.port}"


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


def answer_and_close(listener: socket.socket) -> None:
    child, _ = listener.accept()
    with child:
        assert child.recv(64) == REQUEST
        child.send(b"answer")


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
            time.sleep(0.5)
            child.send(b"answer")
            assert sock.recv(64)
    client, seen = sight.pair()
    assert client["first_byte_us"] > 1e6 * (SLOW_S + 0.5), client
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
