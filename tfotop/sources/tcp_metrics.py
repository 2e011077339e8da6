"""What the kernel remembers of destinations as a Fast Open client: cookie, MSS, SYN drops (net/ipv4/tcp_metrics.c).

Source: generic netlink, family ``tcp_metrics``, TCP_METRICS_CMD_GET (include/uapi/linux/tcp_metrics.h), in the
namespace of the thread that asks: call through ``namespaces.visit``. Takes no privilege; to remove an entry takes
CAP_NET_ADMIN, and there is no command that puts one back.
"""

import errno
import socket
import sys
from collections.abc import Callable
from typing import Final

from tfotop.sample import Metric, Problem
from tfotop.sources import Report, netlink

SOURCE = "tcp_metrics"
LIMIT = 4096
FAMILY = "tcp_metrics"
TCP_METRICS_CMD_GET: Final = 1
TCP_METRICS_CMD_DEL: Final = 2
# enum of TCP_METRICS_ATTR_*
ADDR_IPV4, ADDR_IPV6, AGE, VALS = 1, 2, 3, 6
FOPEN_MSS, FOPEN_SYN_DROPS, FOPEN_SYN_DROP_TS, FOPEN_COOKIE = 7, 8, 9, 10
SADDR_IPV4, SADDR_IPV6 = 11, 12
FAST_OPEN: Final = frozenset((FOPEN_MSS, FOPEN_SYN_DROPS, FOPEN_SYN_DROP_TS, FOPEN_COOKIE))
# enum tcp_metric_index plus one, inside VALS: ms and us, each shifted left by three
RTT, RTT_US = 1, 6
WIDTHS: Final = {FOPEN_MSS: 2, FOPEN_SYN_DROPS: 2, FOPEN_SYN_DROP_TS: 8, AGE: 8, RTT: 4, RTT_US: 4}
HEADERS_BYTES: Final = netlink.HEADER.size + netlink.GENERIC_HEADER.size

CookieName = Callable[[bytes], str]


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


def entry(destination: str, source: str, fingerprint_cookie: CookieName | None = None) -> Metric | None:
    """What is remembered of one destination, ``None`` if nothing. Raises ``OSError`` if the kernel does not tell."""
    try:
        answers = _ask(TCP_METRICS_CMD_GET, destination, source)
    except ProcessLookupError:  # ESRCH
        return None
    return next((decode(answer, lambda _: None, fingerprint_cookie) for answer in answers), None)


def remove(destination: str, source: str) -> None:
    """Make the kernel forget a destination: its cookie, and what was measured. Raises ``OSError``."""
    _ask(TCP_METRICS_CMD_DEL, destination, source)


def _ask(command: int, destination: str, source: str) -> list[bytes]:
    six = ":" in destination
    addresses = (
        (ADDR_IPV6 if six else ADDR_IPV4, destination),
        (SADDR_IPV6 if six else SADDR_IPV4, source),
    )
    request = netlink.GENERIC_HEADER.pack(command, 1, 0)
    for kind, address in addresses:
        raw = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address.partition("%")[0])
        request += netlink.attribute(kind, raw)
    family = netlink.generic_family(FAMILY)
    if family is None:
        raise OSError(errno.EOPNOTSUPP, "this kernel has no tcp_metrics")
    return netlink.ask(netlink.NETLINK_GENERIC, family, request)


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
    """The record of one message; ``None`` if it has neither Fast Open data nor an RTT, or no destination.

    ``tcp_metrics_fill_info`` writes nothing for what it does not know; ages are in milliseconds.
    """
    of = _payloads(entry, HEADERS_BYTES)
    rtt_us, cookie = _rtt_us(of.get(VALS, b"")), of.get(FOPEN_COOKIE)
    destination = _address(of, ADDR_IPV4, ADDR_IPV6)
    if destination is None or not (rtt_us or FAST_OPEN & of.keys()):
        if not of:
            report(Problem(source=SOURCE, text="an entry is malformed"))
        return None
    return Metric(
        destination=destination,
        source=_address(of, SADDR_IPV4, SADDR_IPV6),
        age_ms=_number(of, AGE),
        rtt_us=rtt_us,
        fo_mss=_number(of, FOPEN_MSS),
        fo_cookie_len=len(cookie) if cookie else None,
        fo_cookie_id=fingerprint_cookie(cookie) if cookie and fingerprint_cookie else None,
        fo_syn_drops=_number(of, FOPEN_SYN_DROPS),
        fo_syn_drop_age_ms=_number(of, FOPEN_SYN_DROP_TS),
    )


def _payloads(buffer: bytes, start: int) -> dict[int, bytes]:
    """The payload of each attribute by its kind."""
    return {kind: buffer[at:end] for kind, at, end in netlink.attributes(buffer, start, len(buffer))}


def _number(of: dict[int, bytes], kind: int) -> int | None:
    payload = of.get(kind, b"")
    return int.from_bytes(payload, sys.byteorder) if len(payload) == WIDTHS[kind] else None


def _address(of: dict[int, bytes], v4: int, v6: int) -> str | None:
    if len(of.get(v4, b"")) == 4:
        return socket.inet_ntop(socket.AF_INET, of[v4])
    return socket.inet_ntop(socket.AF_INET6, of[v6]) if len(of.get(v6, b"")) == 16 else None


def _rtt_us(values: bytes) -> int | None:
    """The smoothed RTT in microseconds; kernels before 3.15 gave milliseconds only."""
    of = _payloads(values, 0)
    eighths = _number(of, RTT_US) or (_number(of, RTT) or 0) * 1000
    return eighths >> 3 or None
