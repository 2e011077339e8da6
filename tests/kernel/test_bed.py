"""The bed makes what it claims to make, by the kernel's own counters and by tshark; tfotop has no part in it."""

import socket
import statistics
import subprocess
from contextlib import suppress

import psutil
import pytest

from .bed import (
    SERVICE_V4,
    SERVICE_V6,
    Bed,
    Server,
    TcpInfo,
    Watch,
    as_process,
    begin,
    burst,
    cached_cookie,
    counting,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    send_first,
    settings,
    until,
)
from .bed.capture import capturing, dissect
from .bed.conditions import full_accept_queue, full_fast_open_queue, listen_with_400, syn_cookies, syn_recv
from .bed.filters import filtering
from .bed.handmade import Behaviour, FakeServer, Handmade, cookie_of, reset, silent, syn_ack, then_out_of_order
from .bed.segments import ACK, DESTINATION, FIN, HOP_BY_HOP, RST, Segment, experimental, extension, fast_open, option
from .bed.tcp_info import ESTABLISHED
from .bed.traffic import MSG_FASTOPEN, Exchange, Mode

COOKIE = b"cookie!!"


class Visit:
    """One exchange, and the TCPFastOpen* counters that it moved at both ends."""

    def __init__(self, bed: Bed, port: int, address: str = "", **how: object) -> None:
        with counting(bed.client) as client, counting(bed.server) as server:
            self.seen: Exchange = exchange(bed.client, address or bed.server.v4, port, **how)
        self.client, self.server, self.related = client.fast_open(), server.fast_open(), server.related()
        self.fail = self.seen.info.client_fail


def primed(bed: Bed, family: int = socket.AF_INET6) -> Server:
    """A server whose cookies (for both families) the client has."""
    server = Server.start(bed.server, 16, family=family)
    for address in (bed.server.v4, bed.server.v6):
        assert exchange(bed.client, address, server.port).answer
    return server


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
    assert full.related == {"ListenOverflows": 1, "ListenDrops": 1}


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


# Trouble on the way, by a filter in the server's namespace


@pytest.mark.parametrize("rule", ["drop_syn_option", "drop_syn_data", "unreachable_syn_option"])
def test_syn_is_sent_again_without_data(bed: Bed, rule: str) -> None:
    server = primed(bed)
    with filtering(bed.server, rule) as dropped:
        lost = Visit(bed, server.port)
    assert dropped.hits() == 1
    assert (lost.client, lost.server, lost.fail) == ({"ActiveFail": 1}, {}, "syn_retransmitted")
    assert (bool(lost.seen.answer), cached_cookie(bed.client, bed.server.v4).syn_drops) == (True, 1)


def test_option_stripped_by_a_filter(bed: Bed) -> None:
    server = primed(bed)
    with filtering(bed.server, "strip_syn_option"):
        stripped = Visit(bed, server.port)
    assert (stripped.client, stripped.server, stripped.fail) == ({"ActiveFail": 1}, {}, "data_not_acked")


def test_reset_moves_nothing(bed: Bed) -> None:
    server = primed(bed)
    with filtering(bed.server, "reset_syn"):
        refused = Visit(bed, server.port)
    assert (refused.seen.error, refused.client, refused.server) == ("ECONNREFUSED", {}, {})


@pytest.mark.parametrize(("rule", "error"), [("drop_tcp", "ETIMEDOUT"), ("unreachable", "EHOSTUNREACH")])
def test_no_answer_to_the_end(bed: Bed, rule: str, error: str) -> None:
    """The two ends of a connection attempt; whether ActiveFail moves is the timer's doing, see the next test."""
    server = primed(bed)
    bed.client.sysctl("net.ipv4.tcp_syn_retries", 1)
    bed.client.sysctl("net.ipv4.tcp_syn_linear_timeouts", 0)
    with filtering(bed.server, rule):
        assert Visit(bed, server.port, timeout_s=10).seen.error == error


