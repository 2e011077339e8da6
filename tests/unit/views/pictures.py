"""Handshakes and the pictures that the ladder makes of them."""

from typing import Any, Final

from tests.scenarios.build import handshake
from tfotop.sample import Handshake

NORMAL: Final = 76
LARGE: Final = 116
COOKIE: Final = {"option": "standard", "cookie_len": 8, "cookie_id": "5e1f"}
HIT: Final = {**COOKIE, "syn_data_bytes": 214}
NEW: Final = {"new_cookie_len": 8, "new_cookie_id": "77aa"}


def at_server(**given: Any) -> Handshake:
    """22 ms away, with its ACK and a request after that."""
    seen: dict[str, Any] = {"synack_us": 21, "ack_us": 22_121, "handshake_rtt_us": 22_100, "first_byte_us": 22_580}
    ends = {"local": "10.0.0.2:443", "peer": "10.0.0.1:51234", "comm": "nginx", "pid": 812}
    return handshake(**{"role": "server", **ends, "qlen": 0, "max_qlen": 16, "tcp_fastopen": 3, **seen, **given})


def at_client(**given: Any) -> Handshake:
    """22 ms away, with its response."""
    seen: dict[str, Any] = {"synack_us": 22_100, "handshake_rtt_us": 22_100, "first_byte_us": 22_900}
    ends = {"local": "10.0.0.1:51234", "peer": "10.0.0.2:443", "comm": "curl", "pid": 4711}
    return handshake(**{"role": "client", **ends, **seen, **given})


