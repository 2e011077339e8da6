"""Each finding from the samples that must lead to it, and none where nothing is wrong."""

import pytest

from tests.scenarios.build import (
    COUNTERS,
    START_MONO_NS,
    counters,
    later,
    listener,
    namespace,
    sample,
    sensor,
    total,
)
from tfotop.diagnosis.findings import CAUSES, Finding, findings
from tfotop.model.fold import fold
from tfotop.sample import Sample, Sysctls, Total
from tfotop.words import REASONS

EMPTY = sample(sensor=sensor())


def found(*samples: Sample) -> list[Finding]:
    model = None
    for one in samples:
        model = fold(model, one)
    assert model is not None
    return findings(model)


def causes(*samples: Sample) -> list[str]:
    return [finding.cause for finding in found(*samples)]


def over_one_interval(*totals: Total) -> tuple[Sample, Sample]:
    """Two samples, 2 s apart; the kernel's counters are left out, for they would have to agree."""
    bare = (namespace(counters=None),)
    return sample(sensor=sensor(), namespaces=bare), sample(2, sensor=sensor(*totals), namespaces=bare)


# With the sensor


@pytest.mark.parametrize(
    ("row", "cause", "remedy"),
    [
        (total("cookie_refused", 4, "server_bit_off"), "the server bit 0x2 of", "sysctl -w net.ipv4.tcp_fastopen=3"),
        (total("rejected", 4, "no_queue"), "the listener has no Fast Open queue", "set TCP_FASTOPEN on it"),
        (total("cookie_refused", 4, "no_key"), "there is no Fast Open key", "sysctl -w net.ipv4.tcp_fastopen_key"),
        (total("unanswered", 4, "accept_queue_full"), "the accept queue is full", "a larger backlog"),
        (total("rejected", 4, "queue_full"), "the Fast Open queue is full", "a larger TCP_FASTOPEN value"),
        (total("rejected", 4, "bad_cookie"), "bad cookie", "do all servers behind this address share one key"),
        (total("rejected", 4, "syn_cookies"), "SYN cookies are in force", "a larger backlog"),
        (total("rejected", 4, "failed_child"), "the cookie was valid, but no socket could be made", ""),
        (total("plain", 4, "blackhole", role="client"), "blackhole protection has disabled", "sysctl -w net.ipv4"),
        (total("lost", 4, "syn_dropped", role="client"), "SYNs with the option are dropped", "look for a middlebox"),
        (total("rejected", 4, "data_not_acked", role="client"), "the server does not take", "run tfotop on the server"),
        (total("cookie_refused", 4, "none_granted", role="client"), "the server grants no", "run tfotop on the server"),
    ],
    ids=lambda value: value.reason if isinstance(value, Total) else "",
)
def test_a_reason_is_named_with_its_number_and_what_mends_it(row: Total, cause: str, remedy: str) -> None:
    (finding,) = found(*over_one_interval(row))
    assert finding.cause.startswith(f"4 handshakes (2/s): {cause}")
    assert (finding.remedy or "").startswith(remedy)
    assert finding.tier == 2


def test_every_reason_is_a_finding_or_is_known_not_to_be_one() -> None:
    no_fault = {"no_data_no_cookie", "client_bit_off", "no_cookie_cached", "icmp_unreachable", "reset"}
    assert set(REASONS) - {None} == set(CAUSES) | no_fault


@pytest.mark.parametrize(
    ("handshakes", "words"), [(1, "1 handshake (<1/s): bad"), (2, "2 handshakes (1/s): bad"), (9, "9 handshakes (4/s)")]
)
def test_the_rate(handshakes: int, words: str) -> None:
    assert causes(*over_one_interval(total("rejected", handshakes, "bad_cookie")))[0].startswith(words)


def test_the_first_sample_knows_no_rate() -> None:
    assert causes(sample(sensor=sensor(total("rejected", 9, "bad_cookie")))) == ["9 handshakes: bad cookie"]


def test_variants_and_namespaces_add_up() -> None:
    rows = total("rejected", 1, "bad_cookie"), total("rejected", 2, "bad_cookie", data=True)
    elsewhere = total("rejected", 3, "bad_cookie", netns=7, netns_cookie=7)
    assert causes(*over_one_interval(*rows, elsewhere)) == ["6 handshakes (3/s): bad cookie"]


def test_the_worst_comes_first() -> None:
    rows = total("rejected", 900, "bad_cookie"), total("cookie_refused", 1, "server_bit_off")
    assert [cause.split(": ")[1][:10] for cause in causes(*over_one_interval(*rows))] == ["the server", "bad cookie"]


def test_what_has_ended_comes_after_what_happens_now() -> None:
    past = total("cookie_refused", 3, "server_bit_off")
    first, second = over_one_interval(past)
    third = sample(3, sensor=sensor(past, total("rejected", 412, "bad_cookie")), namespaces=second.namespaces)
    assert causes(first, second, third) == [
        "412 handshakes (412/s): bad cookie",
        "3 handshakes (none now): the server bit 0x2 of net.ipv4.tcp_fastopen is off",
    ]


