/* The maps, and the few things that are done to them: count, tell of a change, write a record. */
#ifndef TFOTOP_TABLES_H
#define TFOTOP_TABLES_H

BPF_PERCPU_HASH(totals, struct total_key, u64, MAX_TOTALS);
BPF_TABLE("lru_hash", struct flow, struct handshake, handshakes, MAX_HANDSHAKES);
BPF_TABLE("lru_hash", struct peer_key, struct peer, peers, MAX_PEERS);
BPF_PERCPU_ARRAY(last_syn, struct flow, 1);		/* that came in */
BPF_PERCPU_ARRAY(last_declined, struct record, 1);	/* for SYN cookies, when its SYN came */
BPF_TABLE("lru_hash", struct flow, struct flow, translated, MAX_TRANSLATED);	/* by NAT, from what a SYN-ACK bears */
BPF_ARRAY(empty_peer, struct peer, 1);			/* a peer is too large for the stack; never written */
BPF_ARRAY(epoch, u32, 1);				/* user space adds 1 at each reading */
BPF_ARRAY(sighted, u32, 1);				/* 1 once the SYN-ACK of an IPv6 listener was seen going out */
BPF_ARRAY(window, u64, 2);				/* this second, and the records written in it */
BPF_PERCPU_ARRAY(tallies, u64, TALLIES);
BPF_RINGBUF_OUTPUT(records, RECORD_PAGES);
BPF_RINGBUF_OUTPUT(changes, CHANGE_PAGES);		/* keys of peers that changed since the last reading */

/*
 * Who connects, from connect4/6 to the SYN, and which handshake a client's socket has, from the SYN to its release. By the
 * socket's cookie: cookies are given one after the other, so a place is taken again only after CALLERS others. What is lost
 * then is a name, or that user space finds the end of an unanswered handshake by the time and not at once.
 */
struct caller {
	u64 cookie;
	struct flow flow;
	u32 pid;
	char comm[16];
	u32 pad;
};
BPF_ARRAY(callers, struct caller, CALLERS);

static __always_inline struct caller *caller_of(u64 cookie)
{
	int place = cookie & (CALLERS - 1);

	return callers.lookup(&place);
}

/* The release of the socket has nothing to end any more. */
static __always_inline void forget_caller(u64 cookie)
{
	struct caller *caller = caller_of(cookie);

	if (caller && caller->cookie == cookie)
		caller->cookie = 0;
}

/*
 * When the handshakes of a pair of ports were last heard of, in jiffies. Array and jiffies are both read without a call into
 * the kernel, so what is asked of every packet with payload costs nearly nothing. Other connections may share the place: that
 * costs a call more, no more. FIRST_BYTE_JIFFIES comes from user space (HZ differs): longer than it waits for a first byte.
 */
BPF_ARRAY(heard, u32, HEARD);

static __always_inline u32 *last_heard(u16 peer_port, u16 local_port)
{
	int place = (peer_port * 31 + local_port) & (HEARD - 1);

	return heard.lookup(&place);
}

static __always_inline void expect_first_byte(struct flow *flow)
{
	u32 *when = last_heard(flow->peer_port, flow->local_port);

	if (when)
		*when = bpf_jiffies64();
}

static __always_inline int expects_first_byte(u16 peer_port, u16 local_port)
{
	u32 *when = last_heard(peer_port, local_port);

	return when && (u32)bpf_jiffies64() - *when < FIRST_BYTE_JIFFIES;
}

/* Atomic although per CPU: a softirq may run the other program in the middle of a program in process context. */
static __always_inline void add_to_tally(int what, int number)
{
	u64 *count = tallies.lookup(&what);

	if (count)
		__sync_fetch_and_add(count, number);
}

static __always_inline void tally(int what)
{
	add_to_tally(what, 1);
}

static __always_inline void count_by(struct flow *flow, struct handshake *h, int number)
{
	struct total_key key = {
		.netns_cookie = flow->netns_cookie, .netns = h->netns, .role = flow->role, .outcome = h->outcome,
		.reason = h->reason, .variant = h->variant, .data = h->syn_data_bytes > 0, .request = h->cookie_len == 0,
	};
	u64 zero = 0, *total = totals.lookup(&key);

	if (!total) {
		totals.insert(&key, &zero);
		total = totals.lookup(&key);
	}
	if (total)
		__sync_fetch_and_add(total, number);
	else
		tally(TOTALS_FULL);
}

static __always_inline void count(struct flow *flow, struct handshake *h)
{
	count_by(flow, h, 1);
}

/* 1 while fewer than RECORDS_PER_S were written in this second; 0 for RECORDS_PER_S means no limit. */
static __always_inline int within_limit(u64 now)
{
#if RECORDS_PER_S
	int first = 0, second = 1;
	u64 *start = window.lookup(&first), *written = window.lookup(&second);

	if (!start || !written)
		return 0;
	if (now - *start > 1000000000ULL) {
		*start = now;
		*written = 0;
	}
	if (*written >= RECORDS_PER_S)
		return 0;
	__sync_fetch_and_add(written, 1);
#endif
	return 1;
}

static __always_inline struct record *copy_record_always(struct flow *flow, struct handshake *h)
{
	struct record *record = records.ringbuf_reserve(sizeof(*record));

	if (!record) {
		tally(RECORDS_DROPPED);
		return NULL;
	}
	record->flow = *flow;
	record->handshake = *h;
	return record;
}

/* A place in the ring with a copy of the handshake, or NULL: over the limit, or the ring is full. */
static __always_inline struct record *copy_record(struct flow *flow, struct handshake *h, u64 now)
{
	if (within_limit(now))
		return copy_record_always(flow, h);
	tally(RECORDS_LIMITED);
	return NULL;
}

static __always_inline void write_record(struct flow *flow, struct handshake *h, u64 now)
{
	struct record *record = copy_record(flow, h, now);

	if (record)
		records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

#endif
