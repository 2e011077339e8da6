"""What the kernel remembers of destinations as a Fast Open client: cookie, MSS, SYN drops (net/ipv4/tcp_metrics.c).

Source: generic netlink, family ``tcp_metrics``, TCP_METRICS_CMD_GET (include/uapi/linux/tcp_metrics.h), in the
namespace of the thread that asks: call through ``namespaces.visit``. Takes no privilege.
"""

from collections.abc import Callable
from typing import Any, Final

from pyroute2.netlink import genlmsg, nla
from pyroute2.netlink.exceptions import NetlinkDecodeError

from tfotop.sample import Metric, Problem
from tfotop.sources import Report, netlink

SOURCE = "tcp_metrics"
LIMIT = 4096
FAMILY = "tcp_metrics"
TCP_METRICS_CMD_GET: Final = 1
# TCP_METRICS_ATTR_VALS, and those from FOPEN_MSS to FOPEN_COOKIE
VALS: Final = 6
FAST_OPEN: Final = frozenset((7, 8, 9, 10))
FAST_OPEN_NUMBERS: Final = ("FOPEN_MSS", "FOPEN_SYN_DROPS", "FOPEN_SYN_DROP_TS")
HEADERS_BYTES: Final = netlink.HEADER.size + netlink.GENERIC_HEADER.size

CookieName = Callable[[bytes], str]


class tcp_metrics_msg(genlmsg):  # type: ignore[misc]  # noqa: N801  pyroute2's way to name messages
    """One entry; ages are in milliseconds, ``tcp_metrics_get_fill`` writes nothing for what it does not know."""

    prefix = "TCP_METRICS_ATTR_"
    nla_map = (
        ("TCP_METRICS_ATTR_UNSPEC", "none"),
        ("TCP_METRICS_ATTR_ADDR_IPV4", "ip4addr"),
        ("TCP_METRICS_ATTR_ADDR_IPV6", "ip6addr"),
        ("TCP_METRICS_ATTR_AGE", "uint64"),
        ("TCP_METRICS_ATTR_TW_TSVAL", "uint32"),
        ("TCP_METRICS_ATTR_TW_TS_STAMP", "int32"),
        ("TCP_METRICS_ATTR_VALS", "vals"),
        ("TCP_METRICS_ATTR_FOPEN_MSS", "uint16"),
        ("TCP_METRICS_ATTR_FOPEN_SYN_DROPS", "uint16"),
        ("TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS", "uint64"),
        ("TCP_METRICS_ATTR_FOPEN_COOKIE", "cdata"),
        ("TCP_METRICS_ATTR_SADDR_IPV4", "ip4addr"),
        ("TCP_METRICS_ATTR_SADDR_IPV6", "ip6addr"),
        ("TCP_METRICS_ATTR_PAD", "none"),
    )

    class vals(nla):  # type: ignore[misc]  # noqa: N801
        """Numbers of ``enum tcp_metric_index`` plus one; RTT in ms, RTT_US in us, each shifted left by three."""

        prefix = "TCP_METRIC_"
        nla_map = (
            ("TCP_METRIC_UNSPEC", "none"),
            ("TCP_METRIC_RTT", "uint32"),
            ("TCP_METRIC_RTTVAR", "uint32"),
            ("TCP_METRIC_SSTHRESH", "uint32"),
            ("TCP_METRIC_CWND", "uint32"),
            ("TCP_METRIC_REORDERING", "uint32"),
            ("TCP_METRIC_RTT_US", "uint32"),
            ("TCP_METRIC_RTTVAR_US", "uint32"),
        )


def read(report: Report, fingerprint_cookie: CookieName | None = None, limit: int = LIMIT) -> tuple[Metric, ...] | None:
    """The destinations with Fast Open data, then those with an RTT only, together at most ``limit``.

    ``fingerprint_cookie`` makes the ``fo_cookie_id``; without it there is only the length. The bytes are not kept.
    The excess is reported, and not decoded. ``None`` if the kernel gave no dump (reported).
    """
    try:
        family = netlink.generic_family(FAMILY)
        if family is None:
            report(Problem(source=SOURCE, text="this kernel has no tcp_metrics"))
            return None
        entries, excess = _collect(family, limit)
    except OSError as error:
        report(Problem(source=SOURCE, text=f"no dump: {error.strerror}"))
        return None
    if excess:
        report(
            Problem(source=SOURCE, text=f"more than {limit} destinations in one namespace: the others are not shown")
        )
    return tuple(metric for entry in entries if (metric := decode(entry, report, fingerprint_cookie)) is not None)


def _collect(family: int, limit: int) -> tuple[list[bytes], int]:
    """The messages worth keeping, those with Fast Open data first, and how many more there were than ``limit``.

    A destination without it never takes the place of one with it, however many there are.
    """
    with_fast_open: list[bytes] = []
    rtt_only: list[bytes] = []
    seen = 0
    request = netlink.GENERIC_HEADER.pack(TCP_METRICS_CMD_GET, 1, 0)
    for buffer, start, length in netlink.dump(netlink.NETLINK_GENERIC, family, request):
        kinds = {kind for kind, _, _ in netlink.attributes(buffer, start + HEADERS_BYTES, start + length)}
        kept = with_fast_open if kinds & FAST_OPEN else rtt_only
        if kinds & FAST_OPEN or VALS in kinds:
            seen += 1
            if len(kept) < limit:
                kept.append(bytes(buffer[start : start + length]))
    return (with_fast_open + rtt_only)[:limit], max(0, seen - limit)


def decode(entry: bytes, report: Report, fingerprint_cookie: CookieName | None = None) -> Metric | None:
    """The record of one message; ``None`` if it has neither Fast Open data nor an RTT, or no destination."""
    try:
        message = tcp_metrics_msg(entry)
        message.decode()
    except NetlinkDecodeError:
        report(Problem(source=SOURCE, text="an entry is malformed"))
        return None
    of = _attributes(message)
    rtt_us = _rtt_us(of)
    destination = of.get("ADDR_IPV4") or of.get("ADDR_IPV6")
    cookie: bytes | None = of.get("FOPEN_COOKIE")
    if destination is None or not (rtt_us or cookie or any(of.get(name) is not None for name in FAST_OPEN_NUMBERS)):
        return None
    return Metric(
        destination=destination,
        source=of.get("SADDR_IPV4") or of.get("SADDR_IPV6"),
        age_ms=of.get("AGE"),
        rtt_us=rtt_us,
        fo_mss=of.get("FOPEN_MSS"),
        fo_cookie_len=len(cookie) if cookie else None,
        fo_cookie_id=fingerprint_cookie(cookie) if cookie and fingerprint_cookie else None,
        fo_syn_drops=of.get("FOPEN_SYN_DROPS"),
        fo_syn_drop_age_ms=of.get("FOPEN_SYN_DROP_TS"),
    )


def _attributes(message: genlmsg) -> dict[str, Any]:
    """The attributes of a message by name, without the prefix that all have."""
    return {name.removeprefix(message.prefix): value for name, value in message["attrs"]}


def _rtt_us(of: dict[str, Any]) -> int | None:
    """The smoothed RTT in microseconds; kernels before 3.15 gave milliseconds only."""
    values = _attributes(of["VALS"]) if "VALS" in of else {}
    eighths = values.get("RTT_US") or values.get("RTT", 0) * 1000
    return eighths >> 3 or None
