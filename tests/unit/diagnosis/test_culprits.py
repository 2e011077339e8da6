"""Who is named as the culprit, where several do something at the same time."""

import pytest

from tests.scenarios import doctor
from tests.scenarios.build import SECOND, START_WALL_NS, counters, listener, namespace, sample, sensor, total
from tests.scenarios.doctor import BAD, CURL, DARK, destination, to, visitor, watched
from tests.unit.diagnosis.asking import found
from tfotop.diagnosis.finding import Finding
from tfotop.sample import Handshake, Peer

# The accept queue


def dropped(**given: object) -> Finding:
    handshakes = (doctor.at(1, "10.2.4.17", outcome="unanswered", reason="accept_queue_full", local="192.0.2.1:443"),)
    (finding,) = found(*watched(total("unanswered", 4, "accept_queue_full"), handshakes=handshakes, **given))
    return finding


def test_the_accept_queue_is_that_of_the_port_that_dropped() -> None:
    """Another one that is over its backlog is not to blame."""
    other = listener(port=80, cookie=78, accept_queue=512, max_qlen=0)
    finding = dropped(listeners=(listener(), other))
    assert (finding.id, finding.port) == ("accept_queue_full", 443)
    assert "accept queue of port 443 is full" in finding.cause
    assert not [e for e in finding.evidence if "80" in e.what]
    assert "(nginx[812])" in dropped(listeners=(listener(accept_queue=512), other)).cause


def test_several_accept_queues_are_named() -> None:
    both = (listener(accept_queue=512), listener(port=80, cookie=78, accept_queue=512))
    (finding,) = found(*watched(total("unanswered", 4, "accept_queue_full"), listeners=both))
    assert "accept queue of ports 80, 443 is full" in finding.cause
    assert (finding.port, "nginx" in finding.cause) == (None, False)


# Who began blackhole protection


def silent(seconds: float, address: str = "192.0.2.77", **given: object) -> Handshake:
    fields = {"outcome": "unanswered", "cookie_len": 8, "syn_data_bytes": 70, "syn_retransmits": 2}
    return to(address, ts_ns=START_WALL_NS + int(seconds * SECOND), **{**fields, **given})


def begun(*handshakes: Handshake) -> Finding:
    """The counter is seen to move 200 s after the start, a second after the sample before."""
    settings = doctor.sysctls(blackhole_timeout_s=600)
    before, after = (namespace(counters=counters(Blackhole=n), sysctls=settings) for n in (0, 1))
    samples = [sample(n, sensor=sensor(), namespaces=(before,)) for n in (0, 199)]
    (finding,) = found(*samples, sample(200, sensor=sensor(handshakes=handshakes), namespaces=(after,)))
    return finding


@pytest.mark.parametrize(
    ("handshake", "starter"),
    [
        pytest.param(silent(192.5), "gave no answer", id="its third timeout after 7 s"),
        pytest.param(silent(196.5), "gave no answer", id="after 3 s"),
        pytest.param(silent(196.5, cookie_len=None, syn_data_bytes=0), None, id="a SYN without the option"),
        pytest.param(silent(150), None, id="long before"),
        pytest.param(silent(196.5, syn_retransmits=1), None, id="given up before the third timeout"),
        pytest.param(silent(192.5, outcome="lost", syn_retransmits=3), "gave no answer at first", id="answered late"),
        pytest.param(silent(192.5, outcome="lost", syn_retransmits=2), None, id="answered after two"),
        pytest.param(silent(199.5, outcome="reset", syn_retransmits=0), None, id="a SYN that was reset"),
    ],
)
def test_who_began_blackhole_protection(handshake: Handshake, starter: str | None) -> None:
    cause = begun(handshake).cause
    assert cause.endswith(f"for at most 600 s more, after 192.0.2.77:443 {starter}" if starter else " s more")


def test_what_was_before_tfotop_is_blamed_on_nobody() -> None:
    """Blackhole protection was on already: the SYN without an answer came after it."""
    place = namespace(counters=counters(Blackhole=1), sysctls=doctor.sysctls(blackhole_timeout_s=600))
    last = sensor(DARK, handshakes=(silent(1),))
    findings = found(sample(sensor=sensor(), namespaces=(place,)), sample(8, sensor=last, namespaces=(place,)))
    (finding,) = (f for f in findings if f.id == "blackhole")
    assert "gave no answer" not in finding.cause
    assert "before tfotop" in (finding.unknown or "")


# Whose keys


def rejected(address: str, new_cookie: str | None) -> Handshake:
    return to(address, outcome="rejected", reason="data_not_acked", cookie_len=8, new_cookie_id=new_cookie)


def by_servers(*handshakes: Handshake, peers: tuple[Peer, ...]) -> Finding:
    (finding,) = found(*watched(total("rejected", 6, "data_not_acked", role="client"), handshakes=handshakes,
                                peers=peers))  # fmt: skip
    return finding


def test_a_new_cookie_of_one_server_says_nothing_of_another() -> None:
    """One renewed its key, the other's queue is full: neither is several servers with different keys."""
    rotated, full = destination("192.0.2.77", rejected=1, accepted=3), destination("192.0.2.78", rejected=5)
    finding = by_servers(rejected("192.0.2.77", "abcd"), *[rejected("192.0.2.78", None)] * 5, peers=(rotated, full))
    assert finding.id == "data_not_acked"


def test_many_keys_are_those_of_the_server_that_renews_each_time() -> None:
    peers = destination("192.0.2.77", rejected=4), destination("192.0.2.78", rejected=5)
    finding = by_servers(*[rejected("192.0.2.77", "abcd")] * 4, rejected("192.0.2.78", None), peers=peers)
    assert finding.id == "keys_differ_servers"
    assert "192.0.2.77:443 gives a new cookie" in finding.cause


@pytest.mark.parametrize(("accepted", "wanted"), [(12, "keys_differ_servers"), (13, "data_not_acked")])
def test_a_server_that_rejects_seldom_renews_its_key(accepted: int, wanted: str) -> None:
    peer = destination("192.0.2.77", CURL, "data_not_acked", accepted=accepted, rejected=3)
    assert by_servers(*[rejected("192.0.2.77", "abcd")] * 3, peers=(peer,)).id == wanted


@pytest.mark.parametrize(("accepted", "wanted"), [(24, "keys_differ_servers"), (25, "bad_cookie")])
def test_a_peer_that_is_rejected_seldom_accuses_no_other_server(accepted: int, wanted: str) -> None:
    (finding,) = found(*watched(BAD, peers=(visitor("10.2.4.17", accepted=accepted, rejected=6),)))
    assert finding.id == wanted


@pytest.mark.parametrize(
    ("elsewhere", "wanted"),
    [
        pytest.param({"accepted": 4}, "client_address_changes", id="an old cookie is good"),
        pytest.param({"cookie_granted": 1, "accepted": 4}, "bad_cookie", id="only what was given since"),
        pytest.param({"rejected": 1, "accepted": 4}, "bad_cookie", id="rejected as well"),
    ],
)
def test_changing_addresses_need_an_old_cookie_that_is_good(elsewhere: dict[str, int], wanted: str) -> None:
    """Or the key was changed before tfotop looked."""
    peers = (*doctor.roaming_peers(), visitor("203.0.113.9", **elsewhere))
    (finding,) = found(*watched(BAD, peers=peers))
    assert finding.id == wanted


def test_changing_addresses_that_were_seen_need_no_other_proof() -> None:
    (finding,) = found(*doctor.load("client_address_changes"))
    assert "before tfotop looked" not in (finding.unknown or "")
