"""Decoding of sock_diag messages made by hand."""

import os
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.test_netlink import attribute
from tfotop.sample import Connection, Problem
from tfotop.sources import netlink, sock_diag

V4 = socket.inet_aton("192.0.2.1") + bytes(12), socket.inet_aton("198.51.100.7") + bytes(12)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1"), socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.9")


def info(options: int = 0, client_fail: int = 0, rtt_us: int = 0, size: int = 240) -> bytes:
    raw = bytearray(max(size, 72))
    raw[5] = options
    raw[6] = 0xFF  # window scales, which must not be taken for anything else
    raw[7] = client_fail << sock_diag.CLIENT_FAIL_SHIFT | (0x01 if sock_diag.CLIENT_FAIL_SHIFT == 1 else 0x80)
    struct.pack_into("=I", raw, 68, rtt_us)
    return bytes(raw[:size])


def diag(
    *attributes: bytes, family: int = socket.AF_INET, cookie: int = 1, addresses: tuple[bytes, bytes] = V4
) -> bytes:
    fixed = struct.pack("=4B", family, 1, 0, 0) + struct.pack(">HH", 443, 51234) + addresses[0] + addresses[1]
    fixed += struct.pack("=III5I", 0, cookie & 0xFFFFFFFF, cookie >> 32, 0, 3, 4, 0, 5)
    body = fixed + b"".join(attributes)
    return netlink.HEADER.pack(16 + len(body), sock_diag.SOCK_DIAG_BY_FAMILY, 2, 0, 0) + body


def give(monkeypatch: pytest.MonkeyPatch, *messages: bytes) -> None:
    """Let the kernel's IPv4 dump be ``messages``, in one buffer that is used again for each."""

    def dump(_protocol: int, _kind: int, request: bytes) -> Iterator[tuple[bytearray, int, int]]:
        buffer = bytearray(4096)
        for message in messages if request[0] == socket.AF_INET else ():
            buffer[8 : 8 + len(message)] = message
            yield buffer, 8, len(message)

    monkeypatch.setattr(netlink, "dump", dump)


def read(limit: int = 100) -> tuple[Connection, ...]:
    result = sock_diag.read(pytest.fail, limit)
    assert result is not None
    return result[0]


@pytest.mark.parametrize(
    ("options", "client_fail", "shown"),
    [(0x07, 0, False), (0x20, 0, True), (0x80, 0, True), (0, 1, True), (0, 2, True), (0, 3, True), (0x5F, 0, False)],
)
def test_only_connections_with_a_fast_open_bit(
    monkeypatch: pytest.MonkeyPatch, options: int, client_fail: int, shown: bool
) -> None:
    give(monkeypatch, diag(attribute(2, info(options, client_fail))))
    assert [(c.syn_data, c.client_fail) for c in read()] == [(bool(options & 32), client_fail)] * shown


def test_all_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock_diag, "_KNOWS_TFO_CHILD", True)
    give(monkeypatch, diag(attribute(8, b"\0"), attribute(2, info(0xA0, 0, 1234)), cookie=7 << 32 | 9))
    assert read() == (
        Connection(
            local="192.0.2.1:443",
            peer="198.51.100.7:51234",
            cookie=7 << 32 | 9,
            syn_data=True,
            client_fail=0,
            tfo_child=True,
            rtt_us=1234,
        ),
    )


def test_ipv6_and_mapped_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, diag(attribute(2, info(32)), family=socket.AF_INET6, addresses=V6))
    assert [(c.local, c.peer) for c in read()] == [("[2001:db8::1]:443", "192.0.2.9:51234")]


def test_an_rtt_not_yet_measured_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, diag(attribute(2, info(32, rtt_us=0))))
    assert read()[0].rtt_us is None


def test_kernels_that_never_set_tfo_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock_diag, "_KNOWS_TFO_CHILD", False)
    give(monkeypatch, diag(attribute(2, info(0x20))), diag(attribute(2, info(0x80))))
    assert [c.tfo_child for c in read()] == [None, True]


@pytest.mark.parametrize(
    ("release", "known"),
    [
        ("6.14.9", False),
        ("6.15.0-rc1", True),
        ("7.0", True),
        ("5.99.1-fc", False),
        ("6.18.44-fc-v669", True),
        ("x", False),
    ],
)
def test_the_release_that_brought_tfo_child(release: str, known: bool) -> None:
    assert sock_diag.knows_tfo_child(release) is known


def test_messages_of_one_length_may_differ_in_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = info(32)
    early = diag(attribute(2, tail), attribute(15, bytes(4)), cookie=1)
    late = diag(attribute(15, bytes(4)), attribute(2, tail), cookie=2)
    plain = diag(attribute(15, bytes(4)), attribute(2, info(0)), cookie=3)
    assert len(early) == len(late) == len(plain)
    give(monkeypatch, early, late, plain, early, plain)
    assert [c.cookie for c in read()] == [1, 2, 1]


def test_request_sockets_and_short_infos_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, diag(), diag(attribute(2, info(32, size=71))), diag(attribute(2, info(32, size=72)), cookie=5))
    assert [c.cookie for c in read()] == [5]


def test_more_than_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, *[diag(attribute(2, info(32)), cookie=cookie) for cookie in range(10)])
    result = sock_diag.read(pytest.fail, 4)
    assert result is not None
    assert ([c.cookie for c in result[0]], result[1]) == ([0, 1, 2, 3], 6)


def test_a_kernel_without_tcp_diag_is_a_problem_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def dump(*_: object) -> Iterator[tuple[bytearray, int, int]]:
        raise OSError(2, os.strerror(2))

    monkeypatch.setattr(netlink, "dump", dump)
    problems: list[Problem] = []
    assert sock_diag.read(problems.append) is None
    assert [problem.remedy for problem in problems] == ["modprobe tcp_diag"]


@given(st.binary(max_size=300))
def test_any_attributes_are_read_without_a_crash(raw: bytes) -> None:
    message = bytearray(diag(raw))
    place = sock_diag.info_place(message, 0, len(message))
    assert place == 0 or sock_diag.HEADERS_BYTES < place <= len(message) - 72
    if place:
        sock_diag.connection(message, 0, place)
