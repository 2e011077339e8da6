"""Handshakes and snapshots as plain text, for a terminal, a log or a pager."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from tfotop.model import latency
from tfotop.model.state import Model, NamespaceState, PeerState
from tfotop.sample import Handshake, Losses, Total
from tfotop.views import format as show
from tfotop.views.format import count, milliseconds, printable, problem, reason_text, switch
from tfotop.words import CLIENT_BIT, SERVER_BIT

TIERS: Final = {0: "no privileges", 1: "root, no eBPF", 2: "eBPF exact"}
SHOWN_PEERS: Final = 20


def event(h: Handshake) -> str:
    """One handshake on one line."""
    clock = datetime.fromtimestamp(h.ts_ns / 1e9).astimezone().strftime("%H:%M:%S.%f")
    arrow = f"{h.peer} > {h.local}" if h.role == "server" else f"{h.local} > {h.peer}"
    head = " ".join([clock, f"{h.role:6}", arrow, _outcome(h)])
    return ", ".join([head, *_details(h)])


def _outcome(h: Handshake) -> str:
    words = h.outcome.replace("_", " ")
    if h.variant:
        words += f" ({h.variant.replace('_', ' ')})"
    reason = reason_text(h.reason, h.tcp_fastopen)
    return f"{words}: {reason}" if reason else words


def _details(h: Handshake) -> Iterator[str]:
    if h.cookie_len is not None:
        yield "cookie request" if h.cookie_len == 0 else f"cookie {h.cookie_len} B {h.cookie_id}"
    if h.option == "experimental":
        yield "option 254"
    if h.new_cookie_len:
        yield f"new cookie {h.new_cookie_len} B {h.new_cookie_id}"
    if h.syn_data_bytes:
        yield f"SYN data {h.syn_data_bytes} B ({count(h.syn_data_acked_bytes)} acked)"
    if h.qlen is not None and h.max_qlen is not None and h.outcome != "plain":
        yield f"queue {h.qlen}/{h.max_qlen}"
    if h.syn_retransmits:
        yield f"SYN sent {h.syn_retransmits + 1} times"
    yield f"rtt {milliseconds(h.handshake_rtt_us)} ms"
    yield f"first byte {milliseconds(h.first_byte_us)} ms"
    if h.comm is not None:
        yield f"{printable(h.comm)}[{h.pid}]"


def losses(lost: Losses) -> str | None:
    """What ``events`` could not print, in one line; ``None`` if it printed everything."""
    parts = []
    if lost.records_dropped:
        parts.append(f"{lost.records_dropped} handshakes not printed (the ring buffer was full)")
    if lost.handshakes_evicted:
        parts.append(f"{lost.handshakes_evicted} handshakes not followed to their end (the table was full)")
    return "; ".join(parts) or None


def agreement(agrees: bool | None) -> str:
    """Whether eBPF totals and the kernel's counters agree."""
    return {True: "agrees with the kernel", False: "DIFFERS from the kernel", None: "-"}[agrees]


def snapshot(model: Model) -> str:
    """A model as a page of text."""
    clock = datetime.fromtimestamp(model.wall_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    lines = [f"{clock}  {TIERS[model.tier]}  totals {agreement(model.agrees)}", _rates(model)]
    for state in model.namespaces:
        lines += _namespace(state)
    if model.attached and not model.btf:
        lines += ["", "all namespaces:", *_totals(model.totals)]
    if model.peers:
        lines += ["", PEER_TITLES, *map(_peer, list(model.peers.values())[: -SHOWN_PEERS - 1 : -1])]
    lines += [f"! {text}" for text in (*map(problem, model.problems), *show.losses(model))]
    return "\n".join(lines)


def _rates(model: Model) -> str:
    rates = model.rates
    values = (
        ("accepted", rates.accepted_per_s),
        ("requests", rates.requests_per_s),
        ("rejected", rates.rejected_per_s),
        ("queue full", rates.queue_full_per_s),
    )
    return "  ".join(f"{name} {show.rate(value)}/s" for name, value in values)


def _namespace(state: NamespaceState) -> Iterator[str]:
    reading = state.reading
    mode = reading.sysctls.tcp_fastopen if reading.sysctls else None
    key = f"{reading.keys.primary or 'none'}{' + backup' if reading.keys.backup else ''}" if reading.keys else "-"
    name = printable(reading.name) if reading.name else "this namespace" if reading.own else ""
    value = "-" if mode is None else f"{mode:#x}"
    yield ""
    yield (
        f"netns {reading.inum} {name}: server {switch(mode, SERVER_BIT)}  client {switch(mode, CLIENT_BIT)}"
        f"  tcp_fastopen {value}  key {key}"
    )
    for name, number in sorted((reading.counters or {}).items()):
        if name.startswith("TCPFastOpen"):
            moved = (state.moved or {}).get(name)
            check = next((c for c in state.checks if c.counter == name), None)
            seen = f"  tfotop {check.tfotop:+d} {'=' if check.agrees else 'DIFFERS'}" if check else ""
            yield f"  {name:32}{number:>14}" + (f" {moved:+d}" if moved is not None else "") + seen
    yield from _totals(state.totals)
    for listener in reading.listeners or ():
        owner = f"{printable(listener.process.comm)}[{listener.process.pid}]" if listener.process else "-"
        where = f"[{listener.address}]" if ":" in listener.address else listener.address
        yield f"  listener {where}:{listener.port}  Fast Open queue {count(listener.max_qlen)}  {owner}"


def _totals(totals: Iterable[Total]) -> Iterator[str]:
    """One line for each role, outcome and reason."""
    sums: Counter[tuple[str, str, str | None]] = Counter()
    for total in totals:
        sums[total.role, total.outcome, total.reason] += total.handshakes
    for (role, outcome, reason), handshakes in sums.items():
        what = outcome.replace("_", " ") + (f": {reason_text(reason)}" if reason else "")
        yield f"  {role:7}{what:44}{handshakes:>10}"


PEER_TITLES: Final = (
    f"{'PEER':40}{'ROLE':8}{'PORT':>6}{'ACCEPTED':>10}{'REJECTED':>10}{'RTT ms':>9}{'TFO ms':>9}{'PLAIN ms':>10}"
    f"{'SOONER ms':>11}{'RTTs':>6}"
)


def _peer(state: PeerState) -> str:
    peer = state.reading
    rtts = state.rtt_delta_rtts
    rejected = peer.outcomes.get("rejected", 0) + peer.outcomes.get("lost", 0)
    return (
        f"{peer.address:40}{peer.role:8}{peer.port:>6}{peer.outcomes.get('accepted', 0):>10}"
        f"{rejected:>10}{milliseconds(latency.rtt_us(peer)):>9}"
        f"{milliseconds(latency.typical_us(peer.with_tfo)):>9}{milliseconds(latency.typical_us(peer.without_tfo)):>10}"
        f"{milliseconds(state.rtt_delta_us):>11}{'-' if rtts is None else f'{rtts:.1f}':>6}"
    )
