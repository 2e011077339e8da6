/*
 * What the kernel itself looks at when it decides on a SYN, read at the same moment from the socket and its namespace.
 * OFF_x and TYPE_x come from the running kernel's BTF (tfotop/sources/btf.py). Without BTF nothing of this is known.
 */
#ifndef TFOTOP_KERNEL_STATE_H
#define TFOTOP_KERNEL_STATE_H

#define SERVER_BIT 0x2
#define CLIENT_BIT 0x1

struct listener_state {
	u32 tcp_fastopen, qlen, max_qlen;
	u32 request_qlen, accept_qlen, backlog, max_syn_backlog;
	u8 syncookies, has_key;
};

#ifdef HAVE_BTF

#define READ(base, name) (*(TYPE_##name *)((void *)(base) + OFF_##name))

static __always_inline u32 read_namespace(struct bpf_sock *sk, struct flow *flow)
{
	void *tp = bpf_skc_to_tcp_sock(sk), *net;

	if (!tp)
		return 0;
	net = READ(tp, NET);
	flow->netns_cookie = READ(net, NET_COOKIE);
	return READ(net, INUM);
}

static __always_inline int read_listener(struct bpf_sock *sk, struct listener_state *l)
{
	void *tp = bpf_skc_to_tcp_sock(sk), *net;

	if (!tp)
		return 0;
	net = READ(tp, NET);
	l->tcp_fastopen = READ(net, TCP_FASTOPEN);
	l->syncookies = READ(net, SYNCOOKIES);
	l->qlen = READ(tp, QLEN);
	l->max_qlen = READ(tp, MAX_QLEN);
	l->request_qlen = READ(tp, REQUEST_QLEN);
	l->accept_qlen = READ(tp, ACCEPT_QLEN);
	l->backlog = READ(tp, BACKLOG);
	l->max_syn_backlog = READ(net, MAX_SYN_BACKLOG);
	l->has_key = READ(tp, CTX) != NULL || READ(net, NET_CTX) != NULL;
	return 1;
}

/* The sequence number of the SYN-ACK that was sent for a request (NEW_SYN_RECV). */
static __always_inline int read_request_isn(struct bpf_sock *request, u32 *isn)
{
	void *tcp_request = bpf_skc_to_tcp_request_sock(request);

	if (!tcp_request)
		return 0;
	*isn = READ(tcp_request, REQUEST_ISN);
	return 1;
}

/* Why a client's SYN carries no option, where that can be known: the caller asked for Fast Open and did not get it. */
static __always_inline u8 why_plain(struct bpf_sock *sk, u32 *tcp_fastopen)
{
	void *tp = bpf_skc_to_tcp_sock(sk), *net;

	if (!tp)
		return NO_REASON;
	net = READ(tp, NET);
	*tcp_fastopen = READ(net, TCP_FASTOPEN);
	if (!(*tcp_fastopen & CLIENT_BIT))
		return CLIENT_BIT_OFF;
	if (READ(tp, FASTOPEN_REQ) != NULL && READ(net, DISABLE_TIMES))
		return BLACKHOLE;
	return NO_REASON;
}

#else

static __always_inline u32 read_namespace(struct bpf_sock *sk, struct flow *flow) { return 0; }
static __always_inline int read_listener(struct bpf_sock *sk, struct listener_state *l) { return 0; }
static __always_inline int read_request_isn(struct bpf_sock *request, u32 *isn) { return 0; }
static __always_inline u8 why_plain(struct bpf_sock *sk, u32 *tcp_fastopen) { return NO_REASON; }

#endif

/*
 * Why the kernel drops a SYN or answers with a SYN cookie, in the order of tcp_conn_request. Before Linux 6.13 (6.12.10, 6.6.72,
 * 6.1.125) the SYN queue was full with one request less: there the reason is not known at just that length.
 */
static __always_inline u8 what_keeps_it_out(struct listener_state *l)
{
	if (!l->syncookies && l->request_qlen > l->backlog)
		return SYN_QUEUE_FULL;		/* dropped, before anything else is looked at (tcp_syn_flood_action) */
	if (l->accept_qlen > l->backlog)	/* dropped, with SYN cookies or without */
		return ACCEPT_QUEUE_FULL;
	if (l->syncookies)
		return l->syncookies == 2 || l->request_qlen > l->backlog ? SYN_COOKIES : NO_REASON;
	/* The last quarter is for peers that have tcp_metrics (tcp_peer_is_proven): if this is one, the SYN-ACK will show it. */
	if ((s32)(l->max_syn_backlog - l->request_qlen) < (s32)(l->max_syn_backlog >> 2))
		return SYN_QUEUE_FULL;
	return NO_REASON;
}

/* The first thing that stands in the way, then in the order of tcp_try_fastopen. */
static __always_inline u8 what_stands_in_the_way(struct bpf_sock *sk, struct handshake *h, u8 answered)
{
	struct listener_state l = {};
	u8 out;

	if (!read_listener(sk, &l))
		return NO_REASON;
	h->qlen = l.qlen;
	h->max_qlen = l.max_qlen;
	h->tcp_fastopen = l.tcp_fastopen;
	out = answered ? NO_REASON : what_keeps_it_out(&l);
	if (out)
		return out;
	if (!(l.tcp_fastopen & SERVER_BIT))
		return SERVER_BIT_OFF;
	if (l.max_qlen == 0)
		return NO_QUEUE;
	if (l.qlen >= l.max_qlen)
		return QUEUE_FULL;
	if (h->cookie_len == NO_COOKIE_LEN)
		return NO_DATA_NO_COOKIE;
	if (!l.has_key)
		return NO_KEY;
	return h->cookie_len ? BAD_COOKIE : NO_REASON;
}

#endif
