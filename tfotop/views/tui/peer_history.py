"""What is known of one peer, beside the ladder of its handshake. What was not seen is not there, or is ``-``."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from tfotop.model import latency
from tfotop.model.fold import peer_key
from tfotop.model.latency import percentile_us
from tfotop.model.selection import split_endpoint
from tfotop.model.state import Model, PeerKey, PeerState
from tfotop.sample import Handshake, Latency, Metric
from tfotop.views.format import milliseconds, printable, reason_text
from tfotop.views.tui import handshake_columns
from tfotop.views.tui.handshake_columns import cut
from tfotop.views.tui.panels import sparkline
from tfotop.views.tui.trail import Moment
from tfotop.words import OUTCOMES

BARS: Final = 11
LAST: Final = 8


def of_peer(h: Handshake, state: PeerState) -> bool:
    """Whether a handshake is one of this peer, role and port."""
    address, port = split_endpoint(h.peer)
    if h.role == "server":
        port = split_endpoint(h.local)[1]
    peer = state.reading
    return (h.role, h.netns, address, port) == (peer.role, peer.netns, peer.address, peer.port)


def peer_of(state: PeerState) -> PeerKey:
    """The key of a peer in a model."""
    return peer_key(state.reading)


def key_of(model: Model, h: Handshake) -> PeerKey | None:
    """The key of the peer of a handshake, if the model has it."""
    address, port = split_endpoint(h.peer)
    if h.role == "server":
        port = split_endpoint(h.local)[1]
    cookies = [n.reading.cookie for n in model.namespaces if n.reading.inum == h.netns]
    keys = ((netns, h.role, address, port) for netns in (*cookies, h.netns))
    return next((key for key in keys if key in model.peers), None)


def lines(model: Model, state: PeerState, width: int, trail: Sequence[Moment], tight: bool = False) -> list[str]:
    """Who it is, its outcomes, times and cookie, and its last handshakes. ``tight``: what matters most comes first."""
    who, outcomes, times = list(_who(model, state)), list(_outcomes(state, trail)), list(_times(state))
    last = list(_handshakes(model, state))
    parts = [*outcomes, *times, *who, *last] if tight else [*who, "", *outcomes, "", *times, "", *last]
    return [cut(line.rstrip(), width) for line in parts]


def _who(model: Model, state: PeerState) -> Iterator[str]:
    peer = state.reading
    yield f"peer {printable(peer.address)}  port {peer.port}, here the {printable(peer.role)}"
    process = f"{printable(peer.process.comm)}[{peer.process.pid}]" if peer.process else "-"
    yield f"process {process}  first {_ago(model, peer.first_ns)}, last {_ago(model, peer.last_ns)}"
    yield f"cookie {state.cookie}" + (f"  {printable(peer.cookie_id)}" if peer.cookie_id else "")
    if peer.role == "client":
        yield _cached(model, state)


def _cached(model: Model, state: PeerState) -> str:
    """What the kernel's tcp_metrics have of this destination; only a client keeps cookies there."""
    reading = next((n.reading for n in model.namespaces if n.reading.inum == state.reading.netns), None)
    if reading is None or reading.metrics is None:
        return "tcp_metrics not known"
    found = [m for m in reading.metrics if m.destination == state.reading.address]
    return _metric(found[0]) if found else "tcp_metrics: no Fast Open entry for it"


def _metric(m: Metric) -> str:
    parts = []
    if m.fo_cookie_len:
        parts.append(f"cookie of {m.fo_cookie_len} B" + (f" {printable(m.fo_cookie_id)}" if m.fo_cookie_id else ""))
    else:
        parts.append("no cookie")
    parts += [f"age {_span(m.age_ms / 1000)}"] if m.age_ms is not None else []
    parts += [f"mss {m.fo_mss}"] if m.fo_mss else []
    parts += [f"{m.fo_syn_drops} SYN drops"] if m.fo_syn_drops else []
    return "tcp_metrics: " + ", ".join(parts)


def _ago(model: Model, at_ns: int) -> str:
    return f"{_span((model.mono_ns - at_ns) / 1e9)} ago" if at_ns <= model.mono_ns else "now"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _outcomes(state: PeerState, trail: Sequence[Moment]) -> Iterator[str]:
    """How often each came, and when."""
    peer = state.reading
    span = f"last {_span((trail[-1].mono_ns - trail[0].mono_ns) / 1e9)}" if len(trail) > 1 else ""
    yield f"{'OUTCOMES':15}{'ALL':>8}  {span}"
    names = [*OUTCOMES, *sorted(set(peer.outcomes) - set(OUTCOMES))]
    for name in (name for name in names if peer.outcomes.get(name)):
        why = f"  {reason_text(peer.last_reason)}" if name == peer.last_outcome and peer.last_reason else ""
        bars = over_time(trail, name, BARS) if len(trail) > 1 else ""
        yield f"{printable(name).replace('_', ' '):15}{peer.outcomes[name]:>8}  {bars}{printable(why)}"
    if peer.syn_retransmits:
        yield f"{'SYN sent again':15}{peer.syn_retransmits:>8}"


def over_time(trail: Sequence[Moment], name: str, width: int) -> str:
    """How many of an outcome came in each part of the time, as bars."""
    first, last = trail[0].mono_ns, trail[-1].mono_ns
    bins: list[float | None] = [0.0] * width
    for before, after in pairwise(trail):
        index = min(width - 1, (after.mono_ns - first - 1) * width // max(1, last - first))
        bins[index] = (bins[index] or 0) + max(0, after.outcomes.get(name, 0) - before.outcomes.get(name, 0))
    return sparkline(bins, width)


def _times(state: PeerState) -> Iterator[str]:
    peer = state.reading
    yield f"{'TIMES ms':15}{'SEEN':>8}{'p50':>8}{'p90':>8}  newest {latency.FEW}"
    yield _time("handshake RTT", Latency(count=len(peer.rtt_us), recent_us=peer.rtt_us), latency.rtt_us(peer))
    for title, of in (("1st byte, TFO", peer.with_tfo), ("1st byte, plain", peer.without_tfo)):
        yield _time(title, of, latency.typical_us(of))
    rtts = state.rtt_delta_rtts
    delta = milliseconds(state.rtt_delta_us)
    yield f"{'sooner by':15}{'':8}{delta:>8}{'-' if rtts is None else f'{rtts:.1f}':>8}  RTTs"


def _time(title: str, of: Latency, p50_us: float | None) -> str:
    p90_us = percentile_us(dict(of.buckets.items()), 0.9) if of.buckets else None
    bars = sparkline([float(us) for us in of.recent_us], min(BARS, max(1, len(of.recent_us))))
    return f"{title:15}{of.count:>8}{milliseconds(p50_us):>8}{milliseconds(p90_us):>8}  {bars}"


def _handshakes(model: Model, state: PeerState) -> Iterator[str]:
    """Its newest handshakes among those that are kept."""
    found = [h for h in reversed(model.handshakes) if of_peer(h, state)]
    yield f"{'LAST HANDSHAKES':27}{'RTT ms':>7}{'1st ms':>7} ({len(found)} kept)"
    for h in found[:LAST]:
        what = f"{handshake_columns.clock(h)} {handshake_columns.outcome(h)}"
        why = reason_text(h.reason) or ""
        yield f"{what:27}{milliseconds(h.handshake_rtt_us):>7}{milliseconds(h.first_byte_us):>7} {printable(why)}"
