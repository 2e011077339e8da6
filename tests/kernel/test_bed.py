"""The bed makes what it claims to make, by the kernel's own counters; tfotop has no part in it."""

import socket
import subprocess
from contextlib import suppress

import psutil
import pytest

from .bed import (
    SERVICE_V4,
    SERVICE_V6,
    Bed,
    Server,
    as_process,
    burst,
    cached_cookie,
    counting,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    settings,
    until,
)
from .bed.capture import capturing, dissect
from .bed.conditions import full_accept_queue, full_fast_open_queue, listen_with_400, syn_cookies, syn_recv
from .bed.handmade import Handmade
from .bed.segments import fast_open
from .bed.traffic import Mode
from .bed.visit import Visit, primed

# The ordinary course


@pytest.mark.parametrize("mode", ["sendto", "connect_option"])
@pytest.mark.parametrize("blocking", [True, False])
def test_first_contact_then_hit(bed: Bed, mode: Mode, blocking: bool) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    for address in (bed.server.v4, bed.server.v6, SERVICE_V4, SERVICE_V6):
        first = Visit(bed, server.port, address, mode=mode, blocking=blocking)
        assert (first.client, first.server, first.fail) == ({}, {"CookieReqd": 1}, "cookie_unavailable")
        hit = Visit(bed, server.port, address, mode=mode, blocking=blocking)
        assert (hit.client, hit.server, hit.fail) == ({"Active": 1}, {"Passive": 1}, "unspec")
        assert hit.seen.info.syn_data_acked
        assert server.infos[-1].syn_data_acked
        assert len(cached_cookie(bed.client, address).cookie or "") == 16


def test_plain_connection_moves_nothing(bed: Bed) -> None:
    plain = Visit(bed, primed(bed).port, mode="plain")
    assert plain.seen.answer
    assert (plain.client, plain.server) == ({}, {})


def test_zero_payload_counts_at_the_server_only(bed: Bed) -> None:
    """`tcp_rcv_fastopen_synack` counts data that was acknowledged; the server makes a child all the same."""
    zero = Visit(bed, primed(bed).port, request=b"")
    assert (zero.client, zero.server, zero.fail) == ({}, {"Passive": 1}, "unspec")


def test_backup_key(bed: Bed) -> None:
    server = primed(bed)
    rotate_key(bed.server, keep_old=True)
    old = Visit(bed, server.port)
    assert (old.client, old.server) == ({"Active": 1}, {"Passive": 1, "PassiveAltKey": 1})
    assert Visit(bed, server.port).server == {"Passive": 1}


def test_rotated_key(bed: Bed) -> None:
    server = primed(bed)
    rotate_key(bed.server, keep_old=False)
    bad = Visit(bed, server.port)
    assert (bad.client, bad.server, bad.fail) == ({"ActiveFail": 1}, {"PassiveFail": 1}, "data_not_acked")
    assert bad.seen.answer
    assert Visit(bed, server.port).server == {"Passive": 1}


def test_second_server_behind_one_address_has_another_key(bed: Bed) -> None:
    first = Server.start(bed.server, 16, family=socket.AF_INET6)
    exchange(bed.client, SERVICE_V4, first.port)
    second = bed.second_server()
    second.sysctl("net.ipv4.tcp_fastopen", 3)
    Server.start(second, 16, family=socket.AF_INET6, port=first.port)
    bed.steer(second)
    with counting(second) as watch:
        assert exchange(bed.client, SERVICE_V4, first.port).answer
    assert watch.fast_open() == {"PassiveFail": 1}


def test_listeners_own_key(bed: Bed) -> None:
    primed(bed)
    own = Server.start(bed.server, 16, key=bytes(range(16)))
    assert Visit(bed, own.port).server == {"PassiveFail": 1}


def test_reuseport_siblings_share_a_port(bed: Bed) -> None:
    one = Server.start(bed.server, 16, reuseport=True)
    two = Server.start(bed.server, 16, reuseport=True, port=one.port)
    exchange(bed.client, bed.server.v4, one.port)
    assert burst(bed.client, bed.server.v4, one.port, 40) == 40
    assert len(one.requests) + len(two.requests) == 41


# Refusals


@pytest.mark.parametrize("qlen", [0, None])
def test_no_queue(bed: Bed, qlen: int | None) -> None:
    primed(bed)
    server = Server.start(bed.server, qlen)
    with_cookie = Visit(bed, server.port)
    assert (with_cookie.client, with_cookie.server) == ({"ActiveFail": 1}, {})
    forget_cookies(bed.client)
    for _ in range(2):
        asking = Visit(bed, server.port)
        assert (asking.client, asking.server, asking.fail) == ({}, {"CookieReqd": 1}, "cookie_unavailable")


def test_server_bit_off(bed: Bed) -> None:
    server = primed(bed)
    settings.mode(bed.server, settings.CLIENT)
    off = Visit(bed, server.port)
    assert (off.client, off.server, off.fail) == ({"ActiveFail": 1}, {}, "data_not_acked")
    forget_cookies(bed.client)
    assert Visit(bed, server.port).server == {"CookieReqd": 1}
    assert cached_cookie(bed.client, bed.server.v4).cookie is None


@pytest.mark.parametrize("mode", ["sendto", "connect_option"])
def test_client_bit_off_is_an_error_of_the_call(bed: Bed, mode: Mode) -> None:
    settings.mode(bed.client, settings.SERVER)
    assert exchange(bed.client, bed.server.v4, 443, mode=mode).error == "ENOTSUP"