def test_unanswered_syn_counts_as_a_failure_only_at_the_third_timeout(bed: Bed) -> None:
    """`tcp_fastopen_active_detect_blackhole`: icsk_retransmits == 2 when the timer fires again."""
    server = primed(bed)
    with filtering(bed.server, "drop_tcp"), begin(bed.client, bed.server.v4) as sock:
        watch = Watch(bed.client)
        sock.settimeout(0)
        sock.sendto(b"x", MSG_FASTOPEN, (bed.server.v4, server.port))
        watch.wait("TCPTimeouts", 2)
        assert watch.fast_open() == {}
        watch.wait("TCPFastOpenActiveFail")
        assert watch.related()["TCPTimeouts"] == 3


def test_first_contact_unanswered_counts_as_a_failure_too(bed: Bed) -> None:
    """The same function asks only whether the socket tried Fast Open, not whether it sent data."""
    with filtering(bed.server, "drop_tcp"), begin(bed.client, bed.server.v4) as sock, counting(bed.client) as watch:
        sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            sock.sendto(b"x", MSG_FASTOPEN, (bed.server.v4, 443))
        watch.wait("TCPFastOpenActiveFail")


def test_server_counts_active_fail_for_a_child_that_is_cut_off(bed: Bed) -> None:
    """`tcp_fastopen_active_detect_blackhole` takes an accepted child (syn_data_acked) for a client."""
    primed(bed)
    listener = listen(bed.server)
    with begin(bed.client, bed.server.v4) as sock, counting(bed.server) as watch:
        send_first(sock, bed.server.v4, port_of(listener), b"request")
        child = bed.server.closing(listener.accept()[0])
        until(lambda: TcpInfo.of(child).state == ESTABLISHED)
        with filtering(bed.client, "drop_tcp"):
            child.send(b"never arrives")
            watch.wait("TCPFastOpenActiveFail", timeout_s=10)
    assert watch.fast_open() == {"Passive": 1, "ActiveFail": 1}


def test_blackhole_after_the_third_timeout(bed: Bed) -> None:
    server = primed(bed)
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 60)
    with filtering(bed.server, "drop_tcp"), begin(bed.client, bed.server.v4) as sock, counting(bed.client) as watch:
        sock.settimeout(0)
        sock.sendto(b"x", MSG_FASTOPEN, (bed.server.v4, server.port))
        watch.wait("TCPFastOpenBlackhole")
    assert watch.fast_open() == {"ActiveFail": 1, "Blackhole": 1}


def test_closed_attempt_moves_nothing(bed: Bed) -> None:
    server = primed(bed)
    with filtering(bed.server, "drop_tcp"), counting(bed.client) as watch:
        assert exchange(bed.client, bed.server.v4, server.port, timeout_s=0.05).error == "ETIMEDOUT"
    assert watch.fast_open() == {}


# A server that is no kernel


def fake(bed: Bed, behaviour: Behaviour) -> FakeServer:
    """A hand-made server that granted the client a cookie and now behaves as told."""
    server = FakeServer(bed.server, bed.client, syn_ack(options=fast_open(COOKIE)))
    for address in (server.v4, server.v6):
        assert exchange(bed.client, address, 443).answer
    server.behaviour = behaviour
    return server


@pytest.mark.parametrize(
    ("behaviour", "counters", "fail"),
    [
        (syn_ack(), {"Active": 1}, "unspec"),
        (syn_ack(3), {"ActiveFail": 1}, "data_not_acked"),
        (syn_ack(0), {"ActiveFail": 1}, "data_not_acked"),
        (syn_ack(0, fast_open(b"another!")), {"ActiveFail": 1}, "data_not_acked"),
        (syn_ack(0, experimental(b"another!")), {"ActiveFail": 1}, "data_not_acked"),
    ],
    ids=["all", "a part", "none", "new cookie", "new experimental cookie"],
)
def test_acknowledged(bed: Bed, behaviour: Behaviour, counters: dict[str, int], fail: str) -> None:
    server = fake(bed, behaviour)
    for address in (server.v4, server.v6):
        visit = Visit(bed, 443, address)
        assert (visit.client, visit.fail, visit.seen.answer) == (counters, fail, b"answer")
        assert (cookie_of(server.syns[-1]), server.syns[-1].payload) == (COOKIE, b"request")


