"""Each outcome and reason, made on purpose: the `events --json` objects of both roles, totals against counters."""

import socket

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    as_process,
    counting,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    settings,
)
from .bed.conditions import full_accept_queue, full_fast_open_queue, listen_with_400, syn_cookies
from .bed.handmade import Handmade
from .bed.segments import fast_open
from .bed.traffic import Mode
from .usual import BOTH, HIDES_V6_SYNACKS, address, endpoint, primed
from .watching import Sight, shows

pytestmark = pytest.mark.sensor


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
    with counting(bed.server) as watch:
        assert exchange(bed.client, bed.server.v4, port_of(listener), timeout_s=1.5).error == "ETIMEDOUT"
    again = watch.delta()["ListenOverflows"] - 1
    assert again >= 1
    client = next(e for e in sight.next(bed.client, 2) if e["outcome"] != "plain")
    shows(client, outcome="unanswered", reason=None, syn_retransmits=again, syn_data_bytes=len(REQUEST))
    seen = next(e for e in sight.next(bed.server, 2) if e["outcome"] != "plain")
    shows(seen, outcome="unanswered", reason="accept_queue_full", syn_retransmits=again, syn_data_bytes=len(REQUEST))
    sight.agrees()


def test_syn_queue_full(bed: Bed, sight: Sight) -> None:
    """Half-open connections fill it, and SYN cookies are off: the SYN is dropped before its option is looked at."""
    bed.server.sysctl("net.ipv4.tcp_syncookies", 0)
    listener, stranger = listen(bed.server, 16, backlog=1), Handmade(bed.client, bed.server)
    for _ in range(2):
        assert stranger.ask(bed.server.v4, stranger.syn(port_of(listener)))
    with counting(bed.server) as watch:
        exchange(bed.client, bed.server.v4, port_of(listener), timeout_s=0.3)
    dropped = watch.delta()["TCPReqQFullDrop"]
    shows(sight.next(bed.client)[0], outcome="unanswered", reason=None, cookie_len=0)
    *half_open, seen = sight.next(bed.server, 3)
    assert [event["outcome"] for event in half_open] == ["plain", "plain"]
    shows(seen, outcome="unanswered", reason="syn_queue_full", cookie_len=0, syn_retransmits=dropped - 1)
    sight.agrees()


def test_the_last_quarter_of_the_syn_queue(bed: Bed, sight: Sight) -> None:
    """SYN cookies off: it is for who has tcp_metrics here; a stranger's SYN is dropped (tcp_peer_is_proven)."""
    server, stranger = primed(bed, sight), Handmade(bed.client, bed.server)
    bed.server.sysctl("net.ipv4.tcp_syncookies", 0)
    bed.server.sysctl("net.ipv4.tcp_max_syn_backlog", 4)
    for _ in range(4):
        assert stranger.ask(bed.server.v4, stranger.syn(server.port))
    assert not stranger.ask(bed.server.v4, stranger.syn(server.port, fast_open()), timeout_s=0.3)
    assert exchange(bed.client, bed.server.v4, server.port).answer
    settings.mode(bed.server, 1)
    assert exchange(bed.client, bed.server.v4, server.port).answer
    seen = [(event["outcome"], event["reason"]) for event in sight.next(bed.server, 7) if event["outcome"] != "plain"]
    assert sorted(seen) == [("accepted", None), ("rejected", "server_bit_off"), ("unanswered", "syn_queue_full")]
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
