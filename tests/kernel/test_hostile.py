"""SYNs that no honest stack sends, servers that answer oddly, names that would draw on the screen: no wrong outcome."""

import socket
import threading
from dataclasses import replace

import pytest

from tfotop.views import text

from .bed import REQUEST, Bed, Server, as_process, begin, counting, exchange, port_of, until
from .bed.conditions import full_accept_queue
from .bed.handmade import Behaviour, FakeServer, Handmade, cookie_of, reset, silent, syn_ack
from .bed.owned import owned
from .bed.segments import ACK, DESTINATION, HOP_BY_HOP, PSH, Segment, experimental, extension, fast_open, option
from .bed.traffic import MSG_FASTOPEN, finished
from .usual import HIDES_V6_SYNACKS
from .watching import Sight, shows

pytestmark = pytest.mark.sensor

COOKIE = b"cookie!!"

# option bytes -> what `events` must say of a SYN that carries them and 4 bytes of data
ODD_OPTIONS: dict[str, tuple[bytes, dict[str, object]]] = {
    "none": (b"", {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "length 0": (option(34, b"", 0), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "length 1": (option(34, b"", 1), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "length 3": (option(34, b"x"), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "length 255": (option(34, b"x" * 8, 255), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "past the header": (option(34, b"x" * 6, 18), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "odd cookie": (fast_open(b"x" * 5), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "cookie of 2": (fast_open(b"x" * 2), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "cookie too long": (fast_open(b"x" * 18), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "cookie of 4": (fast_open(b"x" * 4), {"cookie_len": 4, "reason": "bad_cookie", "option": "standard"}),
    "cookie of 16": (fast_open(b"x" * 16), {"cookie_len": 16, "reason": "bad_cookie", "option": "standard"}),
    "wrong magic": (option(254, b"zz" + b"x" * 8), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "both": (fast_open() + experimental(), {"cookie_len": 0, "option": "experimental"}),
    "behind 30 NOPs": (b"\x01" * 30 + fast_open(b"x" * 8), {"cookie_len": 8, "reason": "bad_cookie"}),
    "behind the end": (b"\x00" + fast_open(b"x" * 8), {"cookie_len": None, "reason": "no_data_no_cookie"}),
    "twice": (fast_open(b"x" * 8) + fast_open(b"y" * 4), {"cookie_len": 4, "reason": "bad_cookie"}),
    "valid, then odd": (fast_open(b"x" * 8) + fast_open(b"y" * 5), {"cookie_len": 8, "reason": "bad_cookie"}),
}


@pytest.mark.parametrize("name", ODD_OPTIONS)
def test_odd_options(bed: Bed, sight: Sight, name: str) -> None:
    options, wanted = ODD_OPTIONS[name]
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    for target in (bed.server.v4, bed.server.v6):
        syn = stranger.syn(server.port, options, b"data")
        answer = stranger.ask(target, syn)
        stranger.reset(target, syn, answer)
        (seen,) = sight.next(bed.server)
        shows(seen, outcome="rejected", syn_data_bytes=4, syn_data_acked_bytes=0, handshake_rtt_us=None, **wanted)
    sight.agrees(bed.server)


@pytest.mark.parametrize(
    "surroundings",
    [
        {"extensions": (extension(HOP_BY_HOP),)},
        {"extensions": (extension(HOP_BY_HOP, 16), extension(DESTINATION, 24))},
        {"ip_options": b"\x01" * 8},
        {},
    ],
    ids=["hop by hop", "two extension headers", "IP options", "nothing odd"],
)
@pytest.mark.parametrize("encode", [fast_open, experimental])
def test_accepted_by_hand(bed: Bed, sight: Sight, surroundings: dict[str, object], encode: object) -> None:
    target = bed.server.v6 if "extensions" in surroundings else bed.server.v4
    server, stranger = Server.start(bed.server, family=socket.AF_INET6), Handmade(bed.client, bed.server)
    cookie = stranger.cookie(target, server.port, experimentally=encode is experimental)
    kind = "experimental" if encode is experimental else "standard"
    given = None if ":" in target and HIDES_V6_SYNACKS else 8
    shows(sight.next(bed.server)[0], outcome="cookie_granted", option=kind, cookie_len=0, new_cookie_len=given)
    syn = stranger.syn(server.port, encode(cookie), b"data", **surroundings)
    answer = stranger.ask(target, syn)
    assert answer
    stranger.send(target, answer.reply(ACK))
    (seen,) = sight.next(bed.server)
    shows(seen, outcome="accepted", option=kind, cookie_len=8, syn_data_acked_bytes=4, first_byte_us=0)
    assert seen["handshake_rtt_us"] > 0
    stranger.reset(target, syn, answer)
    sight.agrees(bed.server)


def test_segment_of_20_bytes(bed: Bed, sight: Sight) -> None:
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    syn = stranger.syn(server.port)
    stranger.reset(bed.server.v4, syn, stranger.ask(bed.server.v4, syn))
    shows(sight.next(bed.server)[0], outcome="plain", option=None, syn_data_bytes=0)


def fake(bed: Bed, sight: Sight, behaviour: Behaviour) -> FakeServer:
    """A hand-made server that granted the client a cookie and now behaves as told."""
    server = FakeServer(bed.server, bed.client, syn_ack(options=fast_open(COOKIE)))
    for address in (server.v4, server.v6):
        assert exchange(bed.client, address, 443).answer
        sight.next(bed.client)
    server.behaviour = behaviour
    return server


def test_an_ack_behind_a_synack_that_waits(bed: Bed, sight: Sight) -> None:
    """All wait for the socket, which is in SYN_SENT: the ACK alone ends nothing, the payload is the first byte."""
    waits = threading.Event()

    def three(syn: Segment) -> list[Segment]:
        waits.wait(5)
        return [*syn_ack()(syn), syn.reply(ACK, seq=5001), syn.reply(ACK | PSH, seq=5001, payload=b"answer")]

    server = fake(bed, sight, three)
    with begin(bed.client, server.v4) as sock, counting(bed.client) as watch:
        sock.setblocking(False)
        assert sock.sendto(REQUEST, MSG_FASTOPEN, (server.v4, 443)) == len(REQUEST)
        with owned(sock):
            waits.set()
            watch.wait("InSegs", 3)
        finished(sock, 5)
        assert sock.recv(64) == b"answer"
    (client,) = sight.next(bed.client)
    shows(client, outcome="accepted", syn_data_acked_bytes=len(REQUEST), syn_retransmits=0)
    assert 0 < client["handshake_rtt_us"] <= client["first_byte_us"]
    sight.agrees(bed.client)


REJECTED = {"outcome": "rejected", "reason": "data_not_acked"}


@pytest.mark.parametrize(
    ("behaviour", "wanted"),
    [
        (syn_ack(), {"outcome": "accepted", "reason": None, "syn_data_acked_bytes": 7}),
        (
            syn_ack(options=fast_open(b"new one!")),
            {"outcome": "accepted", "variant": "backup_key", "new_cookie_len": 8},
        ),
        (syn_ack(3), {**REJECTED, "syn_data_acked_bytes": 3}),
        (syn_ack(0), {**REJECTED, "syn_data_acked_bytes": 0, "new_cookie_len": None}),
        (syn_ack(0, fast_open(b"another!")), {**REJECTED, "new_cookie_len": 8}),
        (syn_ack(0, experimental(b"another!")), {**REJECTED, "new_cookie_len": 8}),
        (syn_ack(0, option(34, b"x" * 5)), {**REJECTED, "new_cookie_len": None}),
    ],
    ids=["all", "all, new cookie", "a part", "none", "new cookie", "new experimental cookie", "odd cookie"],
)
def test_synacks(bed: Bed, sight: Sight, behaviour: Behaviour, wanted: dict[str, object]) -> None:
    server = fake(bed, sight, behaviour)
    for address in (server.v4, server.v6):
        assert exchange(bed.client, address, 443).answer == b"answer"
        (client,) = sight.next(bed.client)
        shows(client, cookie_len=8, syn_data_bytes=len(REQUEST), **wanted)
        assert 0 < client["handshake_rtt_us"] <= client["first_byte_us"]
    sight.agrees(bed.client)


def test_synack_of_somebody_else_is_not_an_answer(bed: Bed, sight: Sight) -> None:
    """An acknowledgement of what was never sent: the kernel resets it and goes on waiting, so does tfotop."""

    def lies(syn: object) -> list[object]:
        (answer,) = syn_ack()(syn)
        return [type(answer)(**{**vars(answer), "ack": (answer.ack + 1000) % 2**32})]

    server = fake(bed, sight, lies)
    assert exchange(bed.client, server.v4, 443, timeout_s=0.3).error == "ETIMEDOUT"
    shows(sight.next(bed.client)[0], outcome="unanswered", syn_data_acked_bytes=None)
    sight.agrees(bed.client)


@pytest.mark.parametrize(("behaviour", "outcome"), [(reset, "reset"), (silent, "unanswered")])
def test_no_synack(bed: Bed, sight: Sight, behaviour: Behaviour, outcome: str) -> None:
    server = fake(bed, sight, behaviour)
    exchange(bed.client, server.v6, 443, timeout_s=0.2)
    shows(sight.next(bed.client)[0], outcome=outcome, cookie_len=8, syn_data_bytes=len(REQUEST))
    sight.agrees(bed.client)


@pytest.mark.parametrize("name", ["evil\x1b[2J", "\u202eknil", "\r\nroot ok"])
def test_names_cannot_draw(bed: Bed, sight: Sight, name: str) -> None:
    server = Server.start(bed.server)
    as_process(bed.client, name, bed.server.v4, server.port)
    (client,) = sight.next(bed.client)
    assert client["comm"] == name.encode()[:15].decode(errors="replace")
    from tfotop.sample import Handshake

    line = text.event(Handshake(**client))
    assert line.isprintable()
    assert "?" in line


def test_unproven_peers_take_no_place(bed: Bed, sight: Sight) -> None:
    """A flood from forged addresses: exact totals, no place among the peers, the real peer stays."""
    count = 3000
    bed.server.ip("route", "add", "10.99.0.0/16", "via", bed.client.v4)
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    exchange(bed.client, bed.server.v4, server.port)
    sight.skip()
    for i in range(count):
        stranger.v4 = f"10.99.{i >> 8}.{i & 255}"
        stranger.send(bed.server.v4, stranger.syn(server.port, fast_open(b"forged!!"), b"data"))
    until(lambda: sum(t.handshakes for t in sight.totals(bed.server)) >= count + 1, 10, "all forged SYNs in the totals")
    totals = {(t.outcome, t.reason): t.handshakes for t in sight.totals(bed.server)}
    rejected = totals["rejected", "bad_cookie"] + totals.get(("rejected", "syn_cookies"), 0)
    assert rejected == count
    assert totals["cookie_granted", None] == 1
    peers = sight.peers(bed.server)
    assert [p.address for p in peers] == [bed.client.v4]
    sight.agrees(bed.server)


def test_forged_ack_proves_nothing(bed: Bed, sight: Sight) -> None:
    """Who cannot see the SYN-ACK does not know its sequence number."""
    server, stranger = Server.start(bed.server), Handmade(bed.client, bed.server)
    syn = stranger.syn(server.port)
    answer = stranger.ask(bed.server.v4, syn)
    assert answer
    assert cookie_of(answer) is None
    stranger.send(bed.server.v4, answer.reply(ACK, ack=(answer.seq + 12345) % 2**32))
    until(lambda: sum(t.handshakes for t in sight.totals(bed.server)) == 1, what="the handshake in the totals")
    assert sight.peers(bed.server) == []


def test_ports_used_again_before_an_answer(bed: Bed, sight: Sight) -> None:
    """A second SYN of the same ports, another sequence number: the first ends unanswered, and is counted."""
    stranger = Handmade(bed.client, bed.server)
    listener = full_accept_queue(bed.client, bed.server)
    sight.next(bed.server)
    first = stranger.syn(port_of(listener), fast_open(b"x" * 8), b"data")
    second = replace(first, seq=77_000)
    for syn in (first, second):
        stranger.send(bed.server.v4, syn)
    # At once, and not when it is given up after 2 s. From the totals: records of other tests may be before it.
    until(lambda: sum(t.handshakes for t in sight.totals(bed.server) if t.outcome == "unanswered") == 1, 1.5)
    (seen,) = sight.next(bed.server)
    shows(seen, outcome="unanswered", reason="accept_queue_full", syn_retransmits=0, cookie_len=8)
    (last,) = sight.next(bed.server)
    shows(last, outcome="unanswered", reason="accept_queue_full")
    assert {t.handshakes for t in sight.totals(bed.server) if t.outcome == "unanswered"} == {2}
    sight.agrees(bed.server)
