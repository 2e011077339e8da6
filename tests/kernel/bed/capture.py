"""Every packet of a device in a pcap file, and what tshark says of its SYNs: the oracle for options on the wire."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .namespaces import Namespace, command

ETH_P_ALL = 3
STANDARD, EXPERIMENTAL = 34, 254

FIELDS = (
    "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "tcp.stream",
    "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.reset", "tcp.len", "tcp.ack", "tcp.option_kind",
    "tcp.options.tfo.cookie", "tcp.options.experimental.exid",
)  # fmt: skip


@dataclass(frozen=True)
class Dissected:
    """A TCP segment in tshark's words. `cookie_len`: None without the option, 0 a request. `ack` is relative."""

    time_s: float
    source: str
    target: str
    sport: int
    dport: int
    stream: int
    syn: bool
    ack_flag: bool
    reset: bool
    payload_bytes: int
    ack: int
    option: str | None  # "standard", "experimental"
    cookie_len: int | None
    cookie: bytes


class Capture:
    """Captures from its making to its closing, no packet missed at either end; tshark only reads the file."""

    def __init__(self, namespace: Namespace, file: Path, device: str = "eth0") -> None:
        self.file = file
        self._sock = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._sock.bind((device, ETH_P_ALL))
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._write, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what has come so far, then stop."""
        if self._thread.is_alive():
            self._wake.send(b"x")
            self._thread.join(5)
            for sock in (self._sock, self._wake, self._woken):
                sock.close()

    def _write(self) -> None:
        with self.file.open("wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))  # nanosecond pcap, Ethernet
            while True:
                ready = select.select([self._sock, self._woken], [], [])[0]
                if self._sock in ready:
                    frame, now = self._sock.recv(65535), time.time_ns()
                    out.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(frame), len(frame)) + frame)
                else:
                    return


@contextmanager
def capturing(namespace: Namespace, file: Path, device: str = "eth0") -> Iterator[Capture]:
    """Capture for the length of a block.

    >>> with capturing(bed.client, bed.path / "first.pcap") as capture:
    ...     exchange(...)
    >>> syn, syn_ack = dissect(capture.file)
    """
    running = namespace.closing(Capture(namespace, file, device))
    try:
        yield running
    finally:
        running.close()


def dissect(file: Path, shown: str = "tcp.flags.syn == 1 || tcp.flags.reset == 1") -> list[Dissected]:
    """The segments of a capture that tshark's display filter `shown` lets through, in order."""
    wanted = [part for field in FIELDS for part in ("-e", field)]
    only = f"({shown}) && !icmp && !icmpv6"  # an ICMP error quotes a segment that is none
    text = command("tshark", "-n", "-r", str(file), "-Y", only, "-T", "fields", "-E", "separator=|", *wanted)
    return [_row(dict(zip(FIELDS, line.split("|"), strict=True))) for line in text.splitlines()]


def _row(field: dict[str, str]) -> Dissected:
    kinds = {int(kind) for kind in field["tcp.option_kind"].split(",") if kind}
    cookie, option = bytes.fromhex(field["tcp.options.tfo.cookie"].replace(":", "")), None
    if STANDARD in kinds:
        option = "standard"
    elif "0xf989" in field["tcp.options.experimental.exid"].lower():
        option = "experimental"
    return Dissected(
        float(field["frame.time_epoch"]), field["ip.src"] or field["ipv6.src"], field["ip.dst"] or field["ipv6.dst"],
        int(field["tcp.srcport"]), int(field["tcp.dstport"]), int(field["tcp.stream"]),
        field["tcp.flags.syn"] in ("1", "True"), field["tcp.flags.ack"] in ("1", "True"),
        field["tcp.flags.reset"] in ("1", "True"), int(field["tcp.len"]), int(field["tcp.ack"]),
        option, len(cookie) if option else None, cookie,
    )  # fmt: skip
