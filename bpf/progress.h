/* The table of handshakes in progress: how one begins, goes on with its first byte, and ends. */
#ifndef TFOTOP_PROGRESS_H
#define TFOTOP_PROGRESS_H

/* What a SYN says, whoever sent it. */
static __always_inline void read_syn(struct __sk_buff *skb, struct segment *s, struct options *o, struct handshake *h)
{
	h->outcome = UNDECIDED;
	h->socket_cookie = bpf_get_socket_cookie(skb);
	h->isn = s->seq;
	h->syn_tsval = h->last_syn_tsval = o->tsval;
	h->cookie_len = o->cookie_len;
	h->cookie_id = o->cookie_id;
	h->new_cookie_len = NO_COOKIE_LEN;
	h->option = o->kind;
	h->syn_data_bytes = s->payload;
	h->qlen = h->max_qlen = h->tcp_fastopen = UNKNOWN;
}

/*
 * 1 for who takes it out of the table. Tallied before, and taken back if another was first: user space reads in between, and
 * must not take what is deleted and not yet tallied for lost.
 */
static __always_inline int take_out(struct flow *flow)
{
	tally(FINISHED);
	if (!handshakes.delete(flow))
		return 1;
	add_to_tally(FINISHED, -1);
	return 0;
}

/*
 * The end of a handshake in progress. Whoever deletes it writes it, so it is written once. `record` is compared with NULL once:
 * at a second time Linux 6.1 would no more know that it cannot be, and refuse a way on which it is not given back.
 */
static __always_inline void finish(struct flow *flow, struct handshake *h, u64 now)
{
	struct record *record = copy_record(flow, h, now);

	if (!record) {
		take_out(flow);
		return;
	}
	if (take_out(flow))
		records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	else
		records.ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}

/* The same ports begin anew: what was still open of the handshake before will not be decided any more. */
static __always_inline void abandon(struct flow *flow, struct handshake *h, u64 now)
{
	if (h->outcome == UNDECIDED) {
		h->outcome = UNANSWERED;
		if (flow->role == CLIENT || !explains_silence(h->reason))
			h->reason = NO_REASON;
		count(flow, h);
	}
	finish(flow, h, now);
}

/* The handshake that this SYN repeats, or NULL; an older one of the same ports is ended. */
static __always_inline struct handshake *make_way(struct flow *flow, struct handshake *h, u64 now)
{
	struct handshake *known = handshakes.lookup(flow);

	if (!known || known->isn == h->isn)
		return known;
	abandon(flow, known, now);
	return NULL;
}

/* As make_way; if there was none, `h` is in progress from here on. */
static __always_inline struct handshake *track(struct flow *flow, struct handshake *h, u64 now)
{
	struct handshake *known;

	if (handshakes.insert(flow, h)) {	/* rare: so the usual SYN costs one look into the table */
		known = make_way(flow, h, now);
		if (known)
			return known;
		handshakes.update(flow, h);
	}
	tally(TRACKED);
	return NULL;
}

/* There is a connection, so the SYN was answered all the same: by a SYN cookie, since no SYN-ACK of a socket was seen. */
static __always_inline void answered_unseen(struct flow *flow, struct handshake *h, u64 now)
{
	decline(h, h->syn_retransmits ? h->reason : SYN_COOKIES);
	count(flow, h);
	finish(flow, h, now);
}

/* The first payload from the other side, or the end of a connection that brought none. 0 if there is no such handshake. */
static __always_inline int connection_begins(struct flow *flow, struct segment *s, u64 now)
{
	struct handshake *h = handshakes.lookup(flow);

	if (!h)
		return 0;
	if (h->outcome == UNDECIDED && flow->role == SERVER && explains_silence(h->reason)) {
		answered_unseen(flow, h, now);
		return 1;
	}
	if (h->outcome == UNDECIDED || (flow->role == SERVER && !h->ack_ns))
		return 1;
	if (s->payload && !h->first_byte_ns) {
		h->first_byte_ns = now;
		count_first_byte(find_peer(flow, h, now), h);
	}
	if (flow->role == CLIENT)
		forget_caller(h->socket_cookie);
	finish(flow, h, now);
	return 1;
}

#endif
