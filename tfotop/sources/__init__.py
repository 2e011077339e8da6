"""The readers: one module per place the kernel is read from, in the kernel's spelling; each may fail alone.

A reader that cannot read returns ``None`` (or leaves the field ``None``) and hands a ``Problem`` to the ``Report`` that
it was given. A process or namespace that vanished meanwhile is normal, and silent. The text of a ``Problem`` holds no
number that changes with each reading, so equal problems of many namespaces can be merged by value; a malformed line is
the exception.
"""

import os
from collections.abc import Callable

from tfotop.sample import Problem

Report = Callable[[Problem], None]

SHOWN_BYTES = 80
MOST_DIGITS = 20


def malformed(source: str, number: int, line: bytes) -> Problem:
    """What to report for line ``number`` (from 1) of ``source``, with its first bytes made printable."""
    return Problem(source=source, text=f"line {number} is malformed: {line[:SHOWN_BYTES]!r}")


def is_number(field: bytes) -> bool:
    """Whether ``field`` is a whole number of at most 64 bits, as the kernel prints them."""
    return field.isdigit() and len(field) <= MOST_DIGITS


def read_file(path: str) -> bytes:
    """All bytes of a file below /proc, through a bare descriptor: quicker than ``open``. Raises ``OSError``."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)