def test_fake_server_resets(bed: Bed) -> None:
    visit = Visit(bed, 443, fake(bed, reset).v4)
    assert (visit.seen.error, visit.client) == ("ECONNREFUSED", {})


def test_fake_server_is_silent(bed: Bed) -> None:
    visit = Visit(bed, 443, fake(bed, silent).v4, timeout_s=0.1)
    assert (visit.seen.error, visit.client) == ("ETIMEDOUT", {})


@pytest.mark.parametrize("flag", [RST, FIN])
def test_blackhole_protection(bed: Bed, flag: int) -> None:
    """A RST or FIN out of order before any data turns Fast Open off, if the sysctl gives a time for it (default 0)."""
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 60)
    server = fake(bed, then_out_of_order(flag))
    server.finishes = False
    with counting(bed.client) as watch:
        exchange(bed.client, server.v4, 443, timeout_s=0.2)
        watch.wait("TCPFastOpenBlackhole")
    server.behaviour = syn_ack()
    for address in (server.v4, server.v6):
        after = Visit(bed, 443, address)
        assert (after.client, after.fail, after.seen.answer) == ({}, "unspec", b"answer")
        assert (cookie_of(server.syns[-1]), server.syns[-1].payload) == (None, b"")


# A client that is no kernel


@pytest.mark.parametrize("encode", [fast_open, experimental])
def test_handmade_handshake(bed: Bed, encode: object) -> None:
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    for target in (bed.server.v4, bed.server.v6):
        with counting(bed.server) as watch:
            cookie = stranger.cookie(target, server.port, experimentally=encode is experimental)
        assert (len(cookie or b""), watch.fast_open()) == (8, {"CookieReqd": 1})
        syn = stranger.syn(server.port, encode(cookie), b"hand")
        with counting(bed.server) as watch:
            answer = stranger.ask(target, syn)
        assert answer
        assert (answer.ack, watch.fast_open()) == (syn.seq + 5, {"Passive": 1})
        stranger.send(target, answer.reply(ACK))
        reply = stranger.receive(syn.sport)
        assert reply
        assert reply.payload == b"answer"
        stranger.reset(target, syn, answer)


ODD_OPTIONS: dict[str, tuple[bytes, dict[str, int]]] = {
    "none": (b"", {}),
    "length 0": (option(34, b"", 0), {}),
    "length 1": (option(34, b"", 1), {}),
    "length 3": (option(34, b"x"), {}),
    "length 255": (option(34, b"x" * 8, 255), {}),
    "past the header": (option(34, b"x" * 6, 18), {}),
    "odd cookie": (fast_open(b"x" * 5), {}),
    "cookie too long": (fast_open(b"x" * 18), {}),
    "cookie of 4": (fast_open(b"x" * 4), {"PassiveFail": 1}),
    "cookie of 16": (fast_open(b"x" * 16), {"PassiveFail": 1}),
    "wrong magic": (option(254, b"zz" + b"x" * 8), {}),
    "both": (fast_open() + experimental(), {"CookieReqd": 1}),
}


@pytest.mark.parametrize("name", ODD_OPTIONS)
def test_odd_options_are_answered_as_the_kernel_reads_them(bed: Bed, name: str) -> None:
    options, counters = ODD_OPTIONS[name]
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    for target in (bed.server.v4, bed.server.v6):
        with counting(bed.server) as watch:
            syn = stranger.syn(server.port, options, b"data")
            answer = stranger.ask(target, syn)
        assert answer
        assert (answer.ack, watch.fast_open()) == (syn.seq + 1, counters)
        stranger.reset(target, syn, answer)


@pytest.mark.parametrize(
    "extensions",
    [
        (extension(HOP_BY_HOP),),
        (extension(DESTINATION),),
        (extension(HOP_BY_HOP, 16), extension(DESTINATION, 24)),
    ],
    ids=["hop by hop", "destination", "both, longer"],
)
def test_ipv6_extension_headers(bed: Bed, extensions: tuple[tuple[int, bytes], ...]) -> None:
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    _accepted(bed, stranger, bed.server.v6, server.port, extensions=extensions)


