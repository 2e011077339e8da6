"""Samples as JSON lines and back: a header with the version, then one Sample a line, as in the tests' scenarios."""

from collections.abc import Iterable, Iterator
from typing import IO, Final, TypeVar

import msgspec

from tfotop import __version__
from tfotop.sample import Record, Sample

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested without end
R = TypeVar("R", bound=Record)
FORMAT: Final = "tfotop samples"
VERSION: Final = 1
MOST_BYTES: Final = 64 << 20  # of one line: a longer one is not ours


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. ``version`` changes when an older reader would misunderstand the samples."""

    format: str
    version: int
    tfotop: str
    host: str
    kernel: str


class RecordingError(Exception):
    """A recording that cannot be read: one line that says which line, and what is wrong with it."""


def header(host: str, kernel: str) -> Header:
    """The header of a recording made now."""
    return Header(format=FORMAT, version=VERSION, tfotop=__version__, host=host, kernel=kernel)


def encode(record: Record) -> bytes:
    """A record as one line of JSON, without its end."""
    return msgspec.json.encode(record)


def decode(line: bytes, kind: type[R]) -> R:
    """The record again. Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=kind)


def write(file: IO[bytes], head: Header, samples: Iterable[Sample]) -> None:
    """Write a whole recording. Raises OSError."""
    file.write(msgspec.json.encode(head) + b"\n")
    for sample in samples:
        file.write(encode(sample) + b"\n")


def read_header(file: IO[bytes]) -> Header:
    """The header, from the start of the file. Raises RecordingError."""
    try:
        head = msgspec.json.decode(file.readline(MOST_BYTES), type=Header)
    except UNREADABLE as error:
        raise RecordingError(f"line 1 is not the header of a tfotop recording: {error}") from error
    if head.format != FORMAT:
        raise RecordingError(f"line 1: the format is {head.format[:40]!r}, not {FORMAT!r}")
    if head.version != VERSION:
        raise RecordingError(f"line 1: version {head.version} needs another tfotop; this one reads {VERSION}")
    return head


def read_samples(file: IO[bytes]) -> Iterator[Sample]:
    """The samples behind the header, one at a time. Raises RecordingError at the first line that is not one."""
    number = 1
    while line := file.readline(MOST_BYTES):
        number += 1
        try:
            yield decode(line, Sample)
        except UNREADABLE as error:
            cut = "" if line.endswith(b"\n") else " (the file ends in the middle of it)"
            raise RecordingError(f"line {number} is not a sample{cut}: {error}") from error
