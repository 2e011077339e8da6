"""Samples to a file and back; and whatever a file holds, it is a sample or a RecordingError."""

import io
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.scenarios.build import handshake, latency, later, peer, sample, sensor, total
from tfotop import __version__, recording
from tfotop import sample as sample_module
from tfotop.recording import RecordingError
from tfotop.sample import Buckets, Micros, Record, Sample

HEADER = recording.header("web-3", "6.18.44")
NUMBERS = st.integers(-(2**63), 2**64 - 1)
FULL = sample(
    sensor=sensor(
        total("accepted", 5),
        peers=(peer(with_tfo=latency(5)),),
        handshakes=(handshake(),),
    )
)


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that sample.py uses."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(any_of, inner))
    if origin is tuple:
        return st.lists(any_of(inner[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(any_of(inner[0]), any_of(inner[1]), max_size=2)
    if kind is Micros:
        return st.lists(st.integers(0, 2**32 - 1), max_size=2).map(Micros)
    if kind is Buckets:
        return st.dictionaries(st.integers(0, 255), st.integers(0, 2**32 - 1), max_size=2).map(Buckets)
    if isinstance(kind, type) and issubclass(kind, Record):
        return st.builds(kind, **{field.name: any_of(field.type) for field in msgspec.structs.fields(kind)})
    return {int: NUMBERS, str: st.text(max_size=20), bool: st.booleans(), type(None): st.none()}[kind]


RECORDS = [kind for kind in vars(sample_module).values() if isinstance(kind, type) and issubclass(kind, Record)]


def file_of(*samples: Sample) -> io.BytesIO:
    file = io.BytesIO()
    recording.write(file, HEADER, samples)
    file.seek(0)
    return file


def read(file: io.BytesIO) -> list[Sample]:
    recording.read_header(file)
    return list(recording.read_samples(file))


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_comes_back_as_it_was(kind: type[Record]) -> None:
    @settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
    @given(any_of(kind))
    def round_trip(record: Record) -> None:
        assert recording.decode(recording.encode(record), kind) == record

    round_trip()


@settings(max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(any_of(Sample), max_size=2))
def test_a_recording_is_its_samples(samples: list[Sample]) -> None:
    assert read(file_of(*samples)) == samples


def test_the_header_says_what_made_it() -> None:
    head = recording.read_header(file_of())
    assert head == HEADER
    assert (head.tfotop, head.host, head.kernel, head.version) == (__version__, "web-3", "6.18.44", 1)


def test_one_sample_is_one_line() -> None:
    odd = replace(FULL, problems=(sample_module.Problem(source="a\nb", text="\x1b[31m\u2028"),))
    lines = file_of(odd, later(odd, 1)).getvalue().split(b"\n")
    assert (len(lines), lines[-1]) == (4, b"")


def test_samples_come_one_at_a_time() -> None:
    file = file_of(FULL, later(FULL, 1))
    file.seek(0, io.SEEK_END)
    file.write(b"junk\n")
    file.seek(0)
    recording.read_header(file)
    samples = recording.read_samples(file)
    assert [next(samples), next(samples)] == [FULL, later(FULL, 1)]
    with pytest.raises(RecordingError, match="line 4"):
        next(samples)


# Truncated and edited


def test_a_recording_cut_anywhere_says_which_line_ends_in_the_middle() -> None:
    head, first, second = file_of(FULL, later(FULL, 1)).getvalue().splitlines(keepends=True)
    for number, before, last in ((2, head, first), (3, head + first, second)):
        for end in range(1, len(last) - 1):
            with pytest.raises(RecordingError, match=f"^line {number} .*ends in the middle"):
                read(io.BytesIO(before + last[:end]))


def test_a_recording_may_end_with_any_whole_line() -> None:
    head, first, second = file_of(FULL, later(FULL, 1)).getvalue().splitlines(keepends=True)
    assert read(io.BytesIO(head)) == []
    assert read(io.BytesIO(head + first)) == [FULL]
    assert read(io.BytesIO(head + first + second.rstrip())) == [FULL, later(FULL, 1)]


@pytest.mark.parametrize("end", range(0, 40, 7))
def test_a_header_that_is_cut_short_is_none(end: int) -> None:
    with pytest.raises(RecordingError, match=r"^line 1 is not the header of a tfotop recording"):
        recording.read_header(io.BytesIO(file_of().getvalue()[:end]))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b'"version":1', b'"version":2', "line 1: version 2 needs another tfotop; this one reads 1"),
        (b"tfotop samples", b"pcap\\u001b[31m", r"line 1: the format is 'pcap\\x1b\[31m', not 'tfotop samples'"),
        (b'"version":1', b'"version":"1"', "line 1 is not the header"),
        (b'"host":"web-3",', b"", "line 1 is not the header"),
        (b'"tier":2', b'"tier":"2"', "line 2 is not a sample: .*tier"),
        (b'"mono_ns":', b'"mono_nanos":', "line 2 is not a sample: .*mono_ns"),
        (b'"wall_ns":', b'"wall_ns":1e400,"x":', "line 2 is not a sample"),
        (b'"outcomes":{', b'"outcomes":{"plain":null,', "line 2 is not a sample: .*outcomes"),
        (b'"role":"server"', b'"role":"\xff"', "line 2 is not a sample"),
        (b'\n{"wall_ns"', b'\n\n{"wall_ns"', "line 2 is not a sample"),
        (b'\n{"wall_ns"', b'\n{"x":' + b"[" * 100_000 + b'\n{"wall_ns"', "line 2 is not a sample"),
        (b"{", b"[" * 100_000, "line 1 is not the header"),
    ],
    ids=lambda value: value[:20].decode(errors="replace") if isinstance(value, bytes) else None,
)  # fmt: skip
def test_an_edited_recording_names_the_line(old: bytes, new: bytes, complaint: str) -> None:
    content = file_of(FULL).getvalue()
    assert old in content
    with pytest.raises(RecordingError, match=f"^{complaint}") as raised:
        read(io.BytesIO(content.replace(old, new, 1)))
    assert "\n" not in str(raised.value)


def test_a_newer_tfotop_may_add_fields() -> None:
    content = file_of(FULL).getvalue().replace(b'"tier":2', b'"tier":2,"weather":{"rain":true}')
    assert read(io.BytesIO(content)) == [FULL]


def test_a_line_without_end_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_BYTES", 300)
    with pytest.raises(RecordingError, match="line 2"):
        read(file_of(FULL))


def outcome(content: bytes) -> list[Sample] | str:
    """The samples, or the words of the RecordingError; anything else is the failure of the test."""
    try:
        return read(io.BytesIO(content))
    except RecordingError as error:
        return str(error)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_recording(content: bytes) -> None:
    assert str(outcome(content)).startswith("line 1")


@given(st.data())
def test_any_bytes_in_the_place_of_others_are_samples_or_a_recording_error(data: st.DataObject) -> None:
    content = bytearray(file_of(FULL).getvalue())
    at = data.draw(st.integers(0, len(content)))
    content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    found = outcome(bytes(content))
    assert found.startswith("line ") if isinstance(found, str) else all(isinstance(one, Sample) for one in found)
