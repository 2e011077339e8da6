"""Whatever happens, in whatever order: tfotop's totals are those of the kernel.

Each case is a few hundred visits, failures and changes of settings, drawn at random. A case that fails prints its last
steps; `ANYTHING_SEED=N` runs another one.
"""

import os
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from tfotop.model.agreement import counted

from .bed import (
    Bed,
    Namespace,
    Server,
    begin,
    burst,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    settings,
    snapshot,
    until,
)
from .bed.filters import RULES, filtering
from .bed.handmade import Handmade
from .bed.segments import ACK, FIN, RST, Segment, experimental, fast_open
from .bed.traffic import MSG_FASTOPEN, Mode
from .watching import Sight

SEEDS = [int(os.environ["ANYTHING_SEED"])] if "ANYTHING_SEED" in os.environ else [1, 2]
STEPS, CHECK_EVERY, MOST_SERVERS = 240, 60, 4
FAIL = "TCPFastOpenActiveFail"
FOREIGN = b"abcdefgh"  # a cookie that no key here has made


class Host:
    """What may happen between a client, a server, and a stranger that sends what it likes."""

    def __init__(self, bed: Bed, seed: int) -> None:
        self.bed, self.draw = bed, random.Random(seed)
        self.stranger = Handmade(bed.client, bed.server)
        self.servers = [Server.start(bed.server, 16, family=socket.AF_INET6)]
        self.steps: list[str] = []

    def step(self) -> None:
        """One thing, drawn by weight. Whether it succeeds does not matter."""
        (act,) = self.draw.choices(list(ACTS), list(ACTS.values()))
        self.steps.append(act.__name__)
        with suppress(OSError):
            act(self)

    def where(self) -> tuple[str, int]:
        return self.draw.choice([self.bed.server.v4, self.bed.server.v6]), self.draw.choice(self.servers).port

    def maybe(self, share: float) -> bool:
        return self.draw.random() < share

    def serve(self, qlen: int | None, **how: object) -> None:
        self.servers.append(Server.start(self.bed.server, qlen, family=socket.AF_INET6, **how))
        if len(self.servers) > MOST_SERVERS:
            self.servers.pop(0).close()

    def cookie(self, target: str, port: int) -> bytes:
        return self.stranger.cookie(target, port) or FOREIGN


# The client's kernel


def visit(host: Host, local_port: int = 0) -> None:
    modes: list[Mode] = ["sendto", "connect_option", "plain"]
    exchange(
        host.bed.client,
        *host.where(),
        host.draw.choice([b"x", b"request" * 20, b"y" * 1200, b"z" * 3000, b""]),
        host.draw.choice(modes),
        blocking=host.maybe(0.5),
        no_cookie=host.maybe(0.2),
        timeout_s=0.3,
        local_port=local_port,
    )


def visit_from_used_ports(host: Host) -> None:
    visit(host, host.draw.randrange(20_000, 20_010))


def visit_past_a_filter(host: Host) -> None:
    where = host.draw.choice([host.bed.client, host.bed.server])
    with filtering(where, host.draw.choice([rule for rule in RULES if rule != "drop_tcp"])):
        visit(host)


def visit_a_closed_port(host: Host) -> None:
    exchange(host.bed.client, host.where()[0], 9, timeout_s=0.2)


def crowd(host: Host) -> None:
    with suppress(ValueError):  # a client that could not even begin prints no number
        burst(host.bed.client, *host.where(), host.draw.randrange(1, 40), at_once=host.draw.randrange(1, 20))


def change_of_mind(host: Host) -> None:
    with begin(host.bed.client, host.bed.server.v4) as sock:
        sock.setblocking(False)
        with suppress(OSError):
            sock.sendto(b"abort", MSG_FASTOPEN, (host.bed.server.v4, host.where()[1]))
        if host.maybe(0.5):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def listener_that_closes(host: Host) -> None:
    with listen(host.bed.server, 16, family=socket.AF_INET6) as listener:
        socks = [begin(host.bed.client, host.bed.server.v6) for _ in range(host.draw.randrange(1, 6))]
        for sock in socks:
            sock.setblocking(False)
            with suppress(OSError):
                sock.sendto(b"question", MSG_FASTOPEN, (host.bed.server.v6, port_of(listener)))
    for sock in socks:
        sock.close()


# The stranger


def syn_by_hand(host: Host) -> None:
    target, port = host.where()
    cookie = host.cookie(target, port)
    odd = [fast_open(b""), fast_open(FOREIGN), fast_open(b"abcd"), b"\x22\x03a\x01", b""]
    options = host.draw.choice([fast_open(cookie), experimental(cookie), *odd])
    syn = host.stranger.syn(port, options, host.draw.choice([b"", b"data", b"d" * 900]))
    answer = host.stranger.ask(target, syn, 0.3)
    if answer and host.maybe(0.6):
        host.stranger.reset(target, syn, answer)


