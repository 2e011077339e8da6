"""TCP segments by hand: any option bytes, IP options, IPv6 extension headers, sound or wrong lengths."""

import ipaddress
import struct
from dataclasses import dataclass, replace
from typing import Self

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FAST_OPEN, EXPERIMENTAL, MAGIC = 34, 254, b"\xf9\x89"  # RFC 7413 section 4.1.1 and appendix A
HOP_BY_HOP, ROUTING, TCP, DESTINATION = 0, 43, 6, 60
MSS = b"\x02\x04\x05\xb4"


def option(kind: int, value: bytes, length: int | None = None) -> bytes:
    """A TCP option; `length` may lie."""
    return bytes((kind, len(value) + 2 if length is None else length)) + value


def fast_open(cookie: bytes = b"") -> bytes:
    """The Fast Open option; empty it is a cookie request."""
    return option(FAST_OPEN, cookie)


def experimental(cookie: bytes = b"") -> bytes:
    return option(EXPERIMENTAL, MAGIC + cookie)


def extension(kind: int, size: int = 8) -> tuple[int, bytes]:
    """An IPv6 extension header of `size` bytes (a multiple of 8), its next header left open.

    Inside is one experimental option to be skipped (0x1e, RFC 4727): Linux drops more than 7 bytes of padding.
    """
    return kind, bytes((0, size // 8 - 1, 0x1E, size - 4)) + bytes(size - 4)


@dataclass(frozen=True)
class Segment:
    """A TCP segment and what surrounds it. Options are padded with zeros to four bytes."""

    sport: int
    dport: int
    flags: int
    seq: int = 0
    ack: int = 0
    options: bytes = b""
    payload: bytes = b""
    window: int = 65535
    data_offset: int | None = None  # in bytes; None: what the options need
    ip_options: bytes = b""  # IPv4 only
    extensions: tuple[tuple[int, bytes], ...] = ()  # IPv6 only, see `extension`
    source: str = ""  # of a received segment
    target: str = ""

    def packet(self, source: str, target: str) -> bytes:
        """The whole IP packet with right checksums."""
        src, dst = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
        tcp = self._tcp(src + dst)
        return self._v6(src, dst, tcp) if len(src) == 16 else self._v4(src, dst, tcp)

    def reply(self, flags: int, **changes: object) -> Self:
        """The next segment in answer to this one: ports swapped, all of it acknowledged."""
        length = len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)
        plain = type(self)(self.dport, self.sport, flags, self.ack, (self.seq + length) % 2**32)
        return replace(plain, **changes)

    def option(self, kind: int) -> bytes | None:
        """The value of the first option of that kind, None if there is none."""
        rest = self.options
        while rest and rest[0] != 0:
            size = 1 if rest[0] == 1 else rest[1] if len(rest) > 1 and rest[1] >= 2 else len(rest)
            if rest[0] == kind:
                return rest[2:size]
            rest = rest[size:]
        return None

    def _tcp(self, addresses: bytes) -> bytes:
        options = self.options.ljust(-(-len(self.options) // 4) * 4, b"\0")
        offset = 20 + len(options) if self.data_offset is None else self.data_offset
        head = struct.pack(
            "!HHIIBBHHH", self.sport, self.dport, self.seq, self.ack, offset // 4 << 4, self.flags, self.window, 0, 0
        )
        tcp = head + options + self.payload
        pseudo = addresses + struct.pack("!II", len(tcp), TCP)  # the same sum as the 12-byte form for IPv4
        return tcp[:16] + checksum(pseudo + tcp) + tcp[18:]

    def _v4(self, src: bytes, dst: bytes, tcp: bytes) -> bytes:
        options = self.ip_options.ljust(-(-len(self.ip_options) // 4) * 4, b"\0")
        size = 20 + len(options)
        fixed = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(tcp), 1, 0x4000, 64, TCP, 0)
        head = fixed + src + dst + options
        return head[:10] + checksum(head) + head[12:] + tcp

    def _v6(self, src: bytes, dst: bytes, tcp: bytes) -> bytes:
        kinds = [kind for kind, _ in self.extensions] + [TCP]
        chain = b"".join(
            bytes((after,)) + body[1:] for after, (_, body) in zip(kinds[1:], self.extensions, strict=True)
        )
        return struct.pack("!IHBB", 6 << 28, len(chain) + len(tcp), kinds[0], 64) + src + dst + chain + tcp


def parse(packet: bytes) -> Segment | None:
    """The TCP segment in an IP packet without IPv6 extension headers; None if there is none."""
    if packet[:1] and packet[0] >> 4 == 4 and packet[9] == TCP:
        src, dst, tcp = packet[12:16], packet[16:20], packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4])]
    elif packet[:1] and packet[0] >> 4 == 6 and packet[6] == TCP:
        src, dst, tcp = packet[8:24], packet[24:40], packet[40 : 40 + int.from_bytes(packet[4:6])]
    else:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
    size = (offset >> 4) * 4
    return Segment(
        sport, dport, flags, seq, ack, tcp[20:size], tcp[size:], window,
        source=str(ipaddress.ip_address(src)), target=str(ipaddress.ip_address(dst)),
    )  # fmt: skip


def checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071), as two bytes."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF).to_bytes(2, "big")
