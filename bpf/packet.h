/* Reading a TCP segment out of an skb. Everything in it is hostile. */
#ifndef TFOTOP_PACKET_H
#define TFOTOP_PACKET_H

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

#define TCP 6
#define TCP_HEADER 20
#define MAX_OPTIONS 40
#define MAX_EXTENSIONS 6
#define MAX_PLACE 0xfff		/* of the TCP header, for the verifier */
#define MIN_COOKIE 4		/* RFC 7413, 4.1.1 */
#define MAX_COOKIE 16

struct tcp_header {
	__be16 source, dest;
	__be32 seq, ack;
	u8 offset, flags;
	__be16 window, check, urgent;
};

struct segment {
	u32 tcp_at;
	u32 options_len;
	u32 payload;
	u32 seq, ack;
	u16 source, dest;
	u8 flags;
	u8 v4;
};

struct options {
	u32 cookie_id;
	u32 tsval, tsecr;
	u8 cookie_len;		/* NO_COOKIE_LEN: none that the kernel would take */
	u8 kind;
};

/* Where the TCP header of an IPv6 packet with extension headers starts, 0 if there is none (RFC 8200, 4). */
static __always_inline u32 skip_extensions(struct __sk_buff *skb, u8 next)
{
	u32 at = 40;

	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		u8 header[4];

		if (next == TCP)
			return at;
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			return 0;
		if (bpf_skb_load_bytes(skb, at, header, 4))
			return 0;
		if (next == 44) {
			if (header[2] || header[3] & 0xf8)	/* not the first fragment */
				return 0;
			at += 8;
		} else {
			at += next == 51 ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
		}
		next = header[0];
	}
	return next == TCP ? at : 0;
}

/* Where the TCP header starts, from the network header; 0: not TCP, or cut short. The version goes to `v4`. */
static __always_inline u32 find_tcp(struct __sk_buff *skb, u8 *v4)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	u8 *ip = data;

	if (data + 40 > end)
		return 0;
	*v4 = ip[0] >> 4 == 4;
	if (*v4)
		return ip[9] != TCP || ip[7] || ip[6] & 0x1f ? 0 : (ip[0] & 15) * 4;
	return ip[6] == TCP ? 40 : skip_extensions(skb, ip[6]);
}

/* So many bytes of the packet where they lie, which is several times cheaper than asking for them; NULL: not in one piece. */
static __always_inline void *in_place(struct __sk_buff *skb, u32 at, u32 size)
{
	u8 *bytes = (u8 *)(long)skb->data + (at & MAX_PLACE);

	return at <= MAX_PLACE && (void *)(bytes + size) <= (void *)(long)skb->data_end ? bytes : NULL;
}

/* 1 and the segment, or 0: cut short. */
static __always_inline int read_segment(struct __sk_buff *skb, struct segment *s)
{
	struct tcp_header copy, *tcp;

	s->tcp_at = skb->cb[0];			/* from remember_place */
	s->v4 = skb->cb[1];
	tcp = in_place(skb, s->tcp_at, TCP_HEADER);
	if (!tcp) {
		if (bpf_skb_load_bytes(skb, s->tcp_at, &copy, TCP_HEADER))
			return 0;
		tcp = &copy;
	}
	s->flags = tcp->flags;
	s->seq = bpf_ntohl(tcp->seq);
	s->ack = bpf_ntohl(tcp->ack);
	s->source = bpf_ntohs(tcp->source);
	s->dest = bpf_ntohs(tcp->dest);
	s->options_len = (tcp->offset >> 4) * 4 - TCP_HEADER;
	s->payload = skb->len - s->tcp_at - TCP_HEADER - s->options_len;
	return s->options_len <= MAX_OPTIONS && s->payload <= skb->len;
}

/* Keyed, so that a fingerprint says nothing of the cookie to who does not hold the key of this run. */
static __always_inline u32 fingerprint(const u8 *cookie, u32 len)
{
	u64 hash = COOKIE_SECRET_0 ^ len;

	for (u32 i = 0; i < MAX_COOKIE; i++)		/* behind its end the buffer is zero */
		hash = (hash ^ cookie[i]) * 0x100000001b3ULL;
	hash = (hash ^ COOKIE_SECRET_1 ^ (hash >> 32)) * 0x9e3779b97f4a7c15ULL;
	return hash >> 32;
}

/* Bytes before the cookie if this is a Fast Open option that counts (tcp_parse_fastopen_option), else 0. */
static __always_inline u32 is_fast_open(struct __sk_buff *skb, u32 at, u8 kind, u8 size)
{
	u8 magic[2];

	if (size & 1)
		return 0;
	if (kind == 34)
		return 2;
	if (kind != 254 || size < 4 || bpf_skb_load_bytes(skb, at + 2, magic, 2))
		return 0;
	return magic[0] == 0xf9 && magic[1] == 0x89 ? 4 : 0;
}

static __always_inline void read_cookie(struct __sk_buff *skb, u32 at, u32 len, struct options *o)
{
	u8 cookie[MAX_COOKIE] = {};

	if (len == 0) {
		o->cookie_len = 0;
		return;
	}
	if (len < MIN_COOKIE || len > MAX_COOKIE)
		return;
	asm volatile("" : "+r"(len));		/* or the compiler drops the bound that the verifier wants to see */
	len = ((len - 1) & (MAX_COOKIE - 1)) + 1;
	if (bpf_skb_load_bytes(skb, at, cookie, len))
		return;
	o->cookie_len = len;
	o->cookie_id = fingerprint(cookie, len);
}

