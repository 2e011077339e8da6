"""fold(model, sample) -> model: the only way in which a model comes to be. Same samples in, same model out."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec.structs import force_setattr

from tfotop.model import agreement
from tfotop.model.peers import NONE, cookie_status
from tfotop.model.rates import rates_of
from tfotop.model.selection import Selection
from tfotop.model.state import Check, Model, NamespaceState, PeerKey, PeerState
from tfotop.sample import Handshake, Keys, Namespace, Peer, Sample, SensorReading, Total

MOST_PEERS: Final = 65_536
MOST_HANDSHAKES: Final = 1_000
MOST_HISTORY: Final = 900  # 15 minutes of seconds

SELDOM_CHANGED: Final = ("address", "first_ns", "cookie_id", "socket_cookie", "with_tfo", "without_tfo")

TotalKey = tuple[int | None, str, str, str | None, str | None, bool, bool]


def fold(model: Model | None, sample: Sample, most_peers: int | None = None, wanted: Selection | None = None) -> Model:
    """The model after ``sample``, with the ``most_peers`` (default: MOST_PEERS) that were seen last.

    Its rates are those of what is ``wanted``; all else is whole, see Selection.apply.
    A clock that ran backwards, or a sensor that began anew, costs the interval only.
    """
    sensor = sample.sensor
    span_ns = sample.mono_ns - model.mono_ns if model else 0
    interval_s = span_ns / 1e9 if span_ns > 0 else None
    totals = sensor.totals if sensor else ()
    moved = _moved_totals(model, sensor)
    peers, evicted = fold_peers(model.peers if model else {}, sensor, sample.mono_ns, most_peers or MOST_PEERS)
    namespaces = _namespaces(model, sample, totals, moved or ())
    changed = [peers[key] for key in map(peer_key, sensor.peers if sensor else ()) if key in peers]
    rates = rates_of(moved, sensor is not None, namespaces, changed, interval_s, wanted or Selection())
    return Model(
        wall_ns=sample.wall_ns,
        mono_ns=sample.mono_ns,
        started_ns=model.started_ns if model else sample.mono_ns,
        interval_s=interval_s,
        tier=sample.tier,
        btf=bool(sensor and sensor.btf),
        namespaces=namespaces,
        totals=totals,
        interval=moved or (),
        peers=peers,
        handshakes=_newest(model.handshakes if model else (), sensor),
        rates=rates,
        history=((*model.history, rates) if model else (rates,))[-MOST_HISTORY:],
        losses=sensor.losses if sensor else None,
        in_progress=sensor.in_progress if sensor else None,
        problems=sample.problems,
        cost=sample.cost,
        cpu_share=_cpu_share(model, sample, span_ns),
        peers_evicted=(model.peers_evicted if model else 0) + evicted,
        attached_ns=sensor.attached_ns if sensor else None,
    )


def _same_sensor(model: Model | None, sensor: SensorReading | None) -> bool:
    return model is not None and sensor is not None and model.attached_ns == sensor.attached_ns


def _moved_totals(model: Model | None, sensor: SensorReading | None) -> tuple[Total, ...] | None:
    """What came since the last sample, or since the sensor was attached; ``None`` when that cannot be told."""
    if sensor is None:
        return ()
    if model is not None and _same_sensor(model, sensor):
        rows = difference(sensor.totals, model.totals)
        # With BTF each row has its namespace; those without are of namespaces long gone, added up (sources/totals.py).
        return tuple(t for t in rows if t.netns is not None) if sensor.btf else rows
    return sensor.totals if model is None or sensor.attached_ns > model.mono_ns else None


def key_of(total: Total) -> TotalKey:
    """What tells one row of totals from another."""
    netns = total.netns_cookie or total.netns
    return (netns, total.role, total.outcome, total.reason, total.variant, total.data, total.request)


def difference(now: Iterable[Total], before: Iterable[Total]) -> tuple[Total, ...]:
    """Rows that moved between two readings, each with the handshakes of the interval."""
    old = {key_of(total): total.handshakes for total in before}
    rows = ((total, total.handshakes - old.get(key_of(total), 0)) for total in now)
    return tuple(_with_handshakes(total, count) for total, count in rows if count > 0)


def _with_handshakes(t: Total, handshakes: int) -> Total:
    return Total(
        netns=t.netns,
        netns_cookie=t.netns_cookie,
        role=t.role,
        outcome=t.outcome,
        reason=t.reason,
        variant=t.variant,
        data=t.data,
        request=t.request,
        handshakes=handshakes,
    )


def _all_namespaces(sample: Sample, totals: Iterable[Total]) -> list[Namespace]:
    """The namespaces read, and those that only the totals still know."""
    cookies = {n.cookie for n in sample.namespaces}
    inums = {n.inum for n in sample.namespaces if n.cookie is None}
    named = {(t.netns, t.netns_cookie): None for t in totals if t.netns is not None}
    gone = [(inum, cookie) for inum, cookie in named if cookie not in cookies and inum not in inums]
    return [*sample.namespaces, *(Namespace(inum=inum, cookie=cookie) for inum, cookie in gone)]


def _namespaces(
    model: Model | None, sample: Sample, totals: tuple[Total, ...], moved: tuple[Total, ...]
) -> tuple[NamespaceState, ...]:
    """Each namespace with its share of the totals: an inode number alone may have been used again."""
    same_sensor = model is not None and model.btf and _same_sensor(model, sample.sensor)
    before = {(n.reading.inum, n.reading.cookie): n for n in model.namespaces} if model else {}
    total_rows, moved_rows = _Rows(totals), _Rows(moved)
    result = []
    for reading in _all_namespaces(sample, totals):
        old, mine = before.get((reading.inum, reading.cookie)), total_rows.of(reading)
        checks: tuple[Check, ...] = ()
        if old and same_sensor:
            checks = agreement.checks(reading, old.reading, agreement.counted(mine), agreement.counted(old.totals))
        result.append(
            NamespaceState(
                reading=reading,
                moved=_moved(reading, old.reading) if old else None,
                keys_before=_keys_before(reading, old),
                blackhole_ns=_blackhole_ns(reading, old, sample.mono_ns),
                totals=mine,
                interval=moved_rows.of(reading),
                checks=checks,
            )
        )
    return tuple(result)


class _Rows:
    """Rows of totals by namespace: by its cookie where both know it, else by its inode number."""

    def __init__(self, totals: Iterable[Total]) -> None:
        self._by_cookie: dict[int | None, list[Total]] = defaultdict(list)
        self._by_inum: dict[int | None, list[Total]] = defaultdict(list)
        for total in totals:
            self._by_cookie[total.netns_cookie].append(total)
            self._by_inum[total.netns].append(total)

    def of(self, namespace: Namespace) -> tuple[Total, ...]:
        by_inum = self._by_inum.get(namespace.inum, [])
        if namespace.cookie is None:
            return tuple(by_inum)
        without_cookie = (total for total in by_inum if total.netns_cookie is None)
        return (*self._by_cookie.get(namespace.cookie, ()), *without_cookie)


def _moved(now: Namespace, before: Namespace) -> dict[str, int] | None:
    if now.counters is None or before.counters is None:
        return None
    return {name: value - before.counters[name] for name, value in now.counters.items() if name in before.counters}


def _keys_before(now: Namespace, old: NamespaceState | None) -> Keys | None:
    """The keys before the last change; a reading that failed is none."""
    if old is None:
        return None
    changed = now.keys is not None and old.reading.keys is not None and now.keys != old.reading.keys
    return old.reading.keys if changed else old.keys_before


def _blackhole_ns(now: Namespace, old: NamespaceState | None, mono_ns: int) -> int | None:
    """When blackhole protection was last seen to begin."""
    if old is None:
        return None
    moved = _moved(now, old.reading)
    return mono_ns if moved and moved.get("TCPFastOpenBlackhole") else old.blackhole_ns


def peer_key(peer: Peer) -> PeerKey:
    """What tells one peer from another."""
    return (peer.netns_cookie or peer.netns, peer.role, peer.address, peer.port)


def fold_peers(
    peers: dict[PeerKey, PeerState], sensor: SensorReading | None, mono_ns: int, most: int
) -> tuple[dict[PeerKey, PeerState], int]:
    """The peers with those that changed put last, and how many had to go."""
    if sensor is None or not sensor.peers:
        return peers, 0
    result, known = dict(peers), dict[tuple[tuple[str, int], ...], dict[str, int]]()
    for peer in sensor.peers:
        state = _peer(peer, result.pop(peer_key(peer), None), mono_ns, known)
        result[peer_key(peer)] = state  # a key of what the two readings share
    evicted = max(0, len(result) - most)
    for key in list(result)[:evicted]:
        del result[key]
    return result, evicted


def _peer(
    peer: Peer, before: PeerState | None, mono_ns: int, known: dict[tuple[tuple[str, int], ...], dict[str, int]]
) -> PeerState:
    """What is new since the last reading; a peer that the kernel had forgotten meanwhile begins anew.

    ``known``: the intervals of other peers, of which many are alike: one dict does for all of them.
    """
    same = before if before and before.reading.first_ns == peer.first_ns else None
    if before:
        _share(peer, before.reading)
    old = same.reading.outcomes if same else {}
    interval = {name: n - old.get(name, 0) for name, n in peer.outcomes.items() if n > old.get(name, 0)}
    cookie = cookie_status(peer, interval, before.cookie if before else NONE)
    interval = known.setdefault(tuple(interval.items()), interval)
    return PeerState(reading=peer, interval=interval, cookie=cookie, sample_mono_ns=mono_ns)


def _share(peer: Peer, before: Peer) -> None:
    """What stayed the same is kept once, for as long as a screen shows the reading before: 4 MB at 10,000 peers."""
    for name in SELDOM_CHANGED:
        old = getattr(before, name)
        if old == getattr(peer, name):
            force_setattr(peer, name, old)


def _newest(handshakes: tuple[Handshake, ...], sensor: SensorReading | None) -> tuple[Handshake, ...]:
    return (*handshakes, *sensor.handshakes)[-MOST_HANDSHAKES:] if sensor and sensor.handshakes else handshakes


def _cpu_share(model: Model | None, sample: Sample, span_ns: int) -> float | None:
    if model is None or model.cost is None or sample.cost is None or span_ns <= 0:
        return None
    return (sample.cost.cpu_ns - model.cost.cpu_ns) / span_ns