def test_ip_options(bed: Bed) -> None:
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    _accepted(bed, stranger, bed.server.v4, server.port, ip_options=b"\x01" * 8)


def _accepted(bed: Bed, stranger: Handmade, target: str, port: int, **surroundings: object) -> None:
    syn = stranger.syn(port, fast_open(stranger.cookie(target, port) or b""), b"data", **surroundings)
    with counting(bed.server) as watch:
        answer = stranger.ask(target, syn)
    assert answer
    assert (answer.ack, watch.fast_open()) == (syn.seq + 5, {"Passive": 1})
    stranger.reset(target, syn, answer)


def test_twenty_byte_header(bed: Bed) -> None:
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    syn = stranger.syn(server.port)
    assert len(syn.packet(bed.client.v4, bed.server.v4)) == 40
    answer = stranger.ask(bed.server.v4, syn)
    assert answer
    stranger.reset(bed.server.v4, syn, answer)


# The slow link and its middleboxes


def test_round_trip_is_twice_the_delay(slow_bed: Bed) -> None:
    """By the kernel's clock: ours would also measure how long this process waits for a CPU."""
    server = primed(slow_bed)
    times = [exchange(slow_bed.client, slow_bed.server.v4, server.port, b"", "plain").info.rtt_us for _ in range(15)]
    assert min(times) >= 22_000
    assert statistics.median(times) < 24_000


def test_a_hit_saves_one_round_trip(slow_bed: Bed) -> None:
    server = primed(slow_bed)
    hits, plain = ([_first_byte_ms(slow_bed, server.port, mode) for _ in range(7)] for mode in ("sendto", "plain"))
    assert 0.8 < (min(plain) - min(hits)) / 22 < 1.2  # the least is what nobody held up


def _first_byte_ms(bed: Bed, port: int, mode: Mode) -> float:
    visit = exchange(bed.client, bed.server.v4, port, mode=mode)
    assert visit.first_byte_ms
    return visit.first_byte_ms


@pytest.mark.parametrize(
    ("rule", "server_counters", "fail"),
    [
        ("strip_syn_option", {}, "data_not_acked"),
        ("strip_option", {}, "data_not_acked"),
        ("trim_syn_data", {"Passive": 1}, "data_not_acked"),
        ("drop_syn_option", {}, "syn_retransmitted"),
        ("drop_syn_data", {}, "syn_retransmitted"),
    ],
)
def test_middleboxes(slow_bed: Bed, rule: str, server_counters: dict[str, int], fail: str) -> None:
    assert slow_bed.relay
    server = primed(slow_bed)
    slow_bed.relay.rule(rule)
    for address in (slow_bed.server.v4, slow_bed.server.v6):
        visit = Visit(slow_bed, server.port, address)
        assert (visit.client, visit.server, visit.fail) == ({"ActiveFail": 1}, server_counters, fail)
        assert visit.seen.answer
    assert slow_bed.relay.changed() == 2


# The oracle on the wire


@pytest.mark.usefixtures("tshark")
def test_tshark_agrees(bed: Bed) -> None:
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    with capturing(bed.server, bed.path / "wire.pcap") as capture:
        for address in (bed.server.v4, bed.server.v6):
            exchange(bed.client, address, server.port)
            exchange(bed.client, address, server.port)
            cookie = stranger.cookie(address, server.port, experimentally=True)
    rows = [(row.option, row.cookie_len, row.payload_bytes, row.ack) for row in dissect(capture.file) if not row.reset]
    one = [("standard", 0, 0, 0), ("standard", 8, 0, 1), ("standard", 8, 7, 0), (None, None, 0, 8)]
    assert rows == [*one, ("experimental", 0, 0, 0), ("experimental", 8, 0, 1)] * 2
    assert dissect(capture.file, f"tcp.options.tfo.cookie == {(cookie or b'').hex(':')}")[-1].cookie == cookie


def test_segment_survives_its_own_parser() -> None:
    syn = Segment(1, 2, 2, 3, 4, fast_open(COOKIE), b"odd")
    assert syn.option(34) == COOKIE
    assert syn.reply(ACK).ack == 7


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
