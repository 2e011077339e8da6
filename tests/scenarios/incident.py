"""One busy server in an incident, with everything that the screen can show of it; the pictures are made of this."""

from collections.abc import Iterator
from typing import Any, Final

from tests.scenarios.build import (
    NGINX,
    OWN,
    SECOND,
    START_MONO_NS,
    START_WALL_NS,
    counters,
    handshake,
    listener,
    measured,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tfotop.sample import Handshake, Keys, Latency, Listener, Losses, Metric, Namespace, Peer, Process, Sample

SECONDS: Final = 20
ROTATED_S: Final = 12  # from here on one of the servers behind the address has another key
CURL: Final = Process(pid=4711, comm="curl")
SSHD: Final = Process(pid=611, comm="sshd")
BACKEND: Final = "10.9.0.14"
BAD: Final = ("10.2.4.17", "10.2.4.18", "10.2.7.3")
GOOD: Final = (  # address, RTT
    ("203.0.113.9", 22_300),
    ("203.0.113.41", 24_100),
    ("198.51.100.20", 90_200),
    ("198.51.100.77", 61_000),
    ("2001:db8:85a3::7348", 31_000),
    ("192.0.2.99", 11_200),
    ("2001:db8:4::12", 140_400),
    ("192.0.2.14", 8_700),
)
PLAIN: Final = (("198.51.100.140", 33_000), ("203.0.113.200", 47_500))


def around(us: int, number: int) -> Latency:
    """So many values near one, some of them later."""
    return measured(*(us + us // 50 * (i % 7) + (us // 2 if i % 23 == 22 else 0) for i in range(number)))


def incident() -> Iterator[Sample]:
    """For 12 s all is well, then the cookies of three peers are bad; one client of this host is well served."""
    for t in range(SECONDS):
        yield sample(
            t,
            namespaces=(_namespace(t),),
            sensor=sensor(
                *(row for row in _totals(t) if row.handshakes),
                peers=tuple(_peers(t)) if t else (),
                handshakes=tuple(_handshakes(t)) if t else (),
                losses=Losses(records_limited=1_180 * t),
                in_progress=3,
            ),
        )


def _bad(t: int) -> int:
    return max(0, t - ROTATED_S)


def _totals(t: int) -> list[Any]:
    return [
        total("accepted", 1_200 * t, data=True),
        total("cookie_granted", 31 * t, request=True),
        total("rejected", 137 * _bad(t), "bad_cookie", data=True),
        total("plain", 85 * t),
        total("accepted", 4 * t, role="client", data=True),
    ]


def _namespace(t: int) -> Namespace:
    moved = {"Passive": 1_200 * t, "PassiveFail": 137 * _bad(t), "CookieReqd": 31 * t, "Active": 4 * t}
    return namespace(
        counters=counters(**moved, ListenOverflows=2, TCPSynRetrans=9 + t // 6, TCPTimeouts=17),
        keys=Keys(primary="a41f", backup="77aa"),
        listeners=tuple(_listeners(t)),
        metrics=(
            Metric(
                destination=BACKEND, age_ms=2_400_000 + 1_000 * t, fo_mss=1460, fo_cookie_len=8, fo_cookie_id="5e1f"
            ),
        ),
    )


def _listeners(t: int) -> Iterator[Listener]:
    yield listener(cookie=70, address="0.0.0.0", port=22, backlog=128, max_qlen=0, process=SSHD)
    yield listener(cookie=71, address="0.0.0.0", port=443, max_qlen=256, accept_queue=t % 3)
    yield listener(cookie=72, address="::", port=443, max_qlen=256)
    yield listener(cookie=73, address="0.0.0.0", port=8080, backlog=4096, max_qlen=0, process=NGINX)


def _peers(t: int) -> Iterator[Peer]:
    for number, (address, rtt_us) in enumerate(PLAIN):
        yield _served(address, t, rtt_us, {"plain": (number + 2) * 20 * t}, with_tfo=Latency(), last_outcome="plain")
    for number, (address, rtt_us) in enumerate(GOOD):
        outcomes = {"cookie_granted": 1 + number, "accepted": (2 + number) * 20 * t, "plain": 3 * number}
        yield _served(address, t, rtt_us, outcomes, cookie_id="b0f7")
    for number, address in enumerate(BAD):
        outcomes = {"cookie_granted": 1, "accepted": (5 + number) * ROTATED_S * 4}
        if _bad(t):
            yield _served(
                address,
                t,
                22_100 + 300 * number,
                outcomes | {"rejected": (60 - 14 * number) * _bad(t)},
                last_outcome="rejected",
                last_reason="bad_cookie",
                cookie_id="31c9",
            )
        else:
            yield _served(address, t, 22_100 + 300 * number, outcomes, cookie_id="31c9")
    yield peer(
        BACKEND,
        role="client",
        port=8443,
        last_ns=START_MONO_NS + t * SECOND,
        outcomes={"cookie_granted": 1, "accepted": 4 * t},
        process=CURL,
        cookie_id="5e1f",
        rtt_us=around(12_000, 16).recent_us,
        with_tfo=around(12_900, 4 * t),
        without_tfo=around(24_800, 9),
    )


def _served(address: str, t: int, rtt_us: int, outcomes: dict[str, int], **given: Any) -> Peer:
    fields: dict[str, Any] = {
        "last_ns": START_MONO_NS + t * SECOND,
        "outcomes": outcomes,
        "process": NGINX,
        "rtt_us": around(rtt_us, 16).recent_us,
        "with_tfo": measured(*[0] * (12 * t)),
        "without_tfo": around(rtt_us + 240, 5 * t),
    }
    return peer(address, **{**fields, **given})


def _handshakes(t: int) -> Iterator[Handshake]:
    at_ns = START_WALL_NS + t * SECOND - SECOND
    yield _accepted(at_ns + 41_000_000, "203.0.113.9:41022", 22_340)
    yield handshake(
        ts_ns=at_ns + 190_000_000,
        local="192.0.2.1:443",
        peer=f"192.0.2.99:{50_100 + t}",
        outcome="cookie_granted",
        option="standard",
        cookie_len=0,
        new_cookie_len=8,
        new_cookie_id="b0f7",
        handshake_rtt_us=11_260,
        synack_us=24,
        ack_us=11_284,
        first_byte_us=11_284,
        **SERVED,
    )
    yield _accepted(at_ns + 377_000_000, "[2001:db8:85a3::7348]:52110", 31_040)
    if _bad(t):
        yield handshake(
            ts_ns=at_ns + 520_000_000,
            local="192.0.2.1:443",
            peer=f"10.2.4.17:{40_220 + t}",
            outcome="rejected",
            reason="bad_cookie",
            option="standard",
            cookie_len=8,
            cookie_id="31c9",
            new_cookie_len=8,
            new_cookie_id="b0f7",
            syn_data_bytes=214,
            syn_data_acked_bytes=0,
            handshake_rtt_us=22_140,
            synack_us=21,
            ack_us=22_161,
            first_byte_us=22_163,
            **SERVED,
        )
    yield handshake(
        ts_ns=at_ns + 800_000_000,
        role="client",
        local="192.0.2.1:39912",
        peer=f"{BACKEND}:8443",
        outcome="accepted",
        option="standard",
        cookie_len=8,
        cookie_id="5e1f",
        syn_data_bytes=318,
        syn_data_acked_bytes=318,
        handshake_rtt_us=12_010,
        synack_us=12_010,
        ack_us=12_031,
        first_byte_us=12_940,
        tcp_fastopen=3,
        pid=CURL.pid,
        comm=CURL.comm,
    )


SERVED: Final[dict[str, Any]] = {
    "netns": OWN,
    "tcp_fastopen": 3,
    "qlen": 1,
    "max_qlen": 256,
    "pid": NGINX.pid,
    "comm": NGINX.comm,
}


def _accepted(ts_ns: int, of: str, rtt_us: int) -> Handshake:
    return handshake(
        ts_ns=ts_ns,
        peer=of,
        option="standard",
        cookie_len=8,
        cookie_id="b0f7",
        syn_data_bytes=214,
        syn_data_acked_bytes=214,
        handshake_rtt_us=rtt_us,
        synack_us=23,
        ack_us=rtt_us + 23,
        first_byte_us=0,
        **SERVED,
    )
