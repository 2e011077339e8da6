"""What cannot be told apart is told as candidates, and what is ordinary on a healthy host accuses nobody."""

import pytest
from msgspec.structs import replace

from tests.scenarios import doctor
from tests.scenarios.build import START_WALL_NS, listener, total
from tests.unit.diagnosis.asking import change, found
from tfotop.diagnosis.finding import IDS
from tfotop.sample import Sysctls


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("bad_cookie", {"key_rotated", "keys_differ_servers", "client_address_changes"}),
        ("rejected_unknown", {"key_rotated", "keys_differ_servers", "client_address_changes", "failed_child"}),
        ("client_failed_unknown", {"server_bit_off", "no_queue", "bad_cookie", "failed_child", "queue_full",
                                   "syn_cookies", "syn_dropped"}),
        ("client_failed_lost", {"syn_dropped"}),
        ("none_granted", {"server_bit_off", "no_queue", "syn_cookies", "no_key", "a middlebox strips the option"}),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_listed_with_the_check(name: str, candidates: set[str]) -> None:
    (finding,) = found(*doctor.load(name))
    assert set(finding.candidates) == candidates
    assert finding.check
    assert {c for c in candidates if " " not in c} <= set(IDS)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param({"listeners": (doctor.MUTE, listener())}, id="one takes them"),
        pytest.param({"listeners": (doctor.MUTE, listener(max_qlen=None))}, id="one is not known"),
        pytest.param({"listeners": None}, id="none is known"),
        pytest.param({"listeners": None, "sysctls": None}, id="nothing is known"),
        pytest.param({"sysctls": Sysctls()}, id="the mode is not known"),
    ],
)
def test_what_is_not_known_is_no_finding(of: dict[str, object]) -> None:
    assert change("no_queue_asked", **of) == []


# Bad cookies


def test_siblings_explain_bad_cookies() -> None:
    two = (listener(own_key="beef"), listener(cookie=78, own_key="cafe"))
    assert [f.id for f in change("keys_differ_servers", listeners=two)] == ["keys_differ_siblings"]


def test_siblings_that_know_each_other_s_key_as_backup_reject_nobody() -> None:
    """The middle of a rotation, one process after the other."""
    two = (listener(own_key="beef", own_backup="cafe"), listener(cookie=78, own_key="cafe", own_backup="beef"))
    assert change("keys_differ_siblings", listeners=two) == []
    one_sided = (two[0], listener(cookie=78, own_key="cafe"))
    assert [f.id for f in change("keys_differ_siblings", listeners=one_sided)] == ["keys_differ_siblings"]


def test_two_families_of_one_port_may_have_two_keys() -> None:
    two = (listener(own_key="beef"), listener(address="0.0.0.0", cookie=78, own_key="cafe"))
    assert change("keys_differ_siblings", listeners=two) == []


@pytest.mark.parametrize(("backup", "wanted"), [(None, "key_rotated"), ("a41f", "bad_cookie")])
def test_a_rotation_that_keeps_the_old_key_rejects_nobody_for_it(backup: str | None, wanted: str) -> None:
    (finding,) = change("key_rotated", keys=doctor.Keys(primary="77aa", backup=backup))
    assert finding.id == wanted


# What is ordinary on a healthy host


@pytest.mark.parametrize(
    ("accepted", "severity"), [(0, "degraded"), (199, "degraded"), (201, "advice"), (9000, "advice")]
)
def test_few_bad_cookies_among_many_good_ones_are_clients_that_move(accepted: int, severity: str) -> None:
    rows = total("rejected", 4, "bad_cookie"), *([total("accepted", accepted)] if accepted else [])
    (finding,) = found(*doctor.watched(*rows))
    assert (finding.id, finding.severity) == ("bad_cookie", severity)


@pytest.mark.parametrize(("accepted", "severity"), [(0, "degraded"), (17, "degraded"), (18, "advice")])
def test_few_lost_syns_among_many_accepted_are_packet_loss(accepted: int, severity: str) -> None:
    peers = (doctor.destination("192.0.2.77", lost=2, **({"accepted": accepted} if accepted else {})),)
    (finding,) = found(*doctor.watched(doctor.LOST, peers=peers))
    assert (finding.id, finding.severity) == ("syn_dropped", severity)


@pytest.mark.parametrize(("drops", "severity"), [(1, "advice"), (2, "degraded")])
def test_one_drop_that_is_remembered_may_be_packet_loss(drops: int, severity: str) -> None:
    (finding,) = change("syn_drops_cached", metrics=(replace(doctor.DROPS, fo_syn_drops=drops),))
    assert (finding.id, finding.severity) == ("syn_drops_cached", severity)


def test_blackhole_protection_is_over_once_a_syn_has_the_option_again() -> None:
    first, last = doctor.load("blackhole")
    without = doctor.to("192.0.2.77", ts_ns=START_WALL_NS, outcome="plain", reason="blackhole")
    again = doctor.to("192.0.2.77", ts_ns=START_WALL_NS + 1, outcome="accepted", cookie_len=8)
    silent = replace(again, outcome="unanswered")
    for handshakes, wanted in (((without,), ["blackhole"]), ((without, again), []), ((without, silent), ["blackhole"])):
        assert last.sensor is not None
        seen = replace(last, sensor=replace(last.sensor, handshakes=handshakes))
        assert [f.id for f in found(first, seen)] == wanted
