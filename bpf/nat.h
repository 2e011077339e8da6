/* Where this host itself translates addresses: what goes out bears others than its socket knows, what comes in does not. */
#ifndef TFOTOP_NAT_H
#define TFOTOP_NAT_H

/* The verifier takes neither a loop over the fields of a socket nor wider reads. */
#define COPY_ADDRESS(to, from)							\
	((to)[0] = (from)[0], (to)[1] = (from)[1], (to)[2] = (from)[2], (to)[3] = (from)[3])

/* As read_flow, from the socket that sends, but for a listener, which has no peer. */
static __always_inline int read_own_flow(struct __sk_buff *skb, struct bpf_sock *sk, struct segment *s, u8 role,
					 struct flow *flow)
{
	__be32 *local = (__be32 *)flow->local, *peer = (__be32 *)flow->peer;

	if (sk->state == LISTEN || sk->state == NEW_SYN_RECV)
		return read_flow(skb, s, 0, role, flow);
	if (s->v4) {
		local[2] = peer[2] = bpf_htonl(0xffff);
		local[3] = sk->src_ip4;
		peer[3] = sk->dst_ip4;
		asm volatile("" : : : "memory");	/* or the compiler makes one read of this and the other branch's */
	} else {
		COPY_ADDRESS(local, sk->src_ip6);
		COPY_ADDRESS(peer, sk->dst_ip6);
	}
	flow->local_port = sk->src_port;
	flow->peer_port = bpf_ntohs((__be16)sk->dst_port);
	flow->role = role;
	return 1;
}

static __always_inline void remember_syn(struct flow *flow)
{
	int only = 0;
	struct flow *last = last_syn.lookup(&only);

	if (last)
		*last = *flow;
}

static __always_inline int answers(struct segment *s, struct handshake *h)
{
	return h && s->ack - h->isn - 1 <= h->syn_data_bytes;
}

/* Whether this SYN-ACK may be the answer to the last SYN on this CPU: the kernel answers a SYN at once (tcp_conn_request). */
static __always_inline int answers_at_once(struct segment *s, struct flow *flow, struct flow *syn, struct handshake *h, u64 now)
{
	u8 v4 = *(u64 *)syn->peer == 0 && *(__be32 *)(syn->peer + 8) == bpf_htonl(0xffff);

	return answers(s, h) && h->outcome == UNDECIDED && !explains_silence(h->reason) && now - h->last_syn_ns < AT_ONCE_NS &&
	       v4 == s->v4 && syn->netns_cookie == flow->netns_cookie;
}

/*
 * The handshake that a SYN-ACK belongs to. A listener's may bear other addresses than its SYN did when it came to the
 * listener, where this host translates them (a port redirected, say). The translation is kept for when it is sent again.
 */
static __always_inline struct handshake *answered(struct segment *s, struct flow *flow, u64 now)
{
	struct handshake *h = handshakes.lookup(flow);
	struct flow *original;
	int only = 0;

	if (answers(s, h))
		return h;
	original = translated.lookup(flow);
	if (original) {
		h = handshakes.lookup(original);
		if (answers(s, h))
			return h;
	}
	original = last_syn.lookup(&only);
	if (!original)
		return NULL;
	h = handshakes.lookup(original);
	if (!answers_at_once(s, flow, original, h, now))
		return NULL;
	translated.update(flow, original);
	return h;
}

#endif