UNSEEN: Final = {"synack_us": None, "handshake_rtt_us": None, "first_byte_us": None}
FIRST_CONTACT: Final = at_client(
    outcome="cookie_granted",
    reason="no_cookie_cached",
    option="standard",
    cookie_len=0,
    new_cookie_len=8,
    new_cookie_id="5e1f",
    syn_data_acked_bytes=0,
    first_byte_us=45_600,
)
BAD_COOKIE: Final = at_server(outcome="rejected", reason="bad_cookie", **HIT, **NEW, syn_data_acked_bytes=0)
LOST: Final = at_client(
    outcome="lost",
    reason="syn_dropped",
    **HIT,
    syn_data_acked_bytes=0,
    syn_retransmits=1,
    last_syn_us=1_031_040,
    synack_us=1_053_140,
    first_byte_us=1_075_300,
)
PICTURES: Final = {
    "first contact": (
        FIRST_CONTACT,
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  cookie granted: no cookie cached yet
seen from the client
      ms  client curl[4711]                                           server
    0.00  │── SYN  cookie request ────────────────────────────────────────►│
   22.10  │◄─ SYN-ACK  new cookie 8 B 5e1f ────────────────────────────────│
   45.60  │◄─ response  first byte ────────────────────────────────────────│
cookie granted: no cookie cached yet  (the next SYN can carry data)
handshake RTT 22.10 ms  first byte 45.60 ms
""",
    ),
    "hit": (
        at_server(outcome="accepted", **HIT, syn_data_acked_bytes=214, first_byte_us=0),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  accepted  seen from the server
      ms  client                                           nginx[812] server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B: the request ──────────────►│
    0.02  │◄─ SYN-ACK  data acked 214 of 214 B ────────────────────────────│
   22.12  │── ACK ────────────────────────────────────────────────────────►│
accepted  (the server took the data in the SYN)
handshake RTT 22.10 ms  first byte 0.00 ms (in the SYN)
Fast Open queue 0 of 16  tcp_fastopen 0x3
""",
    ),
    "backup key": (
        at_client(outcome="accepted", variant="backup_key", **HIT, **NEW, syn_data_acked_bytes=214),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  accepted (backup key)
seen from the client
      ms  client curl[4711]                                           server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B ───────────────────────────►│
   22.10  │◄─ SYN-ACK  new cookie 8 B 77aa  data acked 214 of 214 B ───────│
   22.90  │◄─ response  first byte ────────────────────────────────────────│
accepted (backup key)  (the server took the data in the SYN)
handshake RTT 22.10 ms  first byte 22.90 ms
""",
    ),
    "bad cookie": (
        BAD_COOKIE,
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  rejected: bad cookie
seen from the server
      ms  client                                           nginx[812] server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B ───────────────────────────►│
    0.02  │◄─ SYN-ACK  new cookie 8 B 77aa  data not acked ────────────────│
   22.12  │── ACK ────────────────────────────────────────────────────────►│
   22.58  │── request  first byte ────────────────────────────────────────►│
rejected: bad cookie  (the data has to be sent again)
handshake RTT 22.10 ms  first byte 22.58 ms  Fast Open queue 0 of 16
tcp_fastopen 0x3
""",
    ),
    "server bit off": (
        at_server(
            outcome="cookie_refused",
            reason="server_bit_off",
            option="experimental",
            cookie_len=0,
            tcp_fastopen=1,
            syn_data_acked_bytes=0,
            first_byte_us=22_121,
        ),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  cookie refused: server bit 0x2 off
seen from the server
      ms  client                                           nginx[812] server
    0.00  │── SYN  cookie request (option 254) ───────────────────────────►│
    0.02  │◄─ SYN-ACK  no cookie ──────────────────────────────────────────│
   22.12  │── ACK  request  first byte ───────────────────────────────────►│
cookie refused: server bit 0x2 off  (a cookie was asked for, none came)
handshake RTT 22.10 ms  first byte 22.12 ms  Fast Open queue 0 of 16
tcp_fastopen 0x1
""",
    ),
    "lost": (
        LOST,
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  lost: SYN dropped on the way
seen from the client
      ms  client curl[4711]                                           server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B ───────────────────────────►│
 1031.04  │── SYN again ──────────────────────────────────────────────────►│
 1053.14  │◄─ SYN-ACK  data not acked ─────────────────────────────────────│
 1075.30  │◄─ response  first byte ────────────────────────────────────────│
lost: SYN dropped on the way  (no answer to the first SYN)
handshake RTT 22.10 ms  first byte 1075.30 ms
""",
    ),
    "unanswered": (
        at_client(outcome="unanswered", **HIT, **UNSEEN, syn_retransmits=3, last_syn_us=7_012_000),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  unanswered  seen from the client
      ms  client curl[4711]                                           server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B ───────────────────────────►│
 7012.00  │── SYN again  the last of 3 ───────────────────────────────────►│
unanswered  (no SYN-ACK was seen)
handshake RTT - ms  first byte - ms
""",
    ),
    "reset": (
        at_client(outcome="reset", reason="reset", **HIT, **UNSEEN),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  reset: reset by the peer
seen from the client
      ms  client curl[4711]                                           server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B ───────────────────────────►│
       -  │◄─ RST ─────────────────────────────────────────────────────────│
reset: reset by the peer  (a RST came instead of a SYN-ACK)
handshake RTT - ms  first byte - ms
""",
    ),
    "plain": (
        at_client(outcome="plain", reason="client_bit_off", tcp_fastopen=2, comm=None, pid=None),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  plain: client bit 0x1 off
seen from the client
      ms  client                                                      server
    0.00  │── SYN  no option ─────────────────────────────────────────────►│
   22.10  │◄─ SYN-ACK ─────────────────────────────────────────────────────│
   22.90  │◄─ response  first byte ────────────────────────────────────────│
plain: client bit 0x1 off  (no Fast Open in the SYN)
handshake RTT 22.10 ms  first byte 22.90 ms  tcp_fastopen 0x2
""",
    ),
    "no cookie": (
        at_server(
            outcome="accepted",
            variant="no_cookie",
            syn_data_bytes=1460,
            syn_data_acked_bytes=1460,
            first_byte_us=0,
            qlen=None,
            max_qlen=None,
            tcp_fastopen=0x203,
        ),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  accepted (no cookie)
seen from the server
      ms  client                                           nginx[812] server
    0.00  │── SYN  no option  data 1460 B: the request ───────────────────►│
    0.02  │◄─ SYN-ACK  data acked 1460 of 1460 B ──────────────────────────│
   22.12  │── ACK ────────────────────────────────────────────────────────►│
accepted (no cookie)  (the server took the data in the SYN)
handshake RTT 22.10 ms  first byte 0.00 ms (in the SYN)  tcp_fastopen 0x203
""",
    ),
    "SYN cookies": (
        at_server(outcome="rejected", reason="syn_cookies", **HIT, **UNSEEN, ack_us=None),
        """
client 10.0.0.1:51234 -> 10.0.0.2:443  rejected: SYN cookies in force
seen from the server
      ms  client                                           nginx[812] server
    0.00  │── SYN  cookie 8 B 5e1f  data 214 B ───────────────────────────►│
rejected: SYN cookies in force
(no socket sends the SYN-ACK: it cannot be seen)
handshake RTT - ms  first byte - ms  Fast Open queue 0 of 16
tcp_fastopen 0x3
""",
    ),
}
