"""The kernel's counters beside tfotop's totals."""

import pytest

from tests.scenarios.build import counters, namespace, total
from tfotop.model.agreement import COUNTERS, IN_BETWEEN, checks, counted
from tfotop.model.state import Check
from tfotop.sample import Total

CLIENT = {"role": "client"}


@pytest.mark.parametrize(
    ("row", "moves"),
    [
        pytest.param(total("accepted", 1, data=True, **CLIENT), ["Active"], id="client accepted"),
        pytest.param(total("accepted", 1, **CLIENT), [], id="client accepted, empty SYN"),
        pytest.param(total("rejected", 1, "data_not_acked", data=True, **CLIENT), ["ActiveFail"], id="client rejected"),
        pytest.param(total("rejected", 1, "data_not_acked", **CLIENT), [], id="client rejected, empty SYN"),
        pytest.param(total("lost", 1, "syn_dropped", data=True, **CLIENT), ["ActiveFail"], id="client lost"),
        pytest.param(total("lost", 1, "syn_dropped", request=True, **CLIENT), [], id="client lost a request"),
        pytest.param(total("cookie_granted", 1, request=True, **CLIENT), [], id="client asked"),
        pytest.param(total("plain", 1, **CLIENT), [], id="client plain"),
        pytest.param(total("accepted", 1, data=True), ["Passive"], id="server accepted"),
        pytest.param(total("accepted", 1), ["Passive"], id="server accepted, empty SYN"),
        pytest.param(total("accepted", 1, variant="backup_key"), ["Passive", "PassiveAltKey"], id="server backup key"),
        pytest.param(
            total("accepted", 1, variant="no_cookie", request=True), ["Passive", "CookieReqd"], id="server cookie-less"
        ),
        pytest.param(total("cookie_granted", 1, request=True), ["CookieReqd"], id="server granted"),
        pytest.param(total("cookie_refused", 1, "no_queue", request=True), ["CookieReqd"], id="server no queue"),
        pytest.param(total("cookie_refused", 1, "server_bit_off", request=True), ["CookieReqd"], id="server bit off"),
        pytest.param(
            total("cookie_refused", 1, "queue_full", request=True), ["ListenOverflow", "CookieReqd"], id="queue full"
        ),
        pytest.param(total("cookie_refused", 1, "syn_cookies", request=True), [], id="SYN cookies"),
        pytest.param(total("unanswered", 1, "accept_queue_full", request=True), [], id="accept queue full"),
        pytest.param(total("cookie_refused", 1, "syn_queue_full", request=True), [], id="SYN queue full"),
        pytest.param(total("unanswered", 1, request=True), [], id="no SYN-ACK"),
        pytest.param(total("rejected", 1, "bad_cookie", data=True), ["PassiveFail"], id="bad cookie"),
        pytest.param(total("rejected", 1, "failed_child", data=True), ["PassiveFail"], id="failed child"),
        pytest.param(total("rejected", 1, "no_key", data=True), ["PassiveFail"], id="no key"),
        pytest.param(total("rejected", 1, "server_bit_off", data=True), [], id="data, server bit off"),
        pytest.param(total("rejected", 1, "no_queue", data=True), [], id="data, no queue"),
        pytest.param(total("rejected", 1, "queue_full", data=True), ["ListenOverflow"], id="data, queue full"),
        pytest.param(total("plain", 1), [], id="server plain"),
    ],
)
def test_what_a_handshake_moves(row: Total, moves: list[str]) -> None:
    moved = [name.removeprefix("TCPFastOpen") for name, count in counted([row]).items() if count]
    assert moved == moves


def test_rows_add_up() -> None:
    rows = total("accepted", 5), total("accepted", 7, data=True), total("plain", 100)
    assert counted(rows)["TCPFastOpenPassive"] == 12


def check(kernel: dict[str, int], ours: int, name: str = "TCPFastOpenPassive", **given: object) -> Check:
    """One counter from 0 to what ``kernel`` says, beside ``ours``."""
    found = checks(namespace(counters=kernel, **given), namespace(), {name: ours}, {})
    return next(c for c in found if c.counter == name)


def test_every_counter_is_checked() -> None:
    assert [c.counter for c in checks(namespace(), namespace(), {}, {})] == list(COUNTERS)


def test_at_rest_equal_is_equal() -> None:
    assert check(counters(Passive=5), 5) == Check(counter="TCPFastOpenPassive", kernel=5, tfotop=5, agrees=True)


@pytest.mark.parametrize("ours", [4, 6])
def test_at_rest_one_off_is_found(ours: int) -> None:
    assert not check(counters(Passive=5), ours).agrees


@pytest.mark.parametrize(
    ("ours", "agrees"),
    [(100 - IN_BETWEEN - 1, False), (100 - IN_BETWEEN, True), (105, True), (110 + IN_BETWEEN, True),
     (110 + IN_BETWEEN + 1, False)],
)  # fmt: skip
def test_under_load_the_truth_lies_between_the_two_readings(ours: int, agrees: bool) -> None:
    assert check(counters(Passive=100), ours, counters_after=counters(Passive=110)).agrees is agrees


def test_what_moved_between_the_readings_before_widens_the_interval() -> None:
    before = namespace(counters=counters(Passive=90), counters_after=counters(Passive=95))
    now = namespace(counters=counters(Passive=100))
    ours, ours_before = {"TCPFastOpenPassive": 110}, {"TCPFastOpenPassive": 100}
    passive = next(c for c in checks(now, before, ours, ours_before) if c.counter == "TCPFastOpenPassive")
    assert passive == Check(counter="TCPFastOpenPassive", kernel=5, tfotop=10, agrees=True)


@pytest.mark.parametrize(("ours", "agrees"), [(1, False), (2, True), (5, True), (6, False)])
def test_active_fail_may_be_ahead_by_the_timeouts(ours: int, agrees: bool) -> None:
    kernel = counters(ActiveFail=5, TCPTimeouts=3)
    assert check(kernel, ours, "TCPFastOpenActiveFail").agrees is agrees


def test_no_other_counter_may_be_ahead_by_the_timeouts() -> None:
    assert not check(counters(Active=5, TCPTimeouts=3), 4, "TCPFastOpenActive").agrees


def test_a_counter_that_this_kernel_has_not_is_not_checked() -> None:
    now = {name: n for name, n in counters().items() if name != "TCPFastOpenPassiveAltKey"}
    names = [c.counter for c in checks(namespace(counters=now), namespace(), {}, {})]
    assert names == [name for name in COUNTERS if name != "TCPFastOpenPassiveAltKey"]


@pytest.mark.parametrize(("now", "before"), [(None, {}), ({}, None)])
def test_without_counters_there_is_nothing_to_check(now: dict[str, int] | None, before: dict[str, int] | None) -> None:
    assert checks(namespace(counters=now), namespace(counters=before), {}, {}) == ()