static __always_inline void read_timestamps(struct __sk_buff *skb, u32 at, struct options *o)
{
	__be32 values[2];

	if (bpf_skb_load_bytes(skb, at, values, sizeof(values)))
		return;
	o->tsval = bpf_ntohl(values[0]);
	o->tsecr = bpf_ntohl(values[1]);
}

/*
 * Have the compiler read a struct again from the stack. There the verifier tracks no single byte unless it starts a word, so
 * it does not follow the rest of the program anew for each value that a byte may have.
 */
#define FORGET(variable) asm volatile("" : : "r"(&(variable)) : "memory")

/*
 * The options as Linux and others write them (tcp_options_write, net/ipv4/tcp_output.c): MSS, SACK permitted, timestamps, NOP,
 * window scale, then nothing, a cookie request or a cookie of 8 bytes, and NOPs. 0: they are different, ask for each.
 */
static __always_inline int read_usual_options(struct __sk_buff *skb, struct segment *s, struct options *o)
{
	u32 at = s->tcp_at + TCP_HEADER, len = s->options_len;
	u8 cookie[MAX_COOKIE] = {};
	__be32 *word = in_place(skb, at, 20);

	if (!word || len < 20 || bpf_ntohl(word[0]) >> 16 != 0x0204 || bpf_ntohl(word[1]) != 0x0402080a ||
	    bpf_ntohl(word[4]) >> 8 != 0x010303)
		return 0;
	if (len == 24) {
		word = in_place(skb, at, 24);
		if (!word || bpf_ntohl(word[5]) != 0x22020101)
			return 0;
		o->cookie_len = 0;
	} else if (len == 32) {
		word = in_place(skb, at, 32);
		if (!word || bpf_ntohl(word[5]) >> 16 != 0x220a || (bpf_ntohl(word[7]) & 0xffff) != 0x0101)
			return 0;
		__builtin_memcpy(cookie, (u8 *)word + 22, 8);
		o->cookie_len = 8;
		o->cookie_id = fingerprint(cookie, 8);
	} else if (len != 20) {
		return 0;
	}
	o->kind = len == 20 ? o->kind : STANDARD;
	o->tsval = bpf_ntohl(word[2]);
	o->tsecr = bpf_ntohl(word[3]);
	return 1;
}

/*
 * How far read_options is, and what it has found, from the first option on; 0 = nothing.
 *
 * The verifier follows a loop anew for each combination of values that it can tell apart, here a million instructions and
 * more. So the values live on the stack (volatile), as single bytes (it tracks none that do not start a word) and begin with
 * a 0 that it cannot see to be one.
 */
struct walk {
	u8 unused, at, timestamps_at, cookie_at, cookie_len, kind;
} __attribute__((aligned(8)));

/* As tcp_parse_options does it (net/ipv4/tcp_input.c): the last Fast Open option that counts wins. */
static __always_inline void read_options(struct __sk_buff *skb, struct segment *s, struct options *o, u64 now)
{
	u32 start = s->tcp_at + TCP_HEADER, len = s->options_len;
	volatile struct walk w;
	u8 none = now >> 63;

	if (read_usual_options(skb, s, o))
		return;
	w.at = w.timestamps_at = w.cookie_at = w.cookie_len = w.kind = none;
	for (int i = 0; i < MAX_OPTIONS; i++) {
		u8 head[2];				/* kind and size */
		u32 at = w.at, skip;

		if (at + 2 > len || bpf_skb_load_bytes(skb, start + at, head, 2) || head[0] == 0)
			break;
		if (head[0] == 1) {
			w.at = at + 1;
			continue;
		}
		if (head[1] < 2 || at + head[1] > len)
			break;
		if (head[0] == 8 && head[1] == 10)
			w.timestamps_at = at + 2;
		skip = is_fast_open(skb, start + at, head[0], head[1]);
		if (skip) {
			w.cookie_at = at + skip;
			w.cookie_len = head[1] - skip;
			w.kind = head[0];
		}
		w.at = at + head[1];
	}
	if (w.timestamps_at)
		read_timestamps(skb, start + w.timestamps_at, o);
	if (w.cookie_at)
		read_cookie(skb, start + w.cookie_at, w.cookie_len, o);
	if (o->cookie_len != NO_COOKIE_LEN)
		o->kind = w.kind == 34 ? STANDARD : EXPERIMENTAL;
}

/*
 * The connection that the segment belongs to, as `role` sees it. 0: there is no whole IP header.
 *
 * What comes in bears the addresses that its socket knows; what goes out may bear others by now, from a NAT of this host.
 */
static __always_inline int read_flow(struct __sk_buff *skb, struct segment *s, u8 ingress, u8 role, struct flow *flow)
{
	u8 *source = ingress ? flow->peer : flow->local, *dest = ingress ? flow->local : flow->peer;
	u8 *ip = (void *)(long)skb->data;

	if ((void *)(ip + 40) > (void *)(long)skb->data_end)
		return 0;
	if (s->v4) {
		source[10] = source[11] = dest[10] = dest[11] = 0xff;
		__builtin_memcpy(source + 12, ip + 12, 4);
		__builtin_memcpy(dest + 12, ip + 16, 4);
	} else {
		__builtin_memcpy(source, ip + 8, 16);
		__builtin_memcpy(dest, ip + 24, 16);
	}
	flow->local_port = ingress ? s->dest : s->source;
	flow->peer_port = ingress ? s->source : s->dest;
	flow->role = role;
	return 1;
}

#endif
