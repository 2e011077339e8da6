"""Netlink dumps as a stream over one buffer (include/uapi/linux/netlink.h): what sock_diag and tcp_metrics share.

pyroute2 collects a whole dump before it gives the first message, each a tree of objects of a few kilobytes; a host with
100,000 sockets would pay half a gigabyte for it. A socket shows the namespace that it was opened in, and is closed when
the dump ends, so that it keeps no namespace alive.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST_DUMP: Final = 0x301
NLM_F_REQUEST_ACK: Final = 0x5
NLA_TYPE_MASK: Final = 0x3FFF
BUFFER_BYTES: Final = 1 << 18  # the kernel fills at most 32 KiB at a time (net/netlink/af_netlink.c, netlink_dump)

# length, type, flags, sequence number, port
HEADER = struct.Struct("=IHHII")
# length, type
ATTRIBUTE = struct.Struct("=HH")
GENERIC_HEADER = struct.Struct("=BBH")

NETLINK_ROUTE: Final = 0
NETLINK_GENERIC: Final = 16
GENL_ID_CTRL: Final = 16
CTRL_CMD_GETFAMILY: Final = 3
CTRL_ATTR_FAMILY_ID: Final = 1
CTRL_ATTR_FAMILY_NAME: Final = 2


def dump(protocol: int, kind: int, request: bytes) -> Iterator[tuple[bytearray, int, int]]:
    """Each message of a dump: buffer, start and length, header included. Raises ``OSError`` if the kernel refuses.

    One buffer serves them all: what lies in it holds until the next step.
    """
    buffer = bytearray(BUFFER_BYTES)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as netlink:
        netlink.send(HEADER.pack(HEADER.size + len(request), kind, NLM_F_REQUEST_DUMP, 0, 0) + request)
        while True:
            size = netlink.recv_into(buffer)
            for start, length, its_kind in messages(buffer, size):
                if its_kind in (NLMSG_ERROR, NLMSG_DONE):
                    _stop(buffer, start, length)
                    return
                if its_kind == kind:
                    yield buffer, start, length


def ask(protocol: int, kind: int, request: bytes) -> list[bytes]:
    """What the kernel answers to one request that is no dump, headers included. Raises ``OSError`` if it refuses."""
    buffer, answers = bytearray(BUFFER_BYTES), list[bytes]()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as netlink:
        netlink.send(HEADER.pack(HEADER.size + len(request), kind, NLM_F_REQUEST_ACK, 0, 0) + request)
        while True:
            size = netlink.recv_into(buffer)
            for start, length, its_kind in messages(buffer, size):
                if its_kind == NLMSG_ERROR:  # number 0: done
                    _stop(buffer, start, length)
                    return answers
                answers.append(bytes(buffer[start : start + length]))


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def messages(buffer: bytearray, size: int) -> Iterator[tuple[int, int, int]]:
    """Start, length and type of each message in the first ``size`` bytes; stops at one that does not fit."""
    start = 0
    while start + HEADER.size <= size:
        length, kind, *_ = HEADER.unpack_from(buffer, start)
        if length < HEADER.size or start + length > size:
            return
        yield start, length, kind
        start += (length + 3) & ~3


def attributes(buffer: bytes | bytearray, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of each attribute's payload between ``start`` and ``end``; stops at one that does not fit."""
    while start + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(buffer, start)
        if length < ATTRIBUTE.size or start + length > end:
            return
        yield kind & NLA_TYPE_MASK, start + ATTRIBUTE.size, start + length
        start += (length + 3) & ~3


def generic_family(name: str) -> int | None:
    """The number that the generic netlink family ``name`` has on this kernel (net/netlink/genetlink.c)."""
    wanted = name.encode() + b"\0"
    number = None
    for buffer, start, length in dump(NETLINK_GENERIC, GENL_ID_CTRL, GENERIC_HEADER.pack(CTRL_CMD_GETFAMILY, 1, 0)):
        first = start + HEADER.size + GENERIC_HEADER.size
        found = {kind: bytes(buffer[at:end]) for kind, at, end in attributes(buffer, first, start + length)}
        if found.get(CTRL_ATTR_FAMILY_NAME) == wanted:
            number = int.from_bytes(found[CTRL_ATTR_FAMILY_ID], sys.byteorder)
    return number


def _stop(buffer: bytearray, start: int, length: int) -> None:
    """The last message of a dump: raise ``OSError`` if it carries an error number."""
    if length >= HEADER.size + 4:
        (number,) = struct.unpack_from("=i", buffer, start + HEADER.size)
        if number < 0:
            raise OSError(-number, os.strerror(-number))
