"""A table of series, and the verdict on each."""

import pytest

from tfotop.probe.records import CACHED, FIRST, WITH, WITHOUT, Series, Verdict
from tfotop.probe.verdict import conclude, exit_status, judge

from .build import ERROR, PLAN, exchange, first, handshake, metric, pairs, series

REJECTED = {"syn_data_acked": False, "client_fail": 2, "first_byte_us": 44_500}
LOST = {"syn_data_acked": False, "client_fail": 3, "first_byte_us": 1_044_500, "syn_retransmits": 1}
ASKED = {"syn_data_bytes": 0, "syn_data_acked": False, "client_fail": 1, "first_byte_us": 44_500}
NOTHING = {"before": None, "after": None}
HELD = {"syn_data_bytes": 0, "syn_data_acked": False, "client_fail": 0, "first_byte_us": 44_500}


def failed(error: str, connected: bool = False, **given: object) -> dict[str, object]:
    there = {"first_byte_us": None, "client_fail": 0} if connected else ERROR
    return {**there, "error": error, **given}


def all_failed(error: str, connected: bool = False, **given: object) -> Series:
    how = failed(error, connected, **given)
    return series(first(**how), exchange(2, WITHOUT, **how))


def by_server(outcome: str, reason: str | None, **given: object) -> Series:
    """Refused three times, and the server's kernel said why."""
    told = {"server": handshake("server", outcome, reason=reason, option="standard", **given)}
    return series(first(after=None, **told), *pairs(**ASKED, **NOTHING, **told))


def seen(client: dict[str, object], server: dict[str, object], how: dict[str, object]) -> Series:
    both = {"client": handshake("client", "rejected", **client), "server": handshake("server", "rejected", **server)}
    return series(first(), *pairs(**how, **both))


renewing = [first()]
for number, (old, new) in enumerate((("a", "b"), ("b", "c"), ("c", "c")), 1):
    one = {} if old == new else REJECTED
    renewing += [
        exchange(2 * number, WITHOUT),
        exchange(2 * number + 1, WITH, before=metric(old), after=metric(new), **one),
    ]

