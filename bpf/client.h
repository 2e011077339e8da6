/* The client's side: its SYN goes out, a SYN-ACK, a RST or nothing comes in, then the first byte of the response. */
#ifndef TFOTOP_CLIENT_H
#define TFOTOP_CLIENT_H

#define CLOSED 7
#define SYN_RTO_NS 900000000ULL		/* a SYN is sent again after 1 s at the earliest (RFC 6298, 2.1) */

static __always_inline void set_outcome(struct handshake *h, u8 outcome, u8 reason)
{
	h->reason = reason;
	h->outcome = outcome;
}

/* A SYN that got no answer, when its socket goes away. ICMP closes a socket at once, the timer after a second or more. */
static __always_inline void give_up(struct handshake *h, u8 closed, u64 now)
{
	set_outcome(h, UNANSWERED, closed && now - h->last_syn_ns < SYN_RTO_NS ? ICMP_UNREACHABLE : NO_REASON);
}

/* The process that connects, and the way back from the socket to the handshake. */
static __always_inline void name_caller(struct flow *flow, struct handshake *h)
{
	struct caller *caller = caller_of(h->socket_cookie);

	if (!caller)
		return;
	if (caller->cookie == h->socket_cookie) {
		h->pid = caller->pid;
		__builtin_memcpy(h->comm, caller->comm, sizeof(h->comm));
		asm volatile("" : : : "memory");
		if (caller->cookie != h->socket_cookie)		/* taken by another in this moment */
			h->pid = 0;
	} else {
		caller->pid = 0;
		caller->cookie = h->socket_cookie;
	}
	caller->flow = *flow;
}

static __always_inline void client_syn(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s, struct options *o,
				       struct flow *flow, u32 netns, u64 now)
{
	struct handshake *known, h = { .syn_ns = now, .last_syn_ns = now, .netns = netns };

	read_syn(skb, s, o, &h);
	name_caller(flow, &h);
	h.reason = why_plain(sk, &h.tcp_fastopen);	/* kept only if the outcome is plain */
	known = track(flow, &h, now);
	if (known && known->outcome == UNDECIDED) {	/* else the kernel did not take the SYN-ACK that the hook saw */
		known->syn_retransmits++;
		known->last_syn_ns = now;
		known->last_syn_tsval = o->tsval;
	}
}

/*
 * After a retransmission only the timestamp that the SYN-ACK echoes can tell which SYN it answers (RFC 7323, 4). If it is the
 * first, the SYN-ACK itself may have been lost and sent again: then the time is not known.
 */
static __always_inline u32 client_rtt(struct handshake *h, u32 tsecr, u64 now)
{
	if (h->syn_retransmits && (!tsecr || tsecr != h->last_syn_tsval || tsecr == h->syn_tsval))
		return 0;
	return (now - h->last_syn_ns) / 1000;
}

/* As tcp_rcv_fastopen_synack (net/ipv4/tcp_input.c) sees it: data that is not acknowledged whole has failed. */
static __always_inline void judge_synack(struct handshake *h, struct options *o)
{
	u8 asked = h->cookie_len != NO_COOKIE_LEN, tried = h->syn_data_bytes || (asked && h->cookie_len);
	u8 given = o->cookie_len != NO_COOKIE_LEN && o->cookie_len;
	/* It answers the first SYN, later than the second: late, or sent again without the cookie that the lost one had. */
	u8 late = h->syn_retransmits && o->tsecr && o->tsecr == h->syn_tsval && o->tsecr != h->last_syn_tsval;

	if (h->syn_data_bytes && h->syn_data_acked_bytes == h->syn_data_bytes) {
		h->variant = !asked || !h->cookie_len ? NO_COOKIE : given ? BACKUP_KEY : NO_VARIANT;
		set_outcome(h, ACCEPTED, NO_REASON);
	} else if (h->syn_retransmits && (tried || asked) && !given && !h->syn_data_acked_bytes && !late) {
		set_outcome(h, LOST, SYN_DROPPED);
	} else if (h->syn_data_bytes || (tried && given)) {
		set_outcome(h, REJECTED, DATA_NOT_ACKED);
	} else if (tried) {	/* nothing to acknowledge, and no new cookie that would say that the old one was refused */
		set_outcome(h, ACCEPTED, NO_REASON);
	} else if (asked) {
		set_outcome(h, given ? COOKIE_GRANTED : COOKIE_REFUSED, given ? NO_COOKIE_CACHED :
			    late ? NO_REASON : NONE_GRANTED);
	} else {
		set_outcome(h, PLAIN, h->reason);
	}
}

static __always_inline void client_synack(struct segment *s, struct options *o, struct flow *flow, u64 now)
{
	struct handshake *h = handshakes.lookup(flow);
	u32 acked;

	if (!h || h->outcome != UNDECIDED || !(s->flags & (SYN | RST)))
		return;
	acked = s->ack - h->isn - 1;
	if (acked > h->syn_data_bytes)		/* not an answer to this SYN: the kernel sends a RST */
		return;
	if (s->flags & RST) {
		set_outcome(h, RESET, PEER_RESET);
	} else {
		h->synack_ns = now;
		h->synack_isn = s->seq;
		h->syn_data_acked_bytes = acked;
		h->new_cookie_len = o->cookie_len;
		h->new_cookie_id = o->cookie_id;
		h->rtt_us = client_rtt(h, o->tsecr, now);
		judge_synack(h, o);
	}
	count(flow, h);
	count_for_peer(flow, h, now);
	if (s->flags & RST)
		finish(flow, h, now);
}

#endif
