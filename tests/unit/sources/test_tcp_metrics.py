"""tcp_metrics entries made by hand, as the kernel writes them."""

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.test_netlink import attribute, message
from tfotop.sample import Metric, Problem
from tfotop.sources import netlink, tcp_metrics

COOKIE = bytes.fromhex("0123456789abcdef")
ADDRESS = attribute(1, socket.inet_aton("192.0.2.1"))


def u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def u64(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=Q", value))


def values(**of: int) -> bytes:
    kinds = {"rtt": 1, "cwnd": 4, "rtt_us": 6}
    return attribute(6, b"".join(attribute(kinds[name], struct.pack("=I", value)) for name, value in of.items()))


def entry(*attributes: bytes) -> bytes:
    return message(27, struct.pack("=BBH", 1, 1, 0) + b"".join(attributes))


def decode(*attributes: bytes) -> Metric | None:
    return tcp_metrics.decode(entry(*attributes), pytest.fail, bytes.hex)


def test_all_fields() -> None:
    fast_open = u16(7, 1440), u16(8, 2), u64(9, 5 << 32), attribute(10, COOKIE)
    source = attribute(11, socket.inet_aton("198.51.100.7"))
    assert decode(ADDRESS, source, u64(3, 60000), values(rtt=9, rtt_us=8 * 1234, cwnd=10), *fast_open) == Metric(
        destination="192.0.2.1",
        source="198.51.100.7",
        age_ms=60000,
        rtt_us=1234,
        fo_mss=1440,
        fo_cookie_len=8,
        fo_cookie_id=COOKIE.hex(),
        fo_syn_drops=2,
        fo_syn_drop_age_ms=5 << 32,
    )


def test_ipv6() -> None:
    address = socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    metric = decode(attribute(2, address), attribute(12, address), u16(7, 1440))
    assert metric == Metric(destination="2001:db8::7", source="2001:db8::7", fo_mss=1440)


def test_milliseconds_only_where_the_kernel_has_no_more() -> None:
    assert decode(ADDRESS, values(rtt=8 * 20)) == Metric(destination="192.0.2.1", rtt_us=20000)


def test_what_has_neither_fast_open_data_nor_an_rtt_is_passed_over() -> None:
    assert decode(ADDRESS, u64(3, 1), values(cwnd=10)) is None
    assert decode(ADDRESS) is None
    assert decode(u16(7, 1440)) is None


def test_the_cookie_itself_is_not_kept() -> None:
    metric = tcp_metrics.decode(entry(ADDRESS, attribute(10, COOKIE)), pytest.fail)
    assert metric == Metric(destination="192.0.2.1", fo_cookie_len=8)


def test_entries_without_fast_open_data_never_take_the_place_of_those_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [entry(attribute(1, bytes([127, 0, 0, last])), values(rtt_us=800)) for last in range(1, 6)]
    nothing = entry(attribute(1, bytes(4)))

    def dump(*_: object) -> Iterator[tuple[bytearray, int, int]]:
        for raw in (*plain, nothing, entry(ADDRESS, attribute(10, COOKIE))):
            yield bytearray(raw), 0, len(raw)

    monkeypatch.setattr(netlink, "generic_family", lambda _: 27)
    monkeypatch.setattr(netlink, "dump", dump)
    problems: list[Problem] = []
    metrics = tcp_metrics.read(problems.append, limit=2)
    assert metrics is not None
    assert [metric.destination for metric in metrics] == ["192.0.2.1", "127.0.0.1"]
    assert len(problems) == 1
    assert len(tcp_metrics.read(pytest.fail, limit=6) or ()) == 6


def test_a_kernel_without_tcp_metrics_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "generic_family", lambda _: None)
    problems: list[Problem] = []
    assert tcp_metrics.read(problems.append) is None
    assert [problem.source for problem in problems] == ["tcp_metrics"]


@given(st.lists(st.tuples(st.integers(0, 13), st.binary(max_size=20))), st.binary(max_size=20))
def test_any_attributes_are_an_entry_or_a_problem(parts: list[tuple[int, bytes]], rest: bytes) -> None:
    problems: list[Problem] = []
    raw = entry(*[attribute(kind, payload) for kind, payload in parts], rest)
    metric = tcp_metrics.decode(raw, problems.append, bytes.hex)
    assert metric is None or metric.destination
