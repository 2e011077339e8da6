/*
 * SYN-ACKs that are not shown to cgroup programs, and what the ACK tells of them: before Linux 6.6 or so those of an IPv6
 * listener (their skb belongs to the request, and BPF_CGROUP_RUN_PROG_INET_EGRESS compared that with the listener); SYN cookies,
 * which no socket sends; and all that IPsec encrypts on this host.
 */
#ifndef TFOTOP_UNSEEN_H
#define TFOTOP_UNSEEN_H

/* Whether the kernel holds a request for this connection, as it does between a SYN-ACK and its ACK but for SYN cookies. */
static __always_inline int has_request(struct __sk_buff *skb, struct segment *s, struct flow *flow)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *found;
	u32 size, state;

	if (s->v4) {
		__builtin_memcpy(&tuple.ipv4.saddr, flow->peer + 12, 4);
		__builtin_memcpy(&tuple.ipv4.daddr, flow->local + 12, 4);
		tuple.ipv4.sport = bpf_htons(flow->peer_port);
		tuple.ipv4.dport = bpf_htons(flow->local_port);
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, flow->peer, 16);
		__builtin_memcpy(tuple.ipv6.daddr, flow->local, 16);
		tuple.ipv6.sport = bpf_htons(flow->peer_port);
		tuple.ipv6.dport = bpf_htons(flow->local_port);
		size = sizeof(tuple.ipv6);
	}
	found = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!found)
		return 0;
	state = found->state;
	bpf_sk_release(found);
	return state == NEW_SYN_RECV;
}

/* The ACK of a SYN-ACK that was not seen: the kernel sent that at once (tcp_conn_request). */
static __always_inline void infer_ack(struct handshake *h, u64 now)
{
	h->ack_ns = now;
	if (now - h->last_syn_ns < SYN_RTO_NS)
		h->rtt_us = (now - h->last_syn_ns) / 1000;
}

/*
 * A listener's says that nothing was accepted, and what stood in the way is known from the SYN. The peer has not proved
 * itself: its ACK cannot be checked.
 */
static __always_inline void infer(struct segment *s, struct flow *flow, struct handshake *h, u64 now)
{
	if (h->max_qlen == UNKNOWN && wants_fast_open(h))	/* no BTF: nothing to infer it from */
		return;
	if (h->cookie_len == 0 && !h->syn_data_bytes && h->reason == NO_REASON)
		h->outcome = COOKIE_GRANTED;
	else
		decline(h, h->reason);
	infer_ack(h, now);
	if (s->payload)
		h->first_byte_ns = now;
	count(flow, h);
}

/* A child is there before the ACK only if the SYN was accepted, and knows what it sent. */
static __always_inline void infer_child(struct bpf_sock *sk, struct segment *s, struct flow *flow, struct handshake *h,
					u64 now)
{
	struct options none = { .cookie_len = NO_COOKIE_LEN };
	struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);
	struct peer *peer;

	if (!tp || !(s->flags & ACK) || s->flags & RST || s->ack - tp->snd_una > tp->snd_nxt - tp->snd_una + 0xffff)
		return;
	h->synack_ns = h->last_syn_ns;
	h->syn_data_acked_bytes = h->syn_data_bytes;
	judge_server(h, &none, 1);
	infer_ack(h, now);
	count(flow, h);
	peer = count_for_peer(flow, h, now);
	if (!h->first_byte_ns)
		return;
	count_first_byte(peer, h);
	finish(flow, h, now);
}

/* Where the kernel holds no request, the SYN-ACK was a SYN cookie (tcp_get_cookie_sock). */
static __always_inline void unseen_ack(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s, struct flow *flow,
				       struct handshake *h, u64 now)
{
	if (sk->state == SYN_RECV)
		infer_child(sk, s, flow, h, now);
	if (sk->state != LISTEN || !(s->flags & ACK) || s->flags & RST || s->seq != h->isn + 1)
		return;
	if (has_request(skb, s, flow)) {
		infer(s, flow, h, now);
		return;
	}
	decline(h, SYN_COOKIES);
	count(flow, h);
	finish(flow, h, now);
}

#endif