def test_totals_that_differ_from_the_kernel_come_before_everything() -> None:
    after = sample(
        1,
        sensor=sensor(total("accepted", 3), total("rejected", 9, "queue_full")),
        namespaces=(namespace(counters=counters(Passive=5, ListenOverflow=9)),),
    )
    first, second = found(EMPTY, after)
    assert first == Finding(
        cause="totals and kernel differ: TCPFastOpenPassive +5, tfotop +3 (netns 4026531833)", remedy=None, tier=2
    )
    assert "queue is full" in second.cause


# Without it: candidates


def moved(**of: object) -> tuple[Sample, Sample]:
    """Two samples without the sensor; the second namespace is made of what is given."""
    return sample(namespaces=(namespace(**{**of, "counters": counters()}),)), sample(1, namespaces=(namespace(**of),))


def test_an_overflow_is_a_full_queue() -> None:
    (finding,) = found(*moved(counters=counters(ListenOverflow=1)))
    assert (finding.cause, finding.tier) == ("the Fast Open queue is full", 0)


def test_a_failure_has_candidates_and_names_what_tells() -> None:
    (finding,) = found(*moved(counters=counters(PassiveFail=1)))
    assert "another key, a changed address, or a child that failed" in finding.cause
    assert finding.remedy == "eBPF tells which"


ASKED = counters(CookieReqd=1)
MUTE = listener(max_qlen=0)


def test_cookies_asked_for_while_the_server_bit_is_off() -> None:
    (finding,) = found(*moved(counters=ASKED, sysctls=Sysctls(tcp_fastopen=1), listeners=None))
    assert finding == Finding(
        cause="cookies are asked for, but the server bit 0x2 of net.ipv4.tcp_fastopen is off",
        remedy="sysctl -w net.ipv4.tcp_fastopen=3",
        tier=0,
    )


def test_cookies_asked_for_while_no_listener_takes_them() -> None:
    (finding,) = found(*moved(counters=ASKED, listeners=(MUTE, MUTE)))
    assert (finding.cause, finding.tier) == ("cookies are asked for, but no listener has a Fast Open queue", 1)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param({"listeners": (MUTE, listener())}, id="one takes them"),
        pytest.param({"listeners": (MUTE, listener(max_qlen=None))}, id="one is not known"),
        pytest.param({"listeners": None}, id="none is known"),
        pytest.param({"listeners": None, "sysctls": None}, id="nothing is known"),
        pytest.param({"sysctls": Sysctls()}, id="the mode is not known"),
    ],
)
def test_what_is_not_known_is_no_finding(of: dict[str, object]) -> None:
    assert found(*moved(counters=ASKED, **of)) == []


def test_what_happened_before_tfotop_is_no_finding() -> None:
    old = sample(namespaces=(namespace(counters=dict.fromkeys(COUNTERS, 1000), listeners=(MUTE,)),))
    assert found(old) == []
    assert found(old, later(old, 1)) == []


def test_with_the_sensor_the_counters_alone_accuse_nobody() -> None:
    after = sample(
        1,
        sensor=sensor(total("rejected", 1, "failed_child")),
        namespaces=(namespace(counters=counters(PassiveFail=1)),),
    )
    assert causes(EMPTY, after) == ["1 handshake (1/s): the cookie was valid, but no socket could be made"]


# Nothing is wrong


def test_a_healthy_server() -> None:
    rows = (
        total("plain", 50),
        total("cookie_granted", 10, request=True),
        total("accepted", 400, data=True),
        total("accepted", 3, variant="backup_key", data=True),
        total("unanswered", 4),
        total("reset", 2, "reset", role="client"),
        total("cookie_granted", 2, "no_cookie_cached", role="client", request=True),
        total("accepted", 8, role="client", data=True),
        total("plain", 5, "client_bit_off", role="client"),
        total("rejected", 1, "no_data_no_cookie", data=True),
    )
    kernel = counters(Passive=403, PassiveAltKey=3, CookieReqd=10, Active=8)
    assert found(EMPTY, sample(1, sensor=sensor(*rows), namespaces=(namespace(counters=kernel),))) == []


def test_a_busy_host_without_fast_open() -> None:
    kernel = COUNTERS | {"SyncookiesSent": 9, "ListenOverflows": 5, "TCPSynRetrans": 70, "TCPTimeouts": 90}
    place = {"sysctls": Sysctls(tcp_fastopen=0), "listeners": (MUTE,)}
    rows = (total("plain", 90_000), total("plain", 20_000, "client_bit_off", role="client"), total("unanswered", 300))
    joined = sensor(*rows, attached_ns=START_MONO_NS)
    assert found(EMPTY, sample(1, sensor=joined, namespaces=(namespace(counters=kernel, **place),))) == []
    assert found(*moved(counters=kernel, **place)) == []


def test_nothing_known_is_nothing_found() -> None:
    assert found(Sample(wall_ns=1, mono_ns=1, tier=0)) == []
