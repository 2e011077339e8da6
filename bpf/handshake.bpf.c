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
#define NEW_SYN_RECV 12

#include "packet.h"
#include "kernel_state.h"
#include "tables.h"
#include "peers.h"
#include "verdict.h"
#include "progress.h"
#include "nat.h"
#include "client.h"
#include "revision.h"
#include "unseen.h"
#include "server.h"

#define GO_ON 1
#define SOCK_STREAM 1

/* The verifier walks each of these alone: together they have too many paths. User space fills the array. */
enum ingress_step { CLIENT_SYNACK, SERVER_SYN, SERVER_ACK, FIRST_BYTE, INGRESS_STEPS };
BPF_PROG_ARRAY(ingress_steps, INGRESS_STEPS);

enum egress_step { CLIENT_SYN, SERVER_SYNACK, EGRESS_STEPS };
BPF_PROG_ARRAY(egress_steps, EGRESS_STEPS);

/* What every packet of the host pays for. */
struct glance {
	u32 at, payload;
	u16 source, dest;
	u8 v4, flags;
};

static __always_inline int glance(struct __sk_buff *skb, struct glance *g)
{
	u32 at = g->at = find_tcp(skb, &g->v4);
	u8 head[14], *tcp;

	if (!at)
		return 0;
	tcp = in_place(skb, at, TCP_HEADER);
	if (tcp) {
		g->source = bpf_ntohs(*(__be16 *)tcp);
		g->dest = bpf_ntohs(*(__be16 *)(tcp + 2));
		head[12] = tcp[12];
		head[13] = tcp[13];
	} else {
		if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
			return 0;
		g->source = head[0] << 8 | head[1];
		g->dest = head[2] << 8 | head[3];
	}
	g->flags = head[13];
	g->payload = skb->len - at - (head[12] >> 4) * 4;
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
	struct bpf_tcp_sock *tp;
	struct glance g;
	int step;

	if (!sk || !glance(skb, &g))
		return GO_ON;
	if (sk->state == SYN_SENT && g.flags & (SYN | RST))
		step = CLIENT_SYNACK;
	else if (sk->state == SYN_SENT && (g.payload || g.flags & FIN))
		step = FIRST_BYTE;	/* behind a SYN-ACK that still waits for the socket (sk_add_backlog) */
	else if (sk->state == SYN_SENT)
		return GO_ON;
	else if (g.flags & SYN)
		step = SERVER_SYN;
	else if (sk->state == LISTEN || sk->state == SYN_RECV)
		step = SERVER_ACK;
	else if (sk->state != FIN_WAIT1 && !g.payload && !(g.flags & (FIN | RST)))
		return GO_ON;		/* an established connection comes here at once, */
	else {
		tp = expects_first_byte(g.source, g.dest) ? bpf_tcp_sock(sk) : NULL;
		if (!tp)
			return GO_ON;	/* or here: what is behind calls into the kernel */
		if (sk->state == FIN_WAIT1 && !tp->bytes_acked)
			step = SERVER_ACK;	/* a child that closed before the client's ACK came? */
		else if (!tp->bytes_received && (g.payload || g.flags & (FIN | RST)))
			step = FIRST_BYTE;
		else
			return GO_ON;
	}
	remember_place(skb, &g);
	ingress_steps.call(skb, step);
	return GO_ON;
}

/* States in which a SYN or a SYN-ACK goes out. A child may have been closed before the client's ACK came: FIN_WAIT1. */
static __always_inline int sends_syn(u32 state)
{
	return state == SYN_SENT || state == SYN_RECV || state == LISTEN || state == NEW_SYN_RECV || state == FIN_WAIT1;
}

int egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct glance g;
	int step;

	if (!sk || !sends_syn(sk->state) || !glance(skb, &g) || !(g.flags & SYN))
		return GO_ON;
	remember_place(skb, &g);
	step = g.flags & ACK ? SERVER_SYNACK : CLIENT_SYN;
	egress_steps.call(skb, step);
	return GO_ON;
}

