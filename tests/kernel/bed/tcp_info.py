"""The few fields of `struct tcp_info` (include/uapi/linux/tcp.h) that Fast Open sets, read from a socket."""

import socket
import sys
from typing import NamedTuple, Self

TCP_INFO = 11
ESTABLISHED, SYN_SENT, SYN_RECV, CLOSE, LISTEN = 1, 2, 3, 7, 10
SYN_DATA = 32  # TCPI_OPT_SYN_DATA: the SYN-ACK acknowledged data of the SYN
TFO_CHILD = 128  # TCPI_OPT_TFO_CHILD, since Linux 6.17
# enum tcp_fastopen_client_fail
CLIENT_FAIL = ("unspec", "cookie_unavailable", "data_not_acked", "syn_retransmitted")


class TcpInfo(NamedTuple):
    state: int
    options: int
    client_fail: str
    retransmits: int
    rtt_us: int

    @classmethod
    def of(cls, sock: socket.socket) -> Self:
        raw = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)
        # Byte 7 is the bit field delivery_rate_app_limited:1, fastopen_client_fail:2 (from the low end on x86 and arm).
        rtt_us, retransmits = (int.from_bytes(raw[at : at + 4], sys.byteorder) for at in (68, 100))
        return cls(raw[0], raw[5], CLIENT_FAIL[raw[7] >> 1 & 3], retransmits, rtt_us)

    @property
    def syn_data_acked(self) -> bool:
        return bool(self.options & SYN_DATA)
