"""Byte offsets of kernel struct members, read from the running kernel's BTF through libbpf (about 20 ms).

BTF: Documentation/bpf/btf.rst in the kernel. Only libbpf's reading functions are used, present since 0.5.
"""

import ctypes as C
from typing import Final, NamedTuple

from tfotop.sources.libbpf import Libbpf

STRUCT, UNION, POINTER, INT = 4, 5, 2, 1
MODIFIERS: Final = {8, 9, 10, 11, 18}  # typedef, volatile, const, restrict, type tag
C_TYPES: Final = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}
POINTER_TYPE: Final = "void *"

# name in bpf/kernel_state.h -> (struct, member path)
MEMBERS: Final = {
    "NET": ("sock_common", "skc_net.net"),
    "NET_COOKIE": ("net", "net_cookie"),
    "INUM": ("net", "ns.inum"),
    "TCP_FASTOPEN": ("net", "ipv4.sysctl_tcp_fastopen"),
    "SYNCOOKIES": ("net", "ipv4.sysctl_tcp_syncookies"),
    "MAX_SYN_BACKLOG": ("net", "ipv4.sysctl_max_syn_backlog"),
    "NET_CTX": ("net", "ipv4.tcp_fastopen_ctx"),
    "DISABLE_TIMES": ("net", "ipv4.tfo_active_disable_times.counter"),
    "QLEN": ("inet_connection_sock", "icsk_accept_queue.fastopenq.qlen"),
    "MAX_QLEN": ("inet_connection_sock", "icsk_accept_queue.fastopenq.max_qlen"),
    "CTX": ("inet_connection_sock", "icsk_accept_queue.fastopenq.ctx"),
    "REQUEST_QLEN": ("inet_connection_sock", "icsk_accept_queue.qlen.counter"),
    "ACCEPT_QLEN": ("sock", "sk_ack_backlog"),
    "BACKLOG": ("sock", "sk_max_ack_backlog"),
    "REQUEST_ISN": ("tcp_request_sock", "snt_isn"),
    "FASTOPEN_REQ": ("tcp_sock", "fastopen_req"),
}


class Member(NamedTuple):
    """Where a member stands, in bytes from the start of the outermost struct, and its type for the C side."""

    offset: int
    c_type: str


class Btf:
    """The running kernel's types. Raises OSError when the kernel has no BTF (/sys/kernel/btf/vmlinux)."""

    def __init__(self, libbpf: Libbpf) -> None:
        self._lib = libbpf.lib
        self._btf = self._lib.btf__load_vmlinux_btf()
        if not self._btf or self._btf > 2**64 - 4096:
            raise OSError("the kernel has no BTF (/sys/kernel/btf/vmlinux)")

    def find(self, struct: str, path: str) -> Member:
        """The dotted member ``path`` of ``struct``. Raises KeyError with the part that is missing."""
        type_id, bits = self._lib.btf__find_by_name_kind(self._btf, struct.encode(), STRUCT), 0
        if type_id < 0:
            raise KeyError(f"struct {struct}")
        for name in path.split("."):
            found = self._member(type_id, name)
            if found is None:
                raise KeyError(f"{struct}.{path}: {name}")
            type_id, bits = found[0], bits + found[1]
        return Member(bits // 8, self._c_type(type_id))

    def offsets(self) -> dict[str, Member]:
        """Every member that the sensor reads."""
        return {name: self.find(struct, path) for name, (struct, path) in MEMBERS.items()}

    def _header(self, type_id: int) -> tuple[int, int, int]:
        """Name offset, info and size-or-type of a type, modifiers skipped (struct btf_type)."""
        while True:
            _name, info, size = C.cast(self._lib.btf__type_by_id(self._btf, type_id), C.POINTER(C.c_uint32 * 3))[0]
            if info >> 24 & 31 not in MODIFIERS:
                return type_id, info, size
            type_id = size

    def _member(self, type_id: int, name: str) -> tuple[int, int] | None:
        """Type and offset in bits of a member, looked for inside anonymous structs and unions too."""
        type_id, info, _ = self._header(type_id)
        if info >> 24 & 31 not in (STRUCT, UNION):
            return None
        address = C.cast(self._lib.btf__type_by_id(self._btf, type_id), C.c_void_p).value or 0
        rows = (C.c_uint32 * (3 * (info & 0xFFFF))).from_address(address + 12)
        for i in range(info & 0xFFFF):
            name_off, member_type, bits = rows[3 * i : 3 * i + 3]
            bits = bits & 0xFFFFFF if info >> 31 else bits  # the upper byte is the size of a bit field
            label = self._lib.btf__name_by_offset(self._btf, name_off)
            if label == name.encode():
                return member_type, bits
            inner = None if label else self._member(member_type, name)
            if inner:
                return inner[0], inner[1] + bits
        return None

    def _c_type(self, type_id: int) -> str:
        type_id, info, size = self._header(type_id)
        kind = info >> 24 & 31
        if kind == POINTER:
            return POINTER_TYPE
        if kind == INT and size in C_TYPES:
            return C_TYPES[size]
        raise KeyError(f"type {type_id} is neither an integer nor a pointer")
