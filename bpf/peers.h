/* The table of peers: who may enter it, what is counted for each, and how user space hears of a change. */
#ifndef TFOTOP_PEERS_H
#define TFOTOP_PEERS_H

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

#endif
