/* What became of a SYN on the server, from what it asked for and what answered it. */
#ifndef TFOTOP_VERDICT_H
#define TFOTOP_VERDICT_H

/* Reasons for which the kernel drops a SYN, as in tfotop/sources/settling.py. */
static __always_inline int explains_silence(u8 reason)
{
	return reason == ACCEPT_QUEUE_FULL || reason == SYN_QUEUE_FULL;
}

static __always_inline u8 wants_fast_open(struct handshake *h)
{
	return h->syn_data_bytes || h->cookie_len != NO_COOKIE_LEN;
}

/* A cookie request and nothing else. */
static __always_inline u8 asks_only(struct handshake *h)
{
	return h->cookie_len == 0 && !h->syn_data_bytes;
}

/* Without a child the kernel acknowledged only the SYN: what the client had asked for names the outcome. */
static __always_inline void decline(struct handshake *h, u8 reason)
{
	h->outcome = !wants_fast_open(h) ? PLAIN : asks_only(h) ? COOKIE_REFUSED : REJECTED;
	h->reason = h->outcome == PLAIN ? NO_REASON : reason;
}

#define AT_ONCE_NS 10000000ULL	/* within the same softirq; the rest is for a slow CPU */
#define LAST_PLACES 8	/* of a queue: so many may be taken by other CPUs between the look at it and the kernel's own */

/* Only the first SYN-ACK counts: one that is sent again has no cookie, whatever the first had (inet_rtx_syn_ack). */
static __always_inline u8 filled_up_meanwhile(struct handshake *h)
{
	return h->max_qlen != UNKNOWN && h->max_qlen && h->qlen + LAST_PLACES >= h->max_qlen &&
	       h->synack_ns - h->syn_ns < AT_ONCE_NS;
}

/*
 * What was in the way, corrected by what the SYN-ACK shows (tcp_try_fastopen). A cookie in it means that queue and key were
 * there. None means that the queue was full by then: a bad cookie is answered with a good one, and a request with a cookie.
 */
static __always_inline u8 why_declined(struct handshake *h, struct options *o)
{
	u8 given = o->cookie_len != NO_COOKIE_LEN && o->cookie_len;
	u8 presented = h->cookie_len != NO_COOKIE_LEN && h->cookie_len;

	if (given && presented)
		return o->cookie_id == h->cookie_id ? FAILED_CHILD : BAD_COOKIE;
	if (!given && (h->reason == BAD_COOKIE || (h->reason == NO_REASON && asks_only(h))) && filled_up_meanwhile(h))
		return QUEUE_FULL;
	return h->reason;
}

static __always_inline void judge_server(struct handshake *h, struct options *o, u8 child)
{
	u8 given = o->cookie_len != NO_COOKIE_LEN && o->cookie_len;

	if (child) {
		h->outcome = ACCEPTED;
		h->reason = NO_REASON;
		h->variant = h->cookie_len == NO_COOKIE_LEN || !h->cookie_len ? NO_COOKIE :
			     given ? BACKUP_KEY : NO_VARIANT;
		if (h->syn_data_bytes)
			h->first_byte_ns = h->syn_ns;
	} else if (given && asks_only(h)) {
		h->outcome = COOKIE_GRANTED;
		h->reason = NO_REASON;
	} else {
		decline(h, why_declined(h, o));
	}
}

#endif
