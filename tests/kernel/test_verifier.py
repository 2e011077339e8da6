"""What the compiler complains of, and what the kernel's verifier has to go through: both grow without a sign."""

import ctypes as C
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tfotop.sources.compiler import PROGRAMS, STEPS
from tfotop.sources.handshakes import Starting
from tfotop.sources.libbpf import Libbpf

pytestmark = pytest.mark.sensor

CUT = 15  # BPF_OBJ_NAME_LEN; bpftool prints a whole name where BTF has it
NAMES = {name[:CUT] for name in (*PROGRAMS, *sum(STEPS.values(), ()))}
MOST = 100_000  # of the million that it would take: about 0.1 s


def loaded() -> dict[int, str]:
    """The programs named as ours, whoever loaded them, by id."""
    shown = subprocess.run(["bpftool", "prog", "show", "--json"], capture_output=True, text=True, check=True)
    named = {p["id"]: p.get("name", "")[:CUT] for p in json.loads(shown.stdout)}
    return {number: name for number, name in named.items() if name in NAMES}


@pytest.fixture
def ids() -> Iterator[dict[int, str]]:
    before = loaded()
    sensor = Starting(200).finish()
    try:
        yield {number: name for number, name in loaded().items() if number not in before}
    finally:
        sensor.close()


def test_the_compiler_has_no_complaint() -> None:
    """It only warns when a definition in the source overrides one that user space gives."""
    starting = Starting(200)
    with os.fdopen(os.dup(starting._complaint.fileno())) as complaint:
        starting.finish().close()
        complaint.seek(0)
        assert complaint.read() == ""


def verified(libbpf: Libbpf, number: int) -> int | None:
    """Instructions that the verifier walked (the kernel tells in the fdinfo of a program since 5.16).

    ``None`` for one that is gone: tests beside this one load programs of the same names.
    """
    fd = libbpf.lib.bpf_prog_get_fd_by_id(C.c_uint32(number))
    if fd < 0:
        return None
    try:
        found = re.search(r"^verified_insns:\s*(\d+)", Path(f"/proc/self/fdinfo/{fd}").read_text(), re.MULTILINE)
    finally:
        os.close(fd)
    assert found
    return int(found[1])


def test_no_program_is_long_to_verify(ids: dict[int, str]) -> None:
    libbpf = Libbpf()
    walked = [(name, insns) for number, name in ids.items() if (insns := verified(libbpf, number)) is not None]
    assert {name for name, _ in walked} == NAMES
    assert [(name, insns) for name, insns in walked if insns > MOST] == []
