"""The sensor's own C, compiled for this machine and called from Python: a test compares, no comment has to remind.

Needs a C compiler and nothing else: no headers of the C library, none of the kernel.
"""

import ctypes as C
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

BPF: Final = Path(__file__).parents[2] / "bpf"
COMPILERS: Final = ("cc", "gcc", "clang")
FLAGS: Final = ("-std=gnu11", "-O1", "-shared", "-fPIC", "-ffreestanding", "-nostdlib", "-nostdinc", "-Wno-attributes")

SECRETS: Final = (0x0123456789ABCDEF, 0x7EDCBA9876543210)

# What bcc and the kernel provide: a packet is its bytes, and reading beyond them fails as in the kernel.
PRELUDE: Final = f"""
#include "linux/types.h"
#include "handshake.h"
#define COOKIE_SECRET_0 {SECRETS[0]}ULL
#define COOKIE_SECRET_1 {SECRETS[1]}ULL
#define swapped(bits, x) (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (x) : __builtin_bswap##bits(x))
#define bpf_ntohs(x) swapped(16, x)
#define bpf_ntohl(x) swapped(32, x)
struct __sk_buff {{ u32 len; u64 data, data_end; u32 cb[5]; const u8 *bytes; }};
static int bpf_skb_load_bytes(const struct __sk_buff *skb, u32 at, void *to, u32 size)
{{
	if (size > skb->len || at > skb->len - size)
		return -1;
	for (u32 i = 0; i < size; i++)
		((u8 *)to)[i] = skb->bytes[at + i];
	return 0;
}}
#include "packet.h"
static u32 bpf_log2(u32 x) {{ return 31 - __builtin_clz(x); }}
"""


class Packet(C.Structure):
    """PRELUDE's struct __sk_buff."""

    _fields_ = [
        ("len", C.c_uint32),
        ("data", C.c_uint64),
        ("data_end", C.c_uint64),
        ("cb", C.c_uint32 * 5),
        ("bytes", C.c_char_p),
    ]

    @classmethod
    def of(cls, content: bytes, in_place: int = 0) -> "Packet":
        """``in_place``: so many bytes can be read where they lie, the others only with bpf_skb_load_bytes."""
        made = cls(len=len(content), bytes=content)
        made.data = C.cast(C.c_char_p(content), C.c_void_p).value or 0
        made.data_end = made.data + min(in_place, len(content))
        return made


def function(header: str, name: str) -> str:
    """One function of a header whose maps only bcc understands."""
    found = re.search(rf"^static [^\n]*\b{name}\([^{{]*\n\{{\n.*?^\}}\n", (BPF / header).read_text(), re.M | re.S)
    assert found, f"{header} has no function {name}"
    return found[0]


def cannot(reason: str) -> None:
    """A failure under CI=true, skipped on a developer's machine."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def build(directory: Path, source: str) -> C.CDLL:
    """PRELUDE and ``source`` as a library. What the compiler says of an error is the failure of the test."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        cannot(f"comparing the C source with Python needs a C compiler ({', '.join(COMPILERS)})")
    code, library = directory / "native.c", directory / "native.so"
    code.write_text(PRELUDE + source)
    command = [str(compiler), *FLAGS, f"-I{BPF}", f"-I{BPF / 'include'}", "-o", str(library), str(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return C.CDLL(str(library))
