/*
 * The sensor: every TCP handshake of the host, both roles, IPv4 and IPv6, every network namespace.
 *
 * cgroup_skb programs at the root of cgroup v2 see each segment with its socket. A SYN that comes in meets the listener;
 * its SYN-ACK goes out with the listener, or with a child in SYN_RECV if the data in the SYN was accepted
 * (tcp_conn_request, net/ipv4/tcp_input.c). The hooks only look: each returns 1, go on.
 */
#include <uapi/linux/bpf.h>

#include "handshake.h"

#define SYN_SENT 2
#define SYN_RECV 3
#define FIN_WAIT1 4
#define LISTEN 10

#include "packet.h"
#include "kernel_state.h"
#include "tables.h"
#include "client.h"
#include "server.h"

#define GO_ON 1
#define SOCK_STREAM 1

/* The verifier walks each of these alone: together they have too many paths. User space fills the array. */
enum ingress_step { CLIENT_SYNACK, SERVER_SYN, SERVER_ACK, FIRST_BYTE, INGRESS_STEPS };
BPF_PROG_ARRAY(ingress_steps, INGRESS_STEPS);

enum egress_step { OUTGOING, EGRESS_STEPS };
BPF_PROG_ARRAY(egress_steps, EGRESS_STEPS);

/* What every packet of the host pays for. Reading bytes in place is several times cheaper than asking for them. */
struct glance {
	u32 at, payload;
	u8 v4, flags;
};

static __always_inline int glance(struct __sk_buff *skb, struct glance *g)
{
	u8 head[2], *tcp = (void *)(long)skb->data;
	u32 at = g->at = find_tcp(skb, &g->v4);

	if (!at)
		return 0;
	tcp += at & 0xfff;
	if (at <= 0xfff && (void *)(tcp + TCP_HEADER) <= (void *)(long)skb->data_end) {
		head[0] = tcp[12];
		head[1] = tcp[13];
	} else if (bpf_skb_load_bytes(skb, at + 12, head, 2)) {
		return 0;
	}
	g->flags = head[1];
	g->payload = skb->len - at - (head[0] >> 4) * 4;
	return 1;
}

/* Where the TCP header is goes with the few packets that matter, in the control block of the skb. */
static __always_inline int remember_place(struct __sk_buff *skb, struct glance *g)
{
	skb->cb[0] = g->at;
	skb->cb[1] = g->v4;
	return 1;
}

int ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct glance g;
	int step;

	if (!sk || !glance(skb, &g))
		return GO_ON;
	if (sk->state == SYN_SENT)
		step = CLIENT_SYNACK;
	else if (g.flags & SYN)
		step = SERVER_SYN;
	else if (sk->state == LISTEN || sk->state == SYN_RECV)
		step = SERVER_ACK;
	else if (sk->state != FIN_WAIT1 && !g.payload && !(g.flags & (FIN | RST)))
		return GO_ON;			/* an established connection comes here at once, */
	else {
		struct mark *mark = marks.sk_storage_get(sk, 0, 0);

		if (!mark)
			return GO_ON;		/* or here */
		if (sk->state == FIN_WAIT1 && mark->role == SERVER)
			step = SERVER_ACK;	/* a child that closed before the client's ACK came */
		else if (g.payload || g.flags & (FIN | RST))
			step = FIRST_BYTE;
		else
			return GO_ON;
	}
	remember_place(skb, &g);
	ingress_steps.call(skb, step);
	return GO_ON;
}

int egress(struct __sk_buff *skb)
{
	struct glance g;

	if (!skb->sk || !glance(skb, &g) || !(g.flags & SYN))
		return GO_ON;
	remember_place(skb, &g);
	egress_steps.call(skb, OUTGOING);
	return GO_ON;
}