@pytest.mark.parametrize(("before", "cookie"), [(True, True), (False, False)])
def test_bit_400_works_only_before_listen(bed: Bed, before: bool, cookie: bool) -> None:
    listener = listen_with_400(bed.server, before)
    server = bed.server.closing(Server(listener))
    assert Visit(bed, server.port).server == {"CookieReqd": 1}
    assert bool(cached_cookie(bed.client, bed.server.v4).cookie) is cookie
    assert Visit(bed, server.port).server == ({"Passive": 1} if cookie else {"CookieReqd": 1})


def test_full_fast_open_queue(bed: Bed) -> None:
    primed(bed)
    with full_fast_open_queue(bed.client, bed.server, bed.server.v4) as listener:
        server = bed.server.closing(Server(listener))
        full = Visit(bed, server.port)
    assert (full.client, full.server, full.fail) == ({"ActiveFail": 1}, {"ListenOverflow": 1}, "data_not_acked")
    assert full.seen.answer


def test_child_reset_after_accept_holds_its_place_for_a_minute(bed: Bed) -> None:
    """`reqsk_fastopen_remove`: a place is kept 60 s if the accepted child was reset before its handshake ended."""
    primed(bed)
    server, stranger = Server.start(bed.server, 1), Handmade(bed.client, bed.server)
    syn = stranger.syn(server.port, fast_open(stranger.cookie(bed.server.v4, server.port) or b""), b"data")
    answer = stranger.ask(bed.server.v4, syn)
    until(lambda: server.requests)
    assert syn_recv(bed.server, server.port) == 1
    stranger.reset(bed.server.v4, syn, answer)
    until(lambda: not syn_recv(bed.server, server.port))
    assert Visit(bed, server.port).server == {"ListenOverflow": 1}


def test_full_accept_queue_drops_the_syn(bed: Bed) -> None:
    primed(bed)
    listener = full_accept_queue(bed.client, bed.server)
    full = Visit(bed, port_of(listener), timeout_s=0.2)
    assert (full.seen.error, full.client, full.server) == ("ETIMEDOUT", {}, {})
    syns = full.related["ListenOverflows"]  # one, and one a second where the machine takes so long
    assert full.related == {"ListenOverflows": syns, "ListenDrops": syns}


def test_syn_cookies(bed: Bed) -> None:
    server = primed(bed)
    syn_cookies(bed.server)
    hit = Visit(bed, server.port)
    assert (hit.client, hit.server, hit.fail) == ({"ActiveFail": 1}, {}, "data_not_acked")
    assert hit.related == {"SyncookiesSent": 1, "SyncookiesRecv": 1, "TCPReqQFullDoCookies": 1}


@pytest.mark.usefixtures("tshark")
def test_client_tries_the_experimental_option_after_a_refusal(bed: Bed) -> None:
    server = Server.start(bed.server, None)
    with capturing(bed.client, bed.path / "refused.pcap") as capture:
        for _ in range(3):
            exchange(bed.client, bed.server.v4, server.port)
    syns = [segment for segment in dissect(capture.file) if not segment.ack_flag]
    assert [(syn.option, syn.cookie_len) for syn in syns][:2] == [("standard", 0), ("experimental", 0)]


# Without cookies


@pytest.mark.parametrize(
    ("client_bits", "server_bits", "client", "server"),
    [
        (0x5, 0x203, {"Active": 1}, {"Passive": 1}),
        (0x5, 0x003, {"ActiveFail": 1}, {}),
        (0x1, 0x203, {}, {"CookieReqd": 1, "Passive": 1}),  # a request that carries no data still makes a child
    ],
)
def test_modes_without_cookies(
    bed: Bed, client_bits: int, server_bits: int, client: dict[str, int], server: dict[str, int]
) -> None:
    settings.mode(bed.client, client_bits)
    settings.mode(bed.server, server_bits)
    visit = Visit(bed, Server.start(bed.server).port)
    assert (visit.client, visit.server) == (client, server)


@pytest.mark.usefixtures("tshark")
def test_no_cookie_sockets(bed: Bed) -> None:
    server = Server.start(bed.server, 16, no_cookie=True)
    with capturing(bed.client, bed.path / "bare.pcap") as capture:
        visit = Visit(bed, server.port, no_cookie=True)
    assert (visit.client, visit.server) == ({"Active": 1}, {"Passive": 1})
    syn, answer = dissect(capture.file)
    assert (syn.option, syn.payload_bytes, answer.ack) == (None, 7, 8)


# Many at once, other processes, and the end


def test_many_at_once_and_a_burst(bed: Bed) -> None:
    server = Server.start(bed.server, 1024, backlog=1024)
    exchange(bed.client, bed.server.v4, server.port)
    with counting(bed.client) as client, counting(bed.server) as there:
        assert burst(bed.client, bed.server.v4, server.port, 23, at_once=23) == 23
        assert burst(bed.client, bed.server.v4, server.port, 1000) == 1000
    assert (client.fast_open(), there.fast_open()) == ({"Active": 1023}, {"Passive": 1023})


@pytest.mark.parametrize("mode", ["sendto", "connect_option", "plain"])
def test_client_as_a_process(bed: Bed, mode: Mode) -> None:
    server = primed(bed)
    with counting(bed.server) as watch:
        pid = as_process(bed.client, "evil\x1b[2J", bed.server.v4, server.port, mode)
    assert not psutil.pid_exists(pid)
    assert watch.fast_open() == ({} if mode == "plain" else {"Passive": 1})


def test_everything_goes_even_after_an_interrupt() -> None:
    made = Bed(delay_ms=1)
    with suppress(KeyboardInterrupt), made:
        process: subprocess.Popen[bytes] = made.client.popen(["sleep", "1000"])
        sock = listen(made.server)
        raise KeyboardInterrupt
    assert process.poll() is not None
    assert sock.fileno() == -1
    assert not any(path.exists() for path in (made.path, made.client.path, made.server.path))
