"""The bed's filters, middleboxes and hosts that are no kernel, by the kernel's own counters and by tshark."""

import socket
import statistics

import pytest

from .bed import (
    Bed,
    Server,
    TcpInfo,
    Watch,
    begin,
    cached_cookie,
    counting,
    exchange,
    listen,
    port_of,
    send_first,
    until,
)
from .bed.capture import capturing, dissect
from .bed.filters import filtering
from .bed.handmade import Behaviour, FakeServer, Handmade, cookie_of, reset, silent, syn_ack, then_out_of_order
from .bed.segments import ACK, DESTINATION, FIN, HOP_BY_HOP, RST, Segment, experimental, extension, fast_open, option
from .bed.tcp_info import ESTABLISHED
from .bed.traffic import MSG_FASTOPEN, Mode
from .bed.visit import Visit, primed

COOKIE = b"cookie!!"


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
