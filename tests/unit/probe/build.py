"""Exchanges and series made by hand, as a healthy server gives them unless told otherwise."""

from tfotop.probe.records import CACHED, FIRST, WITH, WITHOUT, Conditions, Exchange, Plan, Series
from tfotop.sample import Handshake, Metric

PLAN = Plan(target="web-3", port=80, request="HTTP HEAD /", request_bytes=70, pairs=2, interval_s=0.2, timeout_s=5)
ERROR = {"connect_us": None, "first_byte_us": None, "client_fail": None, "syn_data_acked": None}


def metric(cookie: str | None = "a41f") -> Metric:
    return Metric(destination="192.0.2.1", fo_cookie_len=8 if cookie else None, fo_cookie_id=cookie, rtt_us=22_000)


def conditions(**given: object) -> Conditions:
    values = {"family": "IPv4", "address": "192.0.2.1", "port": 80, "source": "198.51.100.7", "tcp_fastopen": 1}
    return Conditions(**values | given)  # type: ignore[arg-type]  # any field by its name


def exchange(number: int, how: str, **given: object) -> Exchange:
    values: dict[str, object] = {
        "number": number, "how": how, "ts_ns": 10**18 + number, "local": f"198.51.100.7:{40000 + number}",
        "request_bytes": 70, "connect_us": 22_000, "first_byte_us": 44_500, "syn_data_bytes": 0,
        "syn_data_acked": False, "client_fail": 0, "syn_retransmits": 0, "rtt_us": 22_000,
        "before": metric(), "after": metric(), "answer": "HTTP/1.1 200 OK", "socket_cookie": number,
    }  # fmt: skip
    if how == FIRST:
        values |= {"before": None, "client_fail": 1}
    elif how in (WITH, CACHED):
        values |= {"first_byte_us": 22_100, "syn_data_bytes": 70, "syn_data_acked": True}
    return Exchange(**values | given)  # type: ignore[arg-type]  # any field by its name


def first(**given: object) -> Exchange:
    return exchange(1, FIRST, **given)


def pairs(count: int = 2, start: int = 2, **given: object) -> list[Exchange]:
    """Pairs of exchanges; what is ``given`` is that of those with Fast Open."""
    made = []
    for number in range(start, start + 2 * count, 2):
        made += [exchange(number, WITHOUT), exchange(number + 1, WITH, **given)]
    return made


def series(*exchanges: Exchange, **given: object) -> Series:
    about = {name: given.pop(name) for name in ("removed", "kept_because", "last", "interrupted") if name in given}
    return Series(conditions=conditions(**given), exchanges=exchanges, **{"last": metric()} | about)  # type: ignore[arg-type]  # any field by its name


def handshake(role: str, outcome: str, **given: object) -> Handshake:
    ends = ("198.51.100.7:40001", "192.0.2.1:80")
    local, peer = ends if role == "client" else ends[::-1]
    values = {"ts_ns": 10**18, "role": role, "netns": 1, "local": local, "peer": peer, "outcome": outcome}
    return Handshake(**values | given)  # type: ignore[arg-type]  # any field by its name