/* What each step begins with. `netns` and `now` are set with `sk`, or not at all. */
#define BEGIN(wanted, its_flow)							\
	struct options o = { .cookie_len = NO_COOKIE_LEN };			\
	struct segment s = {};							\
	struct flow flow = {};							\
	struct bpf_sock *sk = skb->sk;						\
	u64 now = bpf_ktime_get_ns();						\
	u32 netns;								\
										\
	if (!sk || !read_segment(skb, &s) || !(wanted) || !(its_flow))		\
		return GO_ON;							\
	sk = bpf_sk_fullsock(sk);						\
	if (!sk)								\
		return GO_ON;							\
	netns = read_namespace(sk, &flow)

#define READ_OPTIONS()								\
	read_options(skb, &s, &o, now);						\
	FORGET(o)

int client_synack_step(struct __sk_buff *skb)
{
	BEGIN(s.flags & (SYN | RST), read_flow(skb, &s, 1, CLIENT, &flow));
	expect_first_byte(&flow);
	READ_OPTIONS();
	client_synack(&s, &o, &flow, now);
	return GO_ON;
}

int server_syn_step(struct __sk_buff *skb)
{
	BEGIN((s.flags & (ACK | RST)) == 0, read_flow(skb, &s, 1, SERVER, &flow));
	expect_first_byte(&flow);
	READ_OPTIONS();
	server_syn(skb, sk, &s, &o, &flow, netns, now);
	return GO_ON;
}

int server_ack_step(struct __sk_buff *skb)
{
	BEGIN(1, read_flow(skb, &s, 1, SERVER, &flow));
	expect_first_byte(&flow);
	if (server_ack(skb, sk, &s, &o, &flow, now))
		ingress_steps.call(skb, FIRST_BYTE);	/* not a child, then */
	return GO_ON;
}

/* Either role: the handshakes in progress know which, and a client's port is nearly always the higher. */
int first_byte_step(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	u64 now = bpf_ktime_get_ns();
	struct segment s = {};
	struct flow flow = {};

	if (!sk || !read_segment(skb, &s) || !read_flow(skb, &s, 1, s.source < s.dest ? CLIENT : SERVER, &flow))
		return GO_ON;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return GO_ON;
	read_namespace(sk, &flow);
	if (connection_begins(&flow, &s, now))
		return GO_ON;
	flow.role = !flow.role;
	connection_begins(&flow, &s, now);
	return GO_ON;
}

int client_syn_step(struct __sk_buff *skb)
{
	BEGIN(s.flags & SYN && sk->state == SYN_SENT, read_own_flow(skb, sk, &s, CLIENT, &flow));
	expect_first_byte(&flow);
	READ_OPTIONS();
	client_syn(skb, sk, &s, &o, &flow, netns, now);
	return GO_ON;
}

int server_synack_step(struct __sk_buff *skb)
{
	BEGIN(s.flags & SYN, read_own_flow(skb, sk, &s, SERVER, &flow));
	expect_first_byte(&flow);
	READ_OPTIONS();
	server_synack(sk, &s, &o, &flow, now);
	return GO_ON;
}

/* Runs in the process that connects, also for sendto(MSG_FASTOPEN): who it is. */
static __always_inline int remember_caller(struct bpf_sock_addr *ctx)
{
	struct caller *caller;
	u64 cookie;

	if (ctx->type != SOCK_STREAM || ctx->protocol != TCP)
		return GO_ON;
	cookie = bpf_get_socket_cookie(ctx);
	caller = caller_of(cookie);
	if (!caller)
		return GO_ON;
	caller->cookie = cookie;
	caller->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(caller->comm, sizeof(caller->comm));
	return GO_ON;
}

int connect4(struct bpf_sock_addr *ctx) { return remember_caller(ctx); }

int connect6(struct bpf_sock_addr *ctx) { return remember_caller(ctx); }

/* The application closes a client's socket: a SYN without an answer will get none now. */
int release(struct bpf_sock *ctx)
{
	u64 cookie = bpf_get_socket_cookie(ctx), now;
	struct caller *caller = caller_of(cookie);
	struct handshake *h;
	struct flow flow;

	if (!caller || caller->cookie != cookie)
		return GO_ON;
	flow = caller->flow;
	h = handshakes.lookup(&flow);
	if (!h || h->socket_cookie != cookie)
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
