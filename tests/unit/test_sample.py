"""The records of a sample that are kept packed: they read like what they were made of."""

import gc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfotop.sample import Buckets, Micros

NUMBERS = st.integers(0, 2**32 - 1)


@given(st.lists(NUMBERS, max_size=16))
def test_microseconds(values: list[int]) -> None:
    packed = Micros(tuple(values))
    assert list(packed) == values
    assert (len(packed), bool(packed)) == (len(values), bool(values))
    assert sorted(packed) == sorted(values)
    assert [packed[i] for i in range(-len(values), len(values))] == [*values, *values]
    assert msgspec.json.decode(msgspec.json.encode(packed), type=Micros) == packed == Micros(bytes(packed.packed))


@given(st.dictionaries(st.integers(0, 255), NUMBERS, max_size=8))
def test_buckets(counts: dict[int, int]) -> None:
    packed = Buckets(counts)
    assert dict(packed.items()) == counts
    assert (len(packed), bool(packed)) == (len(counts), bool(counts))
    assert msgspec.json.decode(msgspec.json.encode(packed), type=Buckets) == packed


@pytest.mark.parametrize("number", [-1, 2**32])
def test_what_does_not_fit_is_an_error(number: int) -> None:
    with pytest.raises(ValueError, match="2\\^32"):
        Micros((number,))
    with pytest.raises(ValueError, match="2\\^32"):
        Buckets({1: number})
    with pytest.raises(ValueError, match="256"):
        Buckets({number: 1})


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (Micros, b"[[-1]]"),
        (Micros, b"[[4294967296]]"),
        (Micros, b'["?"]'),
        (Micros, b"[1]"),
        (Buckets, b'[{"256":1}]'),
        (Buckets, b'[{"1":-1}]'),
    ],
)
def test_a_bad_one_in_a_recording_is_an_error(kind: type, line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(line, type=kind)


@given(st.binary(max_size=23))
def test_any_bytes_can_be_read(raw: bytes) -> None:
    assert len(list(Micros(raw))) == len(raw) // 4
    assert len(list(Buckets(raw).items())) == len(raw) // 5


def test_the_garbage_collector_does_not_look_at_them() -> None:
    assert not gc.is_tracked(Micros((1,)))
    assert not gc.is_tracked(Buckets({1: 1}))
