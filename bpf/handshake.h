/* What the programs and user space share: tfotop/sources/layout.py describes the same bytes, tests/unit compare them. */
#ifndef TFOTOP_HANDSHAKE_H
#define TFOTOP_HANDSHAKE_H

enum role { CLIENT, SERVER };

enum outcome {
	PLAIN,
	COOKIE_GRANTED,
	COOKIE_REFUSED,
	ACCEPTED,
	REJECTED,
	LOST,
	UNANSWERED,
	RESET,
	OUTCOMES,
	UNDECIDED = 255,
};

enum variant { NO_VARIANT, NO_COOKIE, BACKUP_KEY };

enum option { NO_OPTION, STANDARD, EXPERIMENTAL };

enum reason {
	NO_REASON,
	SYN_COOKIES,
	ACCEPT_QUEUE_FULL,
	SYN_QUEUE_FULL,
	SERVER_BIT_OFF,
	NO_QUEUE,
	QUEUE_FULL,
	NO_KEY,
	BAD_COOKIE,
	FAILED_CHILD,
	NO_DATA_NO_COOKIE,
	CLIENT_BIT_OFF,
	NO_COOKIE_CACHED,
	NONE_GRANTED,
	DATA_NOT_ACKED,
	SYN_DROPPED,
	BLACKHOLE,
	ICMP_UNREACHABLE,
	PEER_RESET,
};

enum tally { RECORDS_LIMITED, RECORDS_DROPPED, TOTALS_FULL, CHANGES_DROPPED, TRACKED, FINISHED, TALLIES };

#define NO_COOKIE_LEN 255	/* no Fast Open option, or one that the kernel ignores */
#define UNKNOWN 0xffffffff	/* a number that could not be read */
#define RECENT 16		/* the newest values kept exactly, for medians of peers with few handshakes */
#define BUCKETS 74		/* of first bytes: below 64 us, 4 for each doubling up to 16.8 s, above */

/* One connection in one namespace, seen from one role. IPv4 addresses are v4-mapped, ports in host order. */
struct flow {
	u64 netns_cookie;	/* net->net_cookie: unlike inode numbers, never used again; 0 without BTF */
	u8 local[16];
	u8 peer[16];
	u16 local_port;
	u16 peer_port;
	u8 role;
	u8 pad[3];
};

/* A handshake in progress, and when it is over the record of it. Times: bpf_ktime_get_ns(), 0 = not seen. */
struct handshake {
	u64 syn_ns;
	u64 last_syn_ns;
	u64 synack_ns;
	u64 last_synack_ns;
	u64 ack_ns;
	u64 first_byte_ns;
	u64 socket_cookie;	/* the client's socket, the server's listener */
	u32 netns;		/* inode number, 0 without BTF */
	u32 pid;		/* the caller of connect, 0 for a server */
	char comm[16];
	u32 isn;
	u32 synack_isn;
	u32 syn_tsval;
	u32 last_syn_tsval;
	u32 synack_tsval;
	u32 last_synack_tsval;
	u32 rtt_us;
	u32 syn_data_bytes;
	u32 syn_data_acked_bytes;
	u32 qlen;
	u32 max_qlen;
	u32 tcp_fastopen;
	u32 cookie_id;		/* a keyed fingerprint: the cookie itself never leaves the kernel */
	u32 new_cookie_id;
	u8 cookie_len;
	u8 new_cookie_len;
	u8 option;
	u8 outcome;
	u8 reason;
	u8 variant;
	u8 syn_retransmits;
	u8 synack_retransmits;
};

struct record {
	struct flow flow;
	struct handshake handshake;
};

struct total_key {
	u64 netns_cookie;
	u32 netns;
	u8 role;
	u8 outcome;
	u8 reason;
	u8 variant;
	u8 data;		/* the SYN carried data */
	u8 request;		/* the SYN carried a cookie request */
	u8 pad[6];
};

struct peer_key {
	u64 netns_cookie;
	u8 address[16];
	u32 netns;
	u16 port;		/* the server's, in both roles */
	u8 role;
	u8 pad;
};

struct latency {
	u32 count;
	u32 recent_us[RECENT];
	u32 buckets[BUCKETS];
};

struct peer {
	u64 first_ns;
	u64 last_ns;
	u64 socket_cookie;
	u32 epoch;		/* of the reading that was told of the last change */
	u32 pid;
	char comm[16];
	u32 cookie_id;
	u32 outcomes[OUTCOMES];
	u32 backup_key;
	u32 no_cookie;
	u32 syn_retransmits;
	u32 rtt_count;
	u32 rtt_us[RECENT];
	u8 last_outcome;
	u8 last_reason;
	u8 pad[6];
	struct latency first_byte[2];	/* without Fast Open, with it */
	u32 pad_end;
};

#endif
