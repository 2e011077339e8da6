"""The headline rates of one interval, of what is wanted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from tfotop.model.latency import rtt_us
from tfotop.model.selection import Selection
from tfotop.model.state import NamespaceState, PeerState, Rates
from tfotop.sample import Total


def rates_of(
    moved: Sequence[Total] | None,
    attached: bool,
    namespaces: Iterable[NamespaceState],
    changed: Sequence[PeerState],
    interval_s: float | None,
    wanted: Selection,
) -> Rates:
    """``moved``: the totals of the interval, ``None`` if not known; ``changed``: the peers that changed in it."""
    if interval_s is None:
        return Rates()
    places = [n for n in namespaces if wanted.netns in (None, n.reading.inum)]
    if moved is None or not _told_apart(moved, attached, wanted):
        rates = Rates()
    elif not attached:
        rates = _of_counters(places, interval_s, wanted.role)
    else:
        rates = _of_handshakes(moved, [p for p in changed if wanted.of_peer(p.reading)], interval_s, wanted)
    return replace(rates, counters=_counters(places, interval_s))


def _told_apart(moved: Sequence[Total], attached: bool, wanted: Selection) -> bool:
    """Whether the evidence knows what is wanted: counters do not know peers, nor totals without BTF namespaces."""
    if not attached:
        return not wanted.some_peers
    return wanted.netns is None or all(t.netns is not None for t in moved)


def _of_handshakes(moved: Sequence[Total], peers: Sequence[PeerState], interval_s: float, wanted: Selection) -> Rates:
    rows = [t for t in moved if wanted.of_total(t)]
    rates = _of_peers(peers, rows, interval_s) if wanted.some_peers else _of_totals(rows, interval_s)
    saved_us = sum(p.interval.get("accepted", 0) * (rtt_us(p.reading) or 0) for p in peers)
    return replace(rates, saved_s_per_s=saved_us / 1e6 / interval_s)


def _of_totals(rows: Sequence[Total], interval_s: float) -> Rates:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.outcome] += row.handshakes
    full = sum(row.handshakes for row in rows if row.reason == "queue_full")
    return replace(_of_outcomes(counts, interval_s), queue_full_per_s=full / interval_s)


def _of_peers(peers: Iterable[PeerState], rows: Iterable[Total], interval_s: float) -> Rates:
    """Totals know neither ports nor addresses, and peers no reasons: how often a queue was full is not known.

    Who was answered with a SYN cookie is no peer yet, so while there are such neither refusals are.
    """
    counts: Counter[str] = Counter()
    for peer in peers:
        counts.update(peer.interval)
    rates = _of_outcomes(counts, interval_s)
    hidden = any(row.reason == "syn_cookies" for row in rows)
    return replace(rates, requests_per_s=None, rejected_per_s=None) if hidden else rates


def _of_outcomes(counts: Counter[str], interval_s: float) -> Rates:
    return Rates(
        accepted_per_s=counts["accepted"] / interval_s,
        requests_per_s=(counts["cookie_granted"] + counts["cookie_refused"]) / interval_s,
        rejected_per_s=(counts["rejected"] + counts["lost"]) / interval_s,
    )


def _of_counters(namespaces: Iterable[NamespaceState], interval_s: float, role: str | None) -> Rates:
    """Without the sensor the kernel's counters still give the rates, though not the reasons."""
    rows = [n.moved for n in namespaces if n.moved is not None]

    def per_s(**names: str) -> float | None:
        wanted = [f"TCPFastOpen{name}" for of_role, name in names.items() if role in (None, of_role)]
        found = [row[name] for row in rows for name in wanted if name in row]
        return sum(found) / interval_s if found else None

    return Rates(
        accepted_per_s=per_s(client="Active", server="Passive"),
        requests_per_s=per_s(server="CookieReqd"),
        rejected_per_s=per_s(client="ActiveFail", server="PassiveFail"),
        queue_full_per_s=per_s(server="ListenOverflow"),
    )


def _counters(namespaces: Iterable[NamespaceState], interval_s: float) -> dict[str, float] | None:
    sums: defaultdict[str, int] = defaultdict(int)
    moves = [n.moved for n in namespaces if n.moved is not None]
    for name, moved in (item for move in moves for item in move.items()):
        if moved:
            sums[name] += moved
    return {name: moved / interval_s for name, moved in sums.items()} if moves else None