CASES = {
    "healthy": (series(first(), *pairs(6)), "works", None),
    "all by a cached cookie": (series(exchange(1, CACHED), *pairs(), cached=metric()), "works", None),
    "stale once": (
        series(exchange(1, CACHED, after=metric("3ad5"), **REJECTED), *pairs(), cached=metric()), "works", None,
    ),
    "one SYN lost in ten": (series(first(), *pairs(9), *pairs(1, 20, **LOST)), "works", None),
    "without knowing tcp_metrics": (series(first(**NOTHING), *pairs(**NOTHING), metrics=False), "works", None),
    "only by option 254": (
        series(first(after=None), *pairs(1, **ASKED | {"before": None}), *pairs(2, 4)), "works", "experimental_only",
    ),
    "client bit off": (series(tcp_fastopen=2), "does_not_work", "client_bit_off"),
    "client bit off, sysctl unreadable": (
        series(first(**failed("client_bit_off")), tcp_fastopen=None), "does_not_work", "client_bit_off",
    ),
    "ended at once": (series(), "cannot_tell", "interrupted"),
    "ended after the first contact": (series(first()), "cannot_tell", "too_few"),
    "closed port": (all_failed("refused"), "cannot_tell", "closed_port"),
    "unreachable": (all_failed("unreachable", error_text="No route to host"), "cannot_tell", "unreachable"),
    "no SYN-ACK": (all_failed("no_syn_ack"), "cannot_tell", "no_syn_ack"),
    "no answer": (all_failed("no_answer", connected=True), "cannot_tell", "no_answer"),
    "hangs up": (all_failed("closed", connected=True), "cannot_tell", "closed"),
    "resets": (all_failed("reset", connected=True), "cannot_tell", "reset"),
    "fails": (all_failed("failed", error_text="Cannot assign requested address"), "cannot_tell", "failed"),
    "SYN with the option reset": (
        series(first(**failed("refused")), exchange(2, WITHOUT), exchange(3, WITH, **failed("refused"))),
        "does_not_work", "connection_lost",
    ),
    "SYN with the option unanswered": (
        series(first(**failed("no_syn_ack")), *pairs(1, **failed("no_syn_ack"))), "does_not_work", "syn_dropped",
    ),
    "blackhole": (series(first(**HELD), *pairs(**HELD)), "does_not_work", "blackhole"),
    "cookie changes": (series(*renewing), "does_not_work", "keys_differ"),
    "no-cookie route": (
        series(first(**REJECTED | NOTHING), *pairs(**REJECTED | NOTHING), no_cookie_route=True),
        "does_not_work", "no_cookie_route",
    ),
    "no-cookie bit": (
        series(first(**REJECTED | NOTHING), *pairs(**REJECTED | NOTHING), tcp_fastopen=5),
        "does_not_work", "no_cookie_route",
    ),
    "SYN with data dropped": (series(first(), *pairs(**LOST)), "does_not_work", "syn_dropped"),
    "SYN with the option dropped": (
        series(first(after=None, syn_retransmits=1), *pairs(**ASKED | NOTHING, syn_retransmits=1)),
        "does_not_work", "syn_dropped",
    ),
    "none granted": (series(first(after=None), *pairs(**ASKED | NOTHING)), "does_not_work", "none_granted"),
    "data not acked": (series(first(), *pairs(**REJECTED)), "does_not_work", "data_not_acked"),
    "sometimes": (
        series(first(), *pairs(3), *pairs(2, 8, **REJECTED), *pairs(1, 12)), "does_not_work", "sometimes",
    ),
    "server bit off, said by the server": (
        by_server("cookie_refused", "server_bit_off"), "does_not_work", "server_bit_off",
    ),
    "no queue, said by the server": (by_server("cookie_refused", "no_queue"), "does_not_work", "no_queue"),
    "option stripped from the SYN": (
        seen({"option": "standard", "cookie_len": 8}, {"option": None}, REJECTED), "does_not_work", "option_stripped",
    ),
    "option stripped from the SYN-ACK": (
        seen(
            {"option": "standard", "cookie_len": 0},
            {"option": "standard", "cookie_len": 0, "new_cookie_len": 8},
            REJECTED,
        ),
        "does_not_work", "option_stripped",
    ),
    "data stripped": (
        seen({"option": "standard", "syn_data_bytes": 70}, {"option": "standard", "syn_data_bytes": 0}, REJECTED),
        "does_not_work", "data_stripped",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("seen_so", "status", "cause"), CASES.values(), ids=CASES)
def test_verdicts(seen_so: Series, status: str, cause: str | None) -> None:
    verdict = judge(seen_so)
    assert (verdict.status, verdict.cause) == (status, cause), verdict
    assert verdict.text
    assert verdict.text.isprintable()
    if status == "does_not_work":
        assert verdict.evidence
        assert verdict.advice


def test_the_gain_is_named() -> None:
    assert "22.40 ms (1.02 RTT) sooner" in judge(series(first(), *pairs(6))).text


def test_a_request_that_does_not_fit_is_named() -> None:
    advice = judge(series(first(), *pairs(request_bytes=100))).advice
    assert advice == "only 70 of 100 bytes fit into the SYN: a shorter request gains more"


def test_no_answer_tells_what_the_handshake_showed() -> None:
    how = failed("no_answer", connected=True)
    seen_so = series(exchange(1, CACHED, **how), exchange(2, WITHOUT, **how), cached=metric())
    assert "SYN data acknowledged in 1 of 1 (TCP_INFO)" in judge(seen_so).evidence


# Both families


def overall(*series_: Series) -> Verdict:
    return conclude(PLAN, series_).verdict


GOOD = CASES["healthy"][0]
BAD = series(first(after=None), *pairs(**ASKED | NOTHING), family="IPv6", address="2001:db8::7")
SILENT = all_failed("no_syn_ack")


def test_one_family_only() -> None:
    verdict = overall(GOOD, BAD)
    assert (verdict.status, verdict.cause) == ("does_not_work", "one_family")
    assert "it works over IPv4, but not over IPv6 (stripped on the IPv6 path, or" in verdict.text


@pytest.mark.parametrize(
    ("all_series", "status", "cause"),
    [
        ((), "cannot_tell", "interrupted"),
        ((GOOD, GOOD), "works", None),
        ((GOOD, SILENT), "works", None),
        ((SILENT, GOOD), "works", None),
        ((BAD, SILENT), "does_not_work", "none_granted"),
        ((SILENT, SILENT), "cannot_tell", "no_syn_ack"),
    ],
)
def test_over_both_families(all_series: tuple[Series, ...], status: str, cause: str | None) -> None:
    verdict = overall(*all_series)
    assert (verdict.status, verdict.cause) == (status, cause)


def test_exit_status() -> None:
    statuses = [exit_status(Verdict(status=s, text="")) for s in ("works", "does_not_work", "cannot_tell")]
    assert statuses == [0, 1, 2]


def test_how_is_told_apart() -> None:
    assert [first().how, exchange(1, CACHED).fast_open, exchange(2, WITHOUT).fast_open] == [FIRST, True, False]
