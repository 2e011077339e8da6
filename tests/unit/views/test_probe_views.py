"""A probe as text, JSON and CSV: what stands there, and that nothing of the server's gets through raw."""

import csv
import json
import re

import pytest

from tests.unit.probe.build import ERROR, PLAN, conditions, exchange, first, handshake, metric, pairs, series
from tfotop.probe.records import CACHED, WITH, WITHOUT, Conditions, Exchange, Series
from tfotop.probe.verdict import conclude
from tfotop.views import json_lines, probe_rows, probe_text

HEALTHY = series(first(), *pairs(6))
HOSTILE = "\x1b[31mred\nline"


def test_the_opening_says_what_is_sent() -> None:
    said = probe_text.opening(PLAN, "reasons from eBPF").splitlines()
    assert said[0] == "probe web-3 port 80: HTTP HEAD /, 70 bytes in each of at most 6 connections to an address"
    assert said[1] == "first contact, then 2 pairs without and with Fast Open; reasons from eBPF"


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({}, "IPv4 192.0.2.1 from 198.51.100.7: cold start: no cookie is cached"),
        ({"source": None}, "IPv4 192.0.2.1: cold start"),
        ({"tcp_fastopen": 2}, "nothing is sent: the client bit is off"),
        ({"metrics": False}, "tcp_metrics cannot be read"),
        ({"cached": metric()}, "cookie a41f is cached: used once, then removed for a cold start if the server still"),
        ({"cached": metric(), "kept_because": "--keep-cookie"}, "no cold start: cookie a41f is cached (--keep-cookie)"),
        ({"cached": metric(None)}, "cold start: no cookie is cached"),
    ],
    ids=str,
)
def test_conditions(about: dict[str, object], said: str) -> None:
    text = probe_text.conditions(conditions(**about))
    assert said in text
    assert ("first byte ms" in text) is (about.get("tcp_fastopen") != 2)


MISSED = {"syn_data_acked": False, "client_fail": 2}
NO_QUEUE = handshake("server", "cookie_refused", reason="no_queue", tcp_fastopen=3)
ASKED_IN_VAIN = "asked, none, server: no Fast Open queue: the listener did not ask"
RETRANSMITTED = exchange(3, WITH, client_fail=3, syn_data_acked=False, syn_retransmits=1)
HELD = exchange(3, WITH, client_fail=0, syn_data_acked=False, syn_data_bytes=0)
UNANSWERED = exchange(3, WITH, first_byte_us=None, error="no_answer")


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        (first(), "1/5|first contact|22.00|44.50|-|asked, got a41f"),
        (exchange(2, WITHOUT), "2/5|without|22.00|44.50"),
        (exchange(3, WITH), "3/5|with|22.00|22.10|70 B acked|kept a41f"),
        (
            exchange(3, WITH, after=metric("3ad5"), **MISSED),
            "3/5|with|22.00|22.10|70 B not acked|renewed a41f > 3ad5, data not acked",
        ),
        (RETRANSMITTED, "3/5|with|22.00|22.10|70 B not acked|kept a41f, SYN retransmitted, SYN sent 2 times"),
        (HELD, "3/5|with|22.00|22.10|-|kept a41f, neither cookie request nor data sent"),
        (first(after=None, server=NO_QUEUE), f"1/5|first contact|22.00|44.50|-|{ASKED_IN_VAIN}"),
        (first(**ERROR, error="refused"), "1/5|first contact|-|-|-|connection refused"),
        (UNANSWERED, "3/5|with|22.00|-|70 B acked|connected, no answer in time; kept a41f"),
        (first(**ERROR, error="unreachable", error_text=HOSTILE), "1/5|first contact|-|-|-|?[31mred?line"),
    ],
)
def test_lines(made: Exchange, cells: str) -> None:
    line = probe_text.exchange(made, PLAN, conditions())
    assert re.split(" {2,}", line.strip()) == cells.split("|")
    assert line.isprintable()


def test_columns_stand_below_their_titles() -> None:
    line = probe_text.exchange(exchange(3, WITH), PLAN, conditions())
    titles = probe_text.conditions(conditions()).splitlines()[-1]
    for title, value in (("connect ms", "22.00"), ("first byte ms", "22.10")):
        assert titles.index(title) + len(title) == line.index(value) + len(value)
    for title, value in (("SYN data", "70 B"), ("cookie", "kept")):
        assert titles.index(title) == line.index(value)


