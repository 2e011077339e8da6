/*
 * SYN-ACKs that are not shown to cgroup programs, and what the ACK tells of them: before Linux 6.6 or so those of an IPv6
 * listener (their skb belongs to the request, and BPF_CGROUP_RUN_PROG_INET_EGRESS compared that with the listener); SYN cookies,
 * which no socket sends; and all that IPsec encrypts on this host.
 */
#ifndef TFOTOP_UNSEEN_H
#define TFOTOP_UNSEEN_H

/*
 * Whether the kernel holds a request for this connection, as it does between a SYN-ACK and its ACK but for SYN cookies; or
 * already the child that another segment has made of it, on another CPU.
 */
enum request { NO_REQUEST, CHILD, REQUEST, REQUEST_WITH_ISN };

static __always_inline int find_request(struct __sk_buff *skb, struct segment *s, struct flow *flow, u32 *isn)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *found;
	u32 size;
	int result;

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
		return NO_REQUEST;
	if (found->state != NEW_SYN_RECV)
		result = found->state == LISTEN ? NO_REQUEST : CHILD;
	else
		result = read_request_isn(found, isn) ? REQUEST_WITH_ISN : REQUEST;
	bpf_sk_release(found);
	return result;
}

/* The kernel sent it at once (tcp_conn_request). If another SYN or much time came in between, it was sent again. */
static __always_inline void place_synack(struct handshake *h, u32 isn, u64 now)
{
	h->synack_isn = isn;
	h->synack_ns = h->last_synack_ns = h->last_syn_ns;
	h->synack_retransmits = h->syn_retransmits || now - h->last_syn_ns > SYN_RTO_NS;
}

/* A listener's SYN-ACK says that nothing was accepted, and what stood in the way is known from the SYN. 1: go on with the ACK. */
static __always_inline int uncover_from_listener(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s,
						 struct flow *flow, struct handshake *h, u64 now)
{
	int only = 0, request;
	u32 isn = 0, *seen = sighted.lookup(&only);

	if (s->seq != h->isn + 1)
		return 0;
	request = find_request(skb, s, flow, &isn);
	if (request == CHILD || (request == NO_REQUEST && explains_silence(h->reason)))
		return 0;			/* decided there; or nothing was sent, so what comes is no answer */
	take_back_silence(sk, h);
	if (request == NO_REQUEST && (s->v4 || (seen && *seen)))
		decline(h, SYN_COOKIES);	/* no socket sent it (tcp_get_cookie_sock) */
	else if (asks_only(h) && h->max_qlen == UNKNOWN)
		return 0;			/* without BTF this may have been granted or not */
	else if (asks_only(h) && h->reason == NO_REASON)
		h->outcome = COOKIE_GRANTED;
	else
		decline(h, h->reason);
	count(flow, h);
	if (request != REQUEST_WITH_ISN) {	/* nothing can prove that the peer received it */
		finish(flow, h, now);
		return 0;
	}
	place_synack(h, isn, now);
	return 1;
}

/* A child is there before the ACK only if the SYN was accepted: SYN_RECV, or closed by now. 1: go on with the ACK. */
static __always_inline int uncover_from_child(struct bpf_sock *sk, struct flow *flow, struct handshake *h, u64 now)
{
	struct options none = { .cookie_len = NO_COOKIE_LEN };
	struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);

	if (!tp || asks_only(h) || !wants_fast_open(h))
		return 0;
	h->syn_data_acked_bytes = h->syn_data_bytes;
	judge_server(h, &none, 1);
	count(flow, h);
	place_synack(h, tp->snd_una - 1, now);
	return 1;
}

static __always_inline int uncover(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s, struct flow *flow,
				   struct handshake *h, u64 now)
{
	if (!(s->flags & ACK) || s->flags & RST)
		return 0;
	if (sk->state == LISTEN)
		return uncover_from_listener(skb, sk, s, flow, h, now);
	return uncover_from_child(sk, flow, h, now);
}

#endif
