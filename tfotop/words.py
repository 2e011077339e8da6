"""The words of tfotop: one identifier per thing, the same in C, JSON, the screen and the tests.

The order of each tuple is the numbering in ``bpf/handshake.h``; a test compares the two.
"""

from typing import Final

ROLES: Final = ("client", "server")

OUTCOMES: Final = (
    "plain",
    "cookie_granted",
    "cookie_refused",
    "accepted",
    "rejected",
    "lost",
    "unanswered",
    "reset",
)

VARIANTS: Final = (None, "no_cookie", "backup_key")

OPTIONS: Final = (None, "standard", "experimental")

REASONS: Final = (
    None,
    "syn_cookies",
    "accept_queue_full",
    "syn_queue_full",
    "server_bit_off",
    "no_queue",
    "queue_full",
    "no_key",
    "bad_cookie",
    "failed_child",
    "no_data_no_cookie",
    "client_bit_off",
    "no_cookie_cached",
    "none_granted",
    "data_not_acked",
    "syn_dropped",
    "blackhole",
    "icmp_unreachable",
    "reset",
)

REASON_WORDS: Final = {
    "syn_cookies": "SYN cookies in force",
    "accept_queue_full": "accept queue full",
    "syn_queue_full": "SYN queue full, SYN cookies off",
    "server_bit_off": "server bit 0x2 off",
    "no_queue": "listener has no Fast Open queue",
    "queue_full": "Fast Open queue full",
    "no_key": "no key",
    "bad_cookie": "bad cookie",
    "failed_child": "cookie valid, no socket made",
    "no_data_no_cookie": "SYN data without a cookie",
    "client_bit_off": "client bit 0x1 off",
    "no_cookie_cached": "no cookie cached yet",
    "none_granted": "server granted no cookie",
    "data_not_acked": "SYN data not acknowledged",
    "syn_dropped": "SYN dropped on the way",
    "blackhole": "blackhole protection active",
    "icmp_unreachable": "ICMP unreachable",
    "reset": "reset by the peer",
}

# The bits of net.ipv4.tcp_fastopen (include/net/tcp.h, TFO_*).
CLIENT_BIT: Final = 0x1
SERVER_BIT: Final = 0x2
CLIENT_NO_COOKIE_BIT: Final = 0x4
SERVER_NO_COOKIE_BIT: Final = 0x200
SERVER_WITHOUT_SOCKOPT_BIT: Final = 0x400
