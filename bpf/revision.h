/*
 * What was judged when a SYN came, and is seen to be otherwise. The kernel looks a moment later, on other CPUs a place is taken or
 * given back meanwhile, and since 6.10 it lets in a SYN that takes over a port from TIME_WAIT where others get a SYN cookie.
 */
#ifndef TFOTOP_REVISION_H
#define TFOTOP_REVISION_H

/*
 * A socket answers the first SYN, so it was not dropped, nor answered with a SYN cookie: what else stands in the way, now that
 * it answers? One that had to be sent again was dropped indeed, and has no option any more.
 */
static __always_inline void take_back_silence(struct bpf_sock *sk, struct handshake *h)
{
	if (sk->state == LISTEN && !h->syn_retransmits && (explains_silence(h->reason) || h->reason == SYN_COOKIES))
		h->reason = what_stands_in_the_way(sk, h, 1);
}

static __always_inline void remember_refusal(struct flow *flow, struct handshake *h)
{
	int only = 0;
	struct record *last = last_declined.lookup(&only);

	if (!last)
		return;
	last->flow = *flow;
	last->handshake = *h;
}

/* Another SYN like the one before. If that was dropped, the kernel decides anew, `h` says how. */
static __always_inline void repeat(struct bpf_sock *sk, struct flow *flow, struct handshake *known, struct handshake *h, u64 now)
{
	known->syn_retransmits++;
	known->last_syn_ns = now;
	if (sk->state != LISTEN || known->outcome != UNDECIDED || !explains_silence(known->reason))
		return;
	if (wants_fast_open(h) && !explains_silence(h->reason)) {
		known->reason = h->reason;
		known->qlen = h->qlen;
		known->max_qlen = h->max_qlen;
	}
	if (h->reason != SYN_COOKIES)
		return;
	decline(known, known->reason);
	count(flow, known);
	remember_refusal(flow, known);
	finish(flow, known, now);
}

/* Refused when its SYN came: a SYN cookie has no socket, and nothing more of it will be seen. */
static __always_inline void refuse(struct flow *flow, struct handshake *h, u64 now)
{
	decline(h, SYN_COOKIES);
	count(flow, h);
	write_record(flow, h, now);
	remember_refusal(flow, h);
}

static __always_inline int same(struct flow *a, struct flow *b)
{
	u64 *x = (u64 *)a, *y = (u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4] && x[5] == y[5];
}

/* The answer of a socket to the SYN that was refused last on this CPU: that was wrong. A record without outcome says so. */
static __always_inline struct handshake *take_back_refusal(struct segment *s, struct flow *flow, u64 now)
{
	int only = 0;
	struct record *record, *last = last_declined.lookup(&only);

	if (!last || now - last->handshake.last_syn_ns > AT_ONCE_NS || !same(&last->flow, flow) || !answers(s, &last->handshake))
		return NULL;
	count_by(flow, &last->handshake, -1);
	last->handshake.outcome = UNDECIDED;
	last->handshake.reason = SYN_COOKIES;
	record = copy_record_always(flow, &last->handshake);	/* the refusal may have come under the limit just so */
	if (record)
		records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	handshakes.update(flow, &last->handshake);
	tally(TRACKED);
	last->handshake.last_syn_ns = 0;
	return handshakes.lookup(flow);
}

#endif