def syn_again(host: Host) -> None:
    target, port = host.where()
    syn = host.stranger.syn(port, fast_open(host.cookie(target, port)), b"data")
    for _ in range(host.draw.randrange(2, 4)):
        host.stranger.send(target, syn)
        if host.maybe(0.5):
            syn = replace(syn, payload=host.draw.choice([b"", b"other"]), options=host.draw.choice([b"", syn.options]))
    answer = host.stranger.receive(syn.sport, 0.3)
    if answer and host.maybe(0.5):
        host.stranger.reset(target, syn, answer)


def handshake_by_hand(host: Host) -> None:
    target, port = host.where()
    cookie = host.draw.choice([host.cookie(target, port), FOREIGN, b""])
    syn = host.stranger.syn(port, fast_open(cookie), host.draw.choice([b"", b"data"]))
    answer = host.stranger.ask(target, syn, 0.3)
    if not answer or not answer.flags & ACK:
        return
    beside = host.draw.choice([0, 0, 0, 5, -7])
    more = host.draw.choice([b"", b"more"])
    follow = Segment(syn.sport, port, ACK, answer.ack, answer.seq + 1 + beside, b"", more)
    for _ in range(1 + host.maybe(0.4)):
        host.stranger.send(target, follow)
    if host.maybe(0.5):
        end = host.draw.choice([FIN | ACK, RST, RST | ACK])
        host.stranger.send(target, Segment(syn.sport, port, end, answer.ack + len(more), answer.seq + 1))
    if host.maybe(0.3):
        again = replace(syn, seq=host.draw.choice([syn.seq, 50_000, 7]))
        host.stranger.reset(target, again, host.stranger.ask(target, again, 0.1))


def flood(host: Host) -> None:
    target, port = host.where()
    for _ in range(host.draw.randrange(20, 100)):
        options = host.draw.choice([b"", fast_open(b""), fast_open(FOREIGN)])
        host.stranger.send(target, host.stranger.syn(port, options, host.draw.choice([b"", b"data"])))


# What an administrator does


def new_key(host: Host) -> None:
    rotate_key(host.bed.server, keep_old=host.maybe(0.5))


def server_mode(host: Host) -> None:
    settings.mode(host.bed.server, host.draw.choice([3, 3, 3, 1, 0, 2, 0x203, 0x603, 0x403]))


def client_mode(host: Host) -> None:
    settings.mode(host.bed.client, host.draw.choice([1, 1, 1, 0, 5, 3]))


def syn_cookies(host: Host) -> None:
    host.bed.server.sysctl("net.ipv4.tcp_syncookies", host.draw.choice([0, 1, 1, 2]))


def no_cached_cookies(host: Host) -> None:
    forget_cookies(host.bed.client)


def new_listener(host: Host) -> None:
    qlen, backlog = host.draw.choice([None, 0, 1, 2, 16]), host.draw.choice([0, 1, 128])
    host.serve(qlen, backlog=backlog, no_cookie=host.maybe(0.2))


def listener_with_keys(host: Host) -> None:
    host.serve(16, key=host.draw.randbytes(host.draw.choice([16, 32])))


ACTS: dict[Callable[[Host], None], int] = {
    visit: 30, visit_from_used_ports: 6, visit_past_a_filter: 3, visit_a_closed_port: 2, crowd: 3, change_of_mind: 8,
    listener_that_closes: 3, syn_by_hand: 6, syn_again: 5, handshake_by_hand: 12, flood: 2, new_key: 3, server_mode: 4,
    client_mode: 3, syn_cookies: 2, no_cached_cookies: 2, new_listener: 3, listener_with_keys: 2,
}  # fmt: skip


def differences(sight: Sight, namespace: Namespace) -> dict[str, tuple[int, int]]:
    """Counters that the totals do not explain, as (kernel, tfotop). A timeout may move ActiveFail too, once each."""
    kernel, ours = snapshot(namespace), counted(sight.totals(namespace))
    if 0 < kernel[FAIL] - ours[FAIL] <= kernel["TCPTimeouts"]:
        ours[FAIL] = kernel[FAIL]
    return {name: (kernel[name], ours[name]) for name in ours if kernel[name] != ours[name]}


def connections(sight: Sight, client: Namespace) -> tuple[int, int]:
    """SYNs that the client's kernel began with, and handshakes that tfotop saw of it."""
    totals = sum(t.handshakes for t in sight.totals(client) if t.role == "client")
    return snapshot(client)["ActiveOpens"], totals


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_totals_are_those_of_the_kernel(bed: Bed, sight: Sight, seed: int) -> None:
    host = Host(bed, seed)
    for number in range(1, STEPS + 1):
        host.step()
        if number % CHECK_EVERY == 0:
            print(f"seed {seed}, step {number}:", *host.steps[-CHECK_EVERY:])
            for namespace in (bed.client, bed.server):
                equal = partial(lambda namespace: not differences(sight, namespace), namespace)
                until(equal, 10, f"{namespace.label}: {differences(sight, namespace)}", every_s=0.05)
    until(lambda: len(set(connections(sight, bed.client))) == 1, 20, f"{connections(sight, bed.client)}", every_s=0.1)