def test_the_count_grows_with_a_cached_cookie() -> None:
    assert "  1/6  as cached" in probe_text.exchange(exchange(1, CACHED), PLAN, conditions(cached=metric()))


def test_the_summary() -> None:
    text = probe_text.series(HEALTHY)
    assert "  first contact            44.50 ms" in text
    assert "  without Fast Open        44.50 ms   44.50 to 44.50 ms          n=6" in text
    assert "  with Fast Open           22.10 ms   22.10 to 22.10 ms          n=6" in text
    assert "  sooner by                22.40 ms   22.40 to 22.40 ms          n=6   1.02 RTT" in text
    assert "  handshake RTT            22.00 ms" in text


def test_the_histogram() -> None:
    text = probe_text.series(HEALTHY).splitlines()
    bars = [line for line in text if "#" in line]
    assert len(bars) == 2
    assert bars[0].endswith(" " * 27 + "#" * 22 + " 6")
    assert bars[1].endswith("#" * 22 + " 6")
    assert "             ..." in text


def test_few_values_have_no_interval_and_no_answer_no_summary() -> None:
    assert "too few for an interval    n=2" in probe_text.series(series(first(), *pairs(2)))
    assert probe_text.series(series(first(**ERROR, error="refused"))) == ""
    assert re.search(r"^  sooner by +-$", probe_text.series(series(first())), re.M)


def test_the_verdict() -> None:
    said = probe_text.verdict(conclude(PLAN, (HEALTHY,)))
    assert said.splitlines()[1].startswith("Fast Open works: the SYN data was acknowledged in 6 of 6 connections; ")
    both = probe_text.verdict(conclude(PLAN, (HEALTHY, series(tcp_fastopen=2, family="IPv6")))).splitlines()
    assert both[1].startswith("IPv4: Fast Open works: ")
    assert both[2].startswith("IPv6: Fast Open does not work: ")
    assert "  > sysctl -w net.ipv4.tcp_fastopen=3" in both


def loaded(*all_series: Series) -> dict[str, object]:
    found: dict[str, object] = json.loads(json_lines.line(probe_rows.report(conclude(PLAN, all_series))))
    return found


def test_json() -> None:
    report = loaded(series(first(), *pairs(6, client=handshake("client", "accepted"))))
    (address,) = report["addresses"]  # type: ignore[misc]  # JSON
    assert report["verdict"]["status"] == address["verdict"]["status"] == "works"  # type: ignore[index]  # JSON
    assert address["summary"]["delta"] == {"median_us": 22400, "low_us": 22400, "high_us": 22400, "n": 6}
    assert [e["how"] for e in address["exchanges"][:3]] == ["first_contact", "without", "with"]
    assert address["exchanges"][2]["client"]["outcome"] == "accepted"
    assert (address["cookie_before"], address["cookie_after"], address["cookie_removed"]) == (None, "a41f", False)


def test_json_says_null_for_what_is_not_known() -> None:
    report = loaded(series(first(**ERROR, error="refused", answer=None), last=None))
    (address,) = report["addresses"]  # type: ignore[misc]  # JSON
    (only,) = address["exchanges"]
    for name in ("connect_us", "first_byte_us", "client_fail", "cookie", "client", "server", "answer"):
        assert only[name] is None
    assert address["summary"]["delta"] is None
    assert address["summary"]["delta_rtts"] is None
    assert address["histogram"] == []


def rows(*exchanges: Exchange, about: Conditions | None = None) -> list[dict[str, str]]:
    lines = [probe_rows.csv_title(), *(probe_rows.csv_line(e, about or conditions()) for e in exchanges)]
    assert not any("\n" in line for line in lines)
    return list(csv.DictReader(lines))


def test_csv() -> None:
    one, two, three = rows(first(), exchange(2, WITHOUT), exchange(3, WITH, server=handshake("server", "accepted")))
    assert (one["how"], one["cookie"], one["client_fail"], one["syn_data_acked"]) == (
        "first_contact", "got", "cookie_unavailable", "false",
    )  # fmt: skip
    assert (two["cookie"], two["error"]) == ("", "")
    assert (three["syn_data_acked"], three["server_reason"], three["first_byte_us"]) == ("true", "", "22100")


def test_what_a_server_says_is_made_safe() -> None:
    (row,) = rows(first(answer=f'HTTP/1.1 {HOSTILE},"'))
    assert row["answer"] == 'HTTP/1.1 ?[31mred?line,"'
