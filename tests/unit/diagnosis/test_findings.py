"""Every finding from the recorded scenario that must lead to it, and none where nothing is wrong."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.scenarios import doctor
from tests.scenarios.build import COUNTERS, counters, folded, handshake, later, namespace, sample, sensor, total
from tests.unit.diagnosis.asking import found
from tests.unit.diagnosis.expected import EXPECTED, QUIET, Row
from tfotop.diagnosis.finding import IDS, SEVERITIES, rank
from tfotop.diagnosis.findings import findings, gaps, status
from tfotop.sample import Sample, Total
from tfotop.words import REASONS


@pytest.mark.parametrize("row", EXPECTED, ids=[row.scenario for row in EXPECTED])
def test_the_scenario_leads_to_the_finding(row: Row) -> None:
    model = folded(*doctor.load(row.scenario))
    (finding,) = findings(model)
    assert (finding.id, finding.severity, finding.role, finding.tier) == (row.id, row.severity, row.role, row.tier)
    assert finding.cause[: len(row.cause)] == row.cause
    assert (finding.fix and finding.fix.short[: len(row.fix or "")]) == row.fix
    assert finding.evidence
    assert all(piece.what and piece.value and piece.source for piece in finding.evidence)
    assert finding.unknown or finding.verify
    healthy = 2 if gaps(model) else 0
    assert status([finding], gaps(model)) == {"broken": 1, "degraded": 1, "unsure": 2}.get(row.severity, healthy)


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_wrong(name: str) -> None:
    model = folded(*doctor.load(name))
    assert findings(model) == []
    assert status([], gaps(model)) == 0


@pytest.mark.parametrize("name", list(doctor.CASES))
def test_the_file_is_what_the_script_makes(name: str) -> None:
    assert doctor.load(name) == doctor.CASES[name], "run: python -m tests.scenarios.doctor"


def test_every_scenario_is_expected_and_every_finding_has_one() -> None:
    assert {path.stem for path in doctor.HERE.glob("*.jsonl")} == set(doctor.CASES)
    assert {row.scenario for row in EXPECTED} | set(QUIET) == set(doctor.CASES)
    assert {row.id for row in EXPECTED} == set(IDS)
    assert {row.severity for row in EXPECTED} == set(SEVERITIES)


def test_every_reason_is_a_finding_or_is_known_not_to_be_one() -> None:
    no_fault = {"no_data_no_cookie", "no_cookie_cached", "icmp_unreachable", "reset"}
    assert set(REASONS) - {None} - set(IDS) == no_fault


@pytest.mark.parametrize(
    ("seconds", "opened", "row", "flood"),
    [
        pytest.param(3, 100, total("plain", 900), True, id="most of them"),
        pytest.param(3, 500, total("plain", 900), False, id="fewer than half"),
        pytest.param(9, 100, total("plain", 900), False, id="few in a second"),
        pytest.param(3, 100, total("unanswered", 900, "accept_queue_full"), False, id="the application is too slow"),
        pytest.param(3, 100, total("plain", 900, role="client"), False, id="our own"),
    ],
)
def test_what_is_a_flood(seconds: int, opened: int, row: Total, flood: bool) -> None:
    places = [namespace(counters=counters(PassiveOpens=number)) for number in (0, opened)]
    first = sample(sensor=sensor(), namespaces=places[:1])
    last = sample(seconds, sensor=sensor(row), namespaces=places[1:])
    assert ("syn_flood" in [finding.id for finding in found(first, last)]) is flood


@pytest.mark.parametrize(("ack_us", "flood"), [(22_000, False), (None, True)])
def test_acks_that_the_accept_queue_had_no_room_for_are_no_flood(ack_us: int | None, flood: bool) -> None:
    """600 clients at once, an application that accepts none: each sent its ACK. Forged SYNs beside it have none."""
    before, after = ({"PassiveOpens": n, "ListenOverflows": m} for n, m in ((0, 0), (65, 900)))
    newest = tuple(handshake(outcome="plain", ack_us=ack_us) for _ in range(30))
    first = sample(sensor=sensor(), namespaces=(namespace(counters=counters(**before)),))
    seen = sensor(total("plain", 600), handshakes=newest)
    last = sample(1, sensor=seen, namespaces=(namespace(counters=counters(**after)),))
    assert ("syn_flood" in [finding.id for finding in found(first, last)]) is flood


# Now and before


def test_what_happened_before_tfotop_is_no_finding() -> None:
    old = sample(namespaces=(namespace(counters=dict.fromkeys(COUNTERS, 1000), listeners=(doctor.MUTE,)),))
    assert found(old) == []
    assert found(old, later(old, 1)) == []


@pytest.mark.parametrize(
    ("handshakes", "seconds", "words"),
    [
        (1, 2, "1 handshake (<1/s): "),
        (2, 2, "2 handshakes (1/s): "),
        (9, 2, "9 handshakes (4/s): "),
        (9, 0, "9 handshakes: "),
    ],
)
def test_the_rate(handshakes: int, seconds: int, words: str) -> None:
    bare = (namespace(counters=None),)
    ends = sample(seconds, sensor=sensor(total("rejected", handshakes, "bad_cookie")), namespaces=bare)
    model = folded(*([sample(sensor=sensor(), namespaces=bare)] if seconds else []), ends)
    assert findings(model)[0].cause.startswith(words)


def test_variants_add_up_but_not_namespaces() -> None:
    rows = total("rejected", 1, "bad_cookie"), total("rejected", 2, "bad_cookie", data=True)
    elsewhere = total("rejected", 3, "bad_cookie", netns=doctor.WEB, netns_cookie=9)
    causes = [(f.netns, f.count) for f in found(*doctor.watched(*rows, elsewhere, others=(doctor.web(),)))]
    assert causes == [(doctor.OWN, 3), (doctor.WEB, 3)]


def test_a_namespace_that_is_gone_cannot_be_mended() -> None:
    gone = total("rejected", 3, "bad_cookie", netns=7, netns_cookie=7)
    first, last = doctor.watched(gone)
    assert [f.netns for f in found(first, last)] == [7]
    assert found(first, last, later(last, 1)) == []


def test_the_worst_comes_first_and_what_has_ended_last() -> None:
    rows = total("rejected", 900, "failed_child"), total("cookie_refused", 1, "server_bit_off")
    first, last = doctor.watched(*rows, sysctls=doctor.sysctls(1))
    assert [f.id for f in found(first, last)] == ["server_bit_off", "failed_child"]
    ended = replace(later(last, 1), namespaces=(namespace(counters=None),))
    assert [(f.id, f.severity, f.now) for f in found(first, last, ended)] == [
        ("failed_child", "degraded", False),
        ("server_bit_off", "past", False),
    ]


def test_the_ranks_are_a_total_order() -> None:
    found_all = [findings(folded(*case))[0] for name, case in doctor.CASES.items() if name not in QUIET]
    ranked = sorted(found_all, key=rank)
    assert [SEVERITIES.index(f.severity) for f in ranked] == sorted(SEVERITIES.index(f.severity) for f in found_all)


def test_with_the_sensor_the_counters_alone_accuse_nobody() -> None:
    after = sample(
        1,
        sensor=sensor(total("rejected", 1, "failed_child")),
        namespaces=(namespace(counters=counters(PassiveFail=1)),),
    )
    assert [f.id for f in found(sample(sensor=sensor()), after)] == ["failed_child"]


# What is missing


@pytest.mark.parametrize(
    ("edit", "gap"),
    [
        (lambda s: replace(s, namespaces=()), "no network namespace"),
        (lambda s: replace(s, namespaces=(namespace(sysctls=None),)), "net.ipv4.tcp_fastopen could not"),
        (lambda s: replace(s, namespaces=(namespace(counters=None),)), "the kernel's counters could not"),
        (lambda s: replace(s, namespaces=(namespace(listeners=None),)), "the listening sockets could not"),
        (lambda s: replace(s, tier=0), "not root"),
    ],
)
def test_what_is_missing_is_said_and_nothing_can_be_told(edit: Callable[[Sample], Sample], gap: str) -> None:
    model = folded(edit(sample()))
    (text,) = gaps(model)
    assert text.startswith(gap)
    assert status(findings(model), [text]) == 2
