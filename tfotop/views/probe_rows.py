"""A probe for programs: one JSON object, or a line of CSV for each exchange. Unknown is null, or empty."""

import csv
import io
from typing import Any, Final

import msgspec

from tfotop.probe import cookies
from tfotop.probe.records import CLIENT_FAILS, WITH, WITHOUT, Conditions, Exchange, Report, Series, Verdict
from tfotop.probe.statistics import Median, histogram
from tfotop.probe.summary import first_bytes, summary
from tfotop.sample import Handshake
from tfotop.views.format import printable

SEEN: Final = ("outcome", "reason", "option", "cookie_len", "new_cookie_len", "syn_data_bytes", "syn_data_acked_bytes")
COLUMNS: Final = (
    "family",
    "address",
    "port",
    "number",
    "how",
    "ts_ns",
    "local",
    "request_bytes",
    "connect_us",
    "first_byte_us",
    "syn_data_bytes",
    "syn_data_acked",
    "syn_retransmits",
    "client_fail",
    "cookie_asked",
    "cookie",
    "cookie_id",
    "answer",
    "error",
    "outcome",
    "reason",
    "server_reason",
)


def report(of: Report) -> dict[str, Any]:
    """The whole probe."""
    addresses = [_series(s, v) for s, v in zip(of.series, of.verdicts, strict=True)]
    return {**msgspec.structs.asdict(of.plan), "addresses": addresses, "verdict": _verdict(of.verdict)}


def csv_title() -> str:
    """The first line of CSV."""
    return ",".join(COLUMNS)


def csv_line(e: Exchange, conditions: Conditions) -> str:
    """One exchange."""
    row = _exchange(e, conditions) | {
        "family": conditions.family,
        "address": conditions.address,
        "port": conditions.port,
        "outcome": e.client.outcome if e.client else None,
        "reason": e.client.reason if e.client else None,
        "server_reason": e.server.reason if e.server else None,
    }
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([_cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else printable(str(value))


def _series(of: Series, verdict: Verdict) -> dict[str, Any]:
    c = of.conditions
    return {
        "family": c.family,
        "address": c.address,
        "port": c.port,
        "source": c.source,
        "tcp_fastopen": c.tcp_fastopen,
        "blackhole_timeout_s": c.blackhole_timeout_s,
        "no_cookie_route": c.no_cookie_route,
        "cookie_before": cookies.cookie_id(c.cached),
        "cookie_removed": of.removed,
        "cookie_kept_because": of.kept_because,
        "cookie_after": cookies.cookie_id(of.last),
        "interrupted": of.interrupted,
        "exchanges": [_exchange(e, c) for e in of.exchanges],
        "summary": _summary(of),
        "histogram": [
            {"low_us": b.low_us, "high_us": b.high_us, "without": b.counts[0], "with": b.counts[1]}
            for b in histogram(first_bytes(of, WITHOUT), first_bytes(of, WITH))
        ],
        "verdict": _verdict(verdict),
    }


def _exchange(e: Exchange, conditions: Conditions) -> dict[str, Any]:
    return {
        "number": e.number,
        "how": e.how.replace(" ", "_"),
        "ts_ns": e.ts_ns,
        "local": e.local,
        "request_bytes": e.request_bytes,
        "connect_us": e.connect_us,
        "first_byte_us": e.first_byte_us,
        "syn_data_bytes": e.syn_data_bytes,
        "syn_data_acked": e.syn_data_acked,
        "syn_retransmits": e.syn_retransmits,
        "client_fail": None if e.client_fail is None else CLIENT_FAILS[e.client_fail].replace(" ", "_").lower(),
        "cookie_asked": cookies.asked(e),
        "cookie": cookies.change(e, conditions.metrics),
        "cookie_id": cookies.cookie_id(e.after),
        "rtt_us": e.rtt_us,
        "answer": e.answer,
        "error": e.error,
        "client": _seen(e.client),
        "server": _seen(e.server),
    }


def _seen(handshake: Handshake | None) -> dict[str, Any] | None:
    return {name: getattr(handshake, name) for name in SEEN} if handshake else None


def _summary(of: Series) -> dict[str, Any]:
    numbers = summary(of)
    return {
        "first_contact_us": numbers.first_contact_us,
        "without": _median(numbers.without_us),
        "with": _median(numbers.with_us),
        "handshake_rtt": _median(numbers.rtt_us),
        "delta": _median(numbers.delta_us),
        "delta_rtts": numbers.delta_rtts,
    }


def _median(of: Median | None) -> dict[str, Any] | None:
    return {"median_us": of.value, "low_us": of.low, "high_us": of.high, "n": of.size} if of else None


def _verdict(of: Verdict) -> dict[str, Any]:
    return msgspec.structs.asdict(of)
