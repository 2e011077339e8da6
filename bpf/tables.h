/* The maps, and the few things that are done to them: count, tell of a change, write a record. */
#ifndef TFOTOP_TABLES_H
#define TFOTOP_TABLES_H

BPF_PERCPU_HASH(totals, struct total_key, u64, MAX_TOTALS);
BPF_TABLE("lru_hash", struct flow, struct handshake, handshakes, MAX_HANDSHAKES);
BPF_TABLE("lru_hash", struct peer_key, struct peer, peers, MAX_PEERS);
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

static __always_inline void count(struct flow *flow, struct handshake *h)
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
		__sync_fetch_and_add(total, 1);
	else
		tally(TOTALS_FULL);
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

/* A place in the ring with a copy of the handshake, or NULL: over the limit, or the ring is full. */
static __always_inline struct record *copy_record(struct flow *flow, struct handshake *h, u64 now)
{
	struct record *record;

	if (!within_limit(now)) {
		tally(RECORDS_LIMITED);
		return NULL;
	}
	record = records.ringbuf_reserve(sizeof(*record));
	if (!record) {
		tally(RECORDS_DROPPED);
		return NULL;
	}
	record->flow = *flow;
	record->handshake = *h;
	return record;
}

static __always_inline void write_record(struct flow *flow, struct handshake *h, u64 now)
{
	struct record *record = copy_record(flow, h, now);

	if (record)
		records.ringbuf_submit(record, BPF_RB_NO_WAKEUP);
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

/* 4 buckets for each doubling from 64 us on. */
static __always_inline u32 bucket_of(u32 us)
{
	u32 log, bucket;

	if (us < 64)
		return 0;
	log = bpf_log2(us);
	bucket = (log - 6) * 4 + ((us >> (log - 2)) & 3) + 1;
	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static __always_inline struct peer *find_peer(struct flow *flow, struct handshake *h, u64 now)
{
	struct peer_key key = { .netns_cookie = flow->netns_cookie, .netns = h->netns, .role = flow->role };
	int zero = 0;
	struct peer *peer, *empty = empty_peer.lookup(&zero);
	u32 *reading = epoch.lookup(&zero);

	__builtin_memcpy(key.address, flow->peer, 16);
	key.port = flow->role == SERVER ? flow->local_port : flow->peer_port;
	peer = peers.lookup(&key);
	if (!peer && empty) {
		peers.insert(&key, empty);
		peer = peers.lookup(&key);
		if (peer)
			peer->first_ns = now;
	}
	if (!peer || !reading)
		return 0;
	peer->last_ns = now;
	if (peer->epoch != *reading + 1) {		/* + 1: a new peer has 0 and must be told too */
		peer->epoch = *reading + 1;
		if (changes.ringbuf_output(&key, sizeof(key), BPF_RB_NO_WAKEUP))
			tally(CHANGES_DROPPED);
	}
	return peer;
}

/* The peer has proved that it is where it says it is: only now may it take a place in the table. */
static __always_inline struct peer *count_for_peer(struct flow *flow, struct handshake *h, u64 now)
{
	struct peer *peer = find_peer(flow, h, now);

	if (!peer)
		return NULL;
	if (h->outcome < OUTCOMES)
		__sync_fetch_and_add(&peer->outcomes[h->outcome], 1);
	if (h->variant == BACKUP_KEY)
		__sync_fetch_and_add(&peer->backup_key, 1);
	if (h->variant == NO_COOKIE)
		__sync_fetch_and_add(&peer->no_cookie, 1);
	if (h->syn_retransmits)
		__sync_fetch_and_add(&peer->syn_retransmits, h->syn_retransmits);
	if (h->rtt_us) {
		peer->rtt_us[peer->rtt_count & (RECENT - 1)] = h->rtt_us;
		__sync_fetch_and_add(&peer->rtt_count, 1);
	}
	peer->socket_cookie = h->socket_cookie;
	peer->last_outcome = h->outcome;
	peer->last_reason = h->reason;
	if (h->new_cookie_id || h->cookie_id)
		peer->cookie_id = h->new_cookie_id ? h->new_cookie_id : h->cookie_id;
	if (h->pid) {
		peer->pid = h->pid;
		__builtin_memcpy(peer->comm, h->comm, sizeof(peer->comm));
	}
	return peer;
}

/* A handshake that had to be repeated measures the timer, not the path: it has no place among the first bytes. */
static __always_inline void count_first_byte(struct peer *peer, struct handshake *h)
{
	u32 us = (h->first_byte_ns - h->syn_ns) / 1000, bucket = bucket_of(us);
	struct latency *latency;

	if (!peer || h->syn_retransmits || h->synack_retransmits)
		return;
	latency = h->outcome == ACCEPTED ? &peer->first_byte[1] : &peer->first_byte[0];
	latency->recent_us[latency->count & (RECENT - 1)] = us;
	__sync_fetch_and_add(&latency->count, 1);
	asm volatile("" : "+r"(bucket));	/* or the compiler drops the bound that the verifier wants to see */
	if (bucket < BUCKETS)
		__sync_fetch_and_add(&latency->buckets[bucket], 1);
}

/* The same ports begin anew: what was still open of the handshake before will not be decided any more. */
static __always_inline void abandon(struct flow *flow, struct handshake *h, u64 now)
{
	if (h->outcome == UNDECIDED) {
		h->outcome = UNANSWERED;
		if (flow->role == CLIENT || h->reason != ACCEPT_QUEUE_FULL)
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

/* The first payload from the other side, or the end of a connection that brought none. 0 if there is no such handshake. */
static __always_inline int connection_begins(struct flow *flow, struct segment *s, u64 now)
{
	struct handshake *h = handshakes.lookup(flow);
	struct peer *peer = NULL;
	u8 first_byte, unproven;

	if (!h)
		return 0;
	if (h->outcome == UNDECIDED || (flow->role == SERVER && !h->ack_ns))
		return 1;
	unproven = flow->role == SERVER && !h->synack_ns;	/* until now: only a proven peer has a child (infer) */
	if (unproven)
		peer = count_for_peer(flow, h, now);
	first_byte = unproven && h->first_byte_ns;
	if (s->payload && !h->first_byte_ns) {
		h->first_byte_ns = now;
		first_byte = 1;
	}
	if (first_byte)
		count_first_byte(peer ? peer : find_peer(flow, h, now), h);
	if (flow->role == CLIENT)
		forget_caller(h->socket_cookie);
	finish(flow, h, now);
	return 1;
}

#endif
