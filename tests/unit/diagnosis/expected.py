"""What each recorded scenario of tests/scenarios/doctor must lead to."""

from typing import Final, NamedTuple


class Row(NamedTuple):
    """What a scenario leads to; the cause and the fix (configuration, command or words) begin like that."""

    scenario: str
    id: str
    severity: str
    role: str | None
    tier: int
    cause: str
    fix: str | None


EXPECTED: Final = [
    Row(
        "totals_differ", "totals_differ", "unsure", None, 2,
        "totals and kernel differ: TCPFastOpenPassive +5, tfotop +3",
        None,
    ),
    Row(
        "server_bit_off", "server_bit_off", "broken", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        "sysctl -w net.ipv4.tcp_fastopen=1027",
    ),
    Row(
        "server_bit_off_in_web", "server_bit_off", "broken", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=2",
    ),
    Row(
        "server_bit_off_asked", "server_bit_off", "broken", "server", 1,
        "cookies are asked for, but the server bit",
        "sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "server_bit_off_unasked", "server_bit_off", "broken", "server", 1,
        "nginx[812] listens on port 443 with a Fast Open",
        "sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "server_bit_was_off", "server_bit_off", "past", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        None,
    ),
    Row(
        "namespace_default", "namespace_default", "broken", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "namespace_default_unasked", "namespace_default", "advice", "server", 1,
        "net.ipv4.tcp_fastopen is the default 1 in",
        "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "client_bit_off", "client_bit_off", "broken", "client", 0,
        "the client bit 0x1 of net.ipv4.tcp_fastopen is off",
        "sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "client_bit_off_unasked", "client_bit_off", "advice", "client", 2,
        "the client bit 0x1 of",
        "sysctl -w net.ipv4.tcp",
    ),
    Row(
        "no_queue", "no_queue", "broken", "server", 2,
        "4 handshakes (1/s): the listener has no Fast Open queue (nginx[812],",
        "nginx.conf, in the server block: listen [::]:443 fastopen=256;",
    ),
    Row(
        "no_queue_asked", "no_queue", "broken", "server", 1,
        "cookies are asked for, but no listener has a Fast Open queue",
        "in the program, before listen(): setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN",
    ),
    Row(
        "no_queue_which", "no_queue", "broken", "server", 1,
        "cookies are asked for, but no listener",
        "nginx.conf",
    ),
    Row(
        "listened_before_0x400", "listened_before_0x400", "broken", "server", 1,
        "a listener has no Fast Open queue, although",
        "systemctl restart nginx",
    ),
    Row(
        'no_key', 'no_key', 'broken', 'server', 2,
        '4 handshakes (1/s): there is no Fast Open key',
        'sh -c "od -An -tx4 -N16',
    ),
    Row(
        'no_key_unasked', 'no_key', 'broken', 'server', 1,
        'there is no Fast Open key',
        'sh -c "od -An -tx4 -N16',
    ),
    Row(
        "accept_queue_full", "accept_queue_full", "broken", "server", 2,
        "4 handshakes (1/s): the accept queue of port 443",
        "a faster accept()",
    ),
    Row(
        "accept_queue_full_counted", "accept_queue_full", "broken", "server", 0,
        "the accept queue of port 443 is full",
        "a faster accept()",
    ),
    Row(
        "syn_queue_full", "syn_queue_full", "broken", "server", 2,
        "4 handshakes (1/s): half-open connections fill the SYN queue of a listener",
        "sysctl -w net.ipv4.tcp_syncookies=1",
    ),
    Row(
        "syn_queue_full_counted", "syn_queue_full", "broken", "server", 0,
        "half-open connections fill the SYN queue of a listener",
        "sysctl -w net.ipv4.tcp_syncookies=1",
    ),
    Row(
        "syn_flood", "syn_flood", "degraded", "server", 2,
        "810 handshakes (270/s): no ACK follows the SYN to port 443: a SYN flood",
        "stop it upstream",
    ),
    Row(
        "queue_full", "queue_full", "degraded", "server", 2,
        "4 handshakes (1/s): the Fast Open queue of port 443 (nginx[812]) is full (max_qlen 16)",
        "nginx.conf, in the server block: listen [::]:443 fastopen=256;",
    ),
    Row(
        "queue_full_counted", "queue_full", "degraded", "server", 1,
        "the Fast Open queue of port 443 (nginx[812]) is full (max_qlen 16)",
        "nginx.conf",
    ),
    Row(
        "queue_capped", "queue_capped", "degraded", "server", 1,
        "the Fast Open queue of port 443 (nginx[812]) is full (max_qlen 16, capped at",
        "sysctl -w net.core.somaxconn=4096",
    ),
    Row(
        "queue_small", "queue_small", "degraded", "server", 2,
        "the Fast Open queue of port 443 (16) is too small for the rate: peaks need abo",
        "nginx.conf",
    ),
    Row(
        "keys_differ_siblings", "keys_differ_siblings", "degraded", "server", 1,
        "2 sockets share port 443 (SO_REUSEPORT), but have 2 different keys",
        "in the program: give each of the sockets the same key",
    ),
    Row(
        "keys_differ_namespaces", "keys_differ_namespaces", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: network namespace web serves the same clients",
        "ip netns exec web cat /proc/sys/net/ipv4/tcp_fastopen_key | tee ",
    ),
    Row(
        "keys_differ_servers", "keys_differ_servers", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: rejected right after a grant",
        "do all servers behind this address share one key?",
    ),
    Row(
        "keys_differ_servers_proved", "keys_differ_servers", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: rejected right after a grant",
        "do all servers behind this address share one key?",
    ),
    Row(
        "key_rotated", "key_rotated", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: the key was rotated",
        "write NEWKEY,OLDKEY",
    ),
    Row(
        "key_rotated_by_peers", "key_rotated", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: the key was rotated",
        "write NEWKEY,OLDKEY",
    ),
    Row(
        "client_address_changes", "client_address_changes", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: clients in 198.51.100.0/24 come from changing",
        "nothing on this server",
    ),
    Row(
        "bad_cookie", "bad_cookie", "degraded", "server", 2,
        "1 handshake (<1/s): bad cookie: made with another key",
        "do all",
    ),
    Row(
        "without_btf", "bad_cookie", "degraded", "server", 2,
        "4 handshakes (1/s): bad cookie: made with another key",
        "do all",
    ),
    Row(
        "failed_child", "failed_child", "degraded", "server", 2,
        "4 handshakes (1/s): the cookie was valid, but no socket",
        "look for memory pressure",
    ),
    Row(
        "rejected_unknown", "rejected_unknown", "degraded", "server", 0,
        "cookies are rejected: another key, a changed",
        "eBPF tells which",
    ),
    Row(
        'syn_cookies', 'syn_cookies', 'degraded', 'server', 2,
        "4 handshakes (1/s): SYN cookies are in force: a listener's",
        'a larger backlog',
    ),
    Row(
        "syn_cookies_always", "syn_cookies", "broken", "server", 0,
        "SYN cookies are in force by setting",
        "sysctl -w net.ipv4.tcp_syncookies=1",
    ),
    Row(
        'syn_cookies_counted', 'syn_cookies', 'degraded', 'server', 0,
        "SYN cookies are in force: a listener's",
        'a larger',
    ),
    Row(
        "blackhole", "blackhole", "broken", "client", 2,
        "7 handshakes (2/s): blackhole protection has disabled Fast Open here for at mo",
        "sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=600",
    ),
    Row(
        "blackhole_counted", "blackhole", "broken", "client", 0,
        "blackhole protection has disabled Fast Open here for at most 1200 s more",
        "sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=600",
    ),
    Row(
        "syn_dropped", "syn_dropped", "degraded", "client", 2,
        "2 handshakes (<1/s): SYNs with the option are dropped on the way to 192.0.2.76",
        "look for a middlebox",
    ),
    Row(
        "syn_reset", "syn_reset", "broken", "client", 2,
        "3 handshakes (1/s): SYNs with the option to 192.0.2.77:443 are reset, those without it are answered",
        "look for a filter",
    ),
    Row(
        "option_stripped", "option_stripped", "degraded", "server", 2,
        "4 handshakes (1/s): the SYN brings data and no cookie: a middlebox takes",
        "look for a middlebox between",
    ),
    Row(
        "unanswered", "unanswered", "degraded", "client", 2,
        "4 handshakes (1/s): no answer from 192.0.2.77:443, nor to the SYN that is sent again without",
        "it is not Fast Open",
    ),
    Row(
        "syn_dropped_everywhere", "syn_dropped", "degraded", "client", 2,
        "2 handshakes (<1/s): SYNs with the option are dropped on the way to peers in m",
        "look for a middlebox",
    ),
    Row(
        "syn_drops_cached", "syn_drops_cached", "degraded", "client", 0,
        "the last SYN with data to 1 destination (192.0.2.77)",
        "ip tcp_metrics delete 192.0.2.77",
    ),
    Row(
        "data_not_acked", "data_not_acked", "degraded", "client", 2,
        "4 handshakes (1/s): the server does not take the SYN data",
        "run tfotop on the server",
    ),
    Row(
        "many_keys_of_a_server", "keys_differ_servers", "degraded", "client", 2,
        "4 handshakes (1/s): 192.0.2.77:443 gives a new cookie and rejects it again",
        "the servers behind this address need one key",
    ),
    Row(
        "none_granted", "none_granted", "degraded", "client", 2,
        "4 handshakes (1/s): the server grants no cookie",
        "run tfotop on",
    ),
    Row(
        'client_failed_unknown', 'client_failed_unknown', 'degraded', 'client', 0,
        "Fast Open of this host's own connections fails: the server does not take",
        'run `tfotop doctor` on the server',
    ),
    Row(
        'client_failed_lost', 'client_failed_unknown', 'degraded', 'client', 0,
        "Fast Open of this host's own connections fails: the SYN with data is dropped",
        'run `tfotop doctor` on the server',
    ),
    Row(
        "cookies_never_used", "cookies_never_used", "degraded", "server", 2,
        "a peer asks for a cookie at every visit and never",
        "run `tfotop doctor` on such a client",
    ),
    Row(
        "cookies_used_no_more", "cookies_never_used", "advice", "server", 2,
        "a peer got a cookie and came without it since",
        "run `tfotop doctor` on such a client",
    ),
    Row(
        "cookies_never_used_counted", "cookies_never_used", "degraded", "server", 0,
        "cookies are asked for, but no SYN ever",
        "run `tfotop doctor` on such a client",
    ),
    Row(
        "backup_key", "backup_key", "advice", "server", 2,
        "a key rotation is under way: 12 handshakes of 400 accepted (3 %)",
        None,
    ),
    Row(
        'backup_key_spent', 'backup_key', 'advice', 'server', 2,
        'a key rotation is under way: nobody used the backup',
        "sh -c 'key=$(cut -d, -f1 /proc/sys/net/ipv4/tcp_fastopen_key)",
    ),
    Row(
        "proxy_leg", "proxy_leg", "advice", "client", 2,
        "haproxy takes Fast Open from its clients, but connects onward without",
        "haproxy.cfg, in the backend: server NAME ADDRESS:PORT tfo",
    ),
    Row(
        "cookie_unused", "cookie_unused", "advice", "client", 2,
        "8 connections of curl went without Fast Open although",
        "curl --tcp-fastopen",
    ),
]  # fmt: skip
QUIET: Final = [
    "healthy",
    "busy_without_fast_open",
    "busy_without_fast_open_or_ebpf",
    "always_asking_programs",
    "loopback_only",
    "closed_port",
    "restarted",
    "slower_family",
    "forged_syn",
]
