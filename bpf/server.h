/* The server's side: a SYN comes in to a listener, its SYN-ACK goes out, then the ACK and the request come in. */
#ifndef TFOTOP_SERVER_H
#define TFOTOP_SERVER_H

static __always_inline void server_syn(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s, struct options *o,
				       struct flow *flow, u32 netns, u64 now)
{
	struct handshake *known, h = { .syn_ns = now, .last_syn_ns = now, .netns = netns };

	remember_syn(flow);
	read_syn(skb, s, o, &h);
	if (sk->state == LISTEN)
		h.reason = what_stands_in_the_way(sk, &h, 0);
	FORGET(h);
	if (sk->state == LISTEN && h.reason != SYN_COOKIES) {
		known = track(flow, &h, now);
	} else {
		known = make_way(flow, &h, now);
		if (!known && sk->state == LISTEN)
			refuse(flow, &h, now);
	}
	if (known)
		repeat(sk, flow, known, &h, now);
}

static __always_inline void server_synack(struct bpf_sock *sk, struct segment *s, struct options *o, struct flow *flow,
					  u64 now)
{
	struct handshake *h = answered(s, flow, now);
	int zero = 0;
	u32 *seen = sighted.lookup(&zero);

	if (!s->v4 && sk->state == LISTEN && seen)
		*seen = 1;
	if (!h)
		h = take_back_refusal(s, flow, now);
	if (!h)
		return;
	if (!o->tsval || o->tsval != h->last_synack_tsval) {	/* else the ACK answers the first of the two */
		h->last_synack_ns = now;
		h->last_synack_tsval = o->tsval;
	}
	if (h->outcome != UNDECIDED) {
		h->synack_retransmits++;
		return;
	}
	h->synack_ns = now;
	h->synack_isn = s->seq;
	h->synack_tsval = o->tsval;
	h->syn_data_acked_bytes = s->ack - h->isn - 1;
	h->new_cookie_len = o->cookie_len;
	h->new_cookie_id = o->cookie_id;
	take_back_silence(sk, h);
	judge_server(h, o, sk->state == SYN_RECV);
	count(flow, h);
}

/* As client_rtt, for the SYN-ACK. */
static __always_inline u32 server_rtt(struct handshake *h, u32 tsecr, u64 now)
{
	if (h->synack_retransmits && (!tsecr || tsecr != h->last_synack_tsval || tsecr == h->synack_tsval))
		return 0;
	return (now - h->last_synack_ns) / 1000;
}

/*
 * Only who received the SYN-ACK knows its sequence number. A child may have sent its response already, and the ACK of that may
 * come on another CPU before snd_nxt says that it was sent (tcp_write_xmit): so a window more is let through.
 */
static __always_inline int acknowledges_synack(struct bpf_sock *sk, struct segment *s, struct handshake *h)
{
	struct bpf_tcp_sock *tp;
	u32 beyond = s->ack - h->synack_isn - 1;

	if (sk->state == LISTEN)
		return beyond == 0;
	tp = bpf_tcp_sock(sk);
	return tp && beyond <= tp->snd_nxt - h->synack_isn - 1 + 0xffff;
}

/* 1 if there is no such handshake. */
static __always_inline int server_ack(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s, struct options *o,
				       struct flow *flow, u64 now)
{
	struct handshake *h = handshakes.lookup(flow);
	struct peer *peer = NULL;
	u8 first_byte = 0;

	if (!h)
		return 1;
	if (h->outcome == UNDECIDED && !uncover(skb, sk, s, flow, h, now))
		return 0;
	if (s->flags & RST) {
		if (s->seq == h->isn + 1 + h->syn_data_acked_bytes)
			finish(flow, h, now);
		return 0;
	}
	if (!h->ack_ns) {
		if (!acknowledges_synack(sk, s, h))
			return 0;
		if (h->synack_retransmits)	/* else nothing in the options matters */
			read_options(skb, s, o, now);
		h->ack_ns = now;
		h->rtt_us = server_rtt(h, o->tsecr, now);
		peer = count_for_peer(flow, h, now);
		first_byte = h->first_byte_ns > 0;	/* it came in the SYN, from a peer that had yet to prove itself */
	}
	if (s->payload && !h->first_byte_ns) {
		h->first_byte_ns = now;
		first_byte = 1;
	}
	if (first_byte)
		count_first_byte(peer ? peer : find_peer(flow, h, now), h);
	if (h->first_byte_ns || s->flags & FIN)
		finish(flow, h, now);
	return 0;
}

#endif