/* What each step begins with. `netns` and `now` are set with `sk`, or not at all. */
#define BEGIN(is_ingress, its_role, wanted)					\
	struct options o = { .cookie_len = NO_COOKIE_LEN };			\
	struct segment s = {};							\
	struct flow flow = {};							\
	struct bpf_sock *sk = skb->sk;						\
	u64 now = bpf_ktime_get_ns();						\
	u32 netns;								\
										\
	if (!sk || !read_segment(skb, &s) || !(wanted))				\
		return GO_ON;							\
	sk = bpf_sk_fullsock(sk);						\
	if (!sk)								\
		return GO_ON;							\
	read_flow(skb, &s, is_ingress, its_role, &flow);			\
	netns = read_namespace(sk, &flow)

#define READ_OPTIONS()								\
	read_options(skb, &s, &o, now);						\
	FORGET(o)

int client_synack_step(struct __sk_buff *skb)
{
	BEGIN(1, CLIENT, s.flags & (SYN | RST));
	READ_OPTIONS();
	client_synack(&s, &o, &flow, now);
	return GO_ON;
}

int server_syn_step(struct __sk_buff *skb)
{
	BEGIN(1, SERVER, (s.flags & (ACK | RST)) == 0);
	READ_OPTIONS();
	server_syn(skb, sk, &s, &o, &flow, netns, now);
	return GO_ON;
}

int server_ack_step(struct __sk_buff *skb)
{
	BEGIN(1, SERVER, 1);
	server_ack(skb, sk, &s, &o, &flow, now);
	return GO_ON;
}

int first_byte_step(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	u64 now = bpf_ktime_get_ns();
	struct segment s = {};
	struct flow flow = {};
	struct mark *mark;

	if (!sk || !read_segment(skb, &s))
		return GO_ON;
	sk = bpf_sk_fullsock(sk);
	mark = sk ? marks.sk_storage_get(sk, 0, 0) : NULL;
	if (!mark)
		return GO_ON;
	read_flow(skb, &s, 1, mark->role, &flow);
	read_namespace(sk, &flow);
	connection_begins(&flow, &s, now);
	marks.sk_storage_delete(sk);
	return GO_ON;
}

int outgoing_step(struct __sk_buff *skb)
{
	BEGIN(0, s.flags & ACK ? SERVER : CLIENT, s.flags & SYN);
	READ_OPTIONS();
	if (s.flags & ACK)
		server_synack(sk, &s, &o, &flow, now);
	else if (sk->state == SYN_SENT)
		client_syn(skb, sk, &s, &o, &flow, netns, now);
	return GO_ON;
}

/* Runs in the process that connects, also for sendto(MSG_FASTOPEN): who it is. */
static __always_inline int remember_caller(struct bpf_sock_addr *ctx)
{
	struct mark caller = { .role = CLIENT, .pid = bpf_get_current_pid_tgid() >> 32 }, *mark;
	struct bpf_sock *sk = ctx->sk;

	if (!sk || ctx->type != SOCK_STREAM || ctx->protocol != TCP)
		return GO_ON;
	bpf_get_current_comm(caller.comm, sizeof(caller.comm));
	mark = marks.sk_storage_get(sk, &caller, BPF_SK_STORAGE_GET_F_CREATE);
	if (mark && mark->pid != caller.pid) {
		mark->pid = caller.pid;
		__builtin_memcpy(mark->comm, caller.comm, sizeof(mark->comm));
	}
	return GO_ON;
}

int connect4(struct bpf_sock_addr *ctx) { return remember_caller(ctx); }

int connect6(struct bpf_sock_addr *ctx) { return remember_caller(ctx); }

/* The application closes a client's socket: a SYN without an answer will get none now. */
int release(struct bpf_sock *ctx)
{
	struct mark *mark = marks.sk_storage_get(ctx, 0, 0);
	struct handshake *h;
	struct flow flow;
	u64 now;

	if (!mark || mark->role != CLIENT)
		return GO_ON;
	flow = mark->flow;
	h = handshakes.lookup(&flow);
	if (!h)
		return GO_ON;
	now = bpf_ktime_get_ns();
	if (h->outcome == UNDECIDED) {
		give_up(h, ctx->state == CLOSED, now);
		count(&flow, h);
		count_for_peer(&flow, h, now);
	}
	finish(&flow, h, now);
	return GO_ON;
}
