"""Netlink framing: whatever the bytes, nothing outside them is looked at."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tfotop.sources import netlink


def message(kind: int, payload: bytes) -> bytes:
    raw = netlink.HEADER.pack(netlink.HEADER.size + len(payload), kind, 0, 0, 0) + payload
    return raw + bytes(-len(raw) % 4)


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def test_messages_follow_each_other_at_multiples_of_four() -> None:
    buffer = bytearray(message(20, b"abc") + message(3, b"") + bytes(100))
    assert list(netlink.messages(buffer, 36)) == [(0, 19, 20), (20, 16, 3)]


def test_attributes_are_found_without_their_flags() -> None:
    raw = attribute(1, b"abc") + attribute(0x8000 | 6, b"")
    assert list(netlink.attributes(raw, 0, len(raw))) == [(1, 4, 7), (6, 12, 12)]


@given(st.binary(max_size=200))
def test_messages_stay_inside(raw: bytes) -> None:
    for start, length, _ in netlink.messages(bytearray(raw) + bytes(64), len(raw)):
        assert 0 <= start < start + length <= len(raw)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**16 - 1), st.binary(max_size=9))))
def test_attributes_stay_inside(parts: list[tuple[int, int, bytes]]) -> None:
    raw = b"".join(struct.pack("=HH", length, kind) + rest for length, kind, rest in parts)
    for _, start, end in netlink.attributes(raw, 0, len(raw)):
        assert 4 <= start <= end <= len(raw)
