"""The model and the handshakes as JSON, one object a line. Unknown is null, and a field is never left out."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from tfotop.model import latency
from tfotop.model.state import Model, NamespaceState, PeerState
from tfotop.sample import Handshake, Latency, Problem, Total

EVENT_FIELDS: Final = (
    "ts_ns",
    "role",
    "netns",
    "local",
    "peer",
    "pid",
    "comm",
    "outcome",
    "variant",
    "reason",
    "option",
    "cookie_len",
    "cookie_id",
    "new_cookie_len",
    "new_cookie_id",
    "syn_data_bytes",
    "syn_data_acked_bytes",
    "syn_retransmits",
    "handshake_rtt_us",
    "first_byte_us",
    "qlen",
    "max_qlen",
    "tcp_fastopen",
)
MOST_PEERS: Final = 100


def line(value: object) -> str:
    """One line of JSON, without its end."""
    return msgspec.json.encode(value).decode()


def event(handshake: Handshake) -> dict[str, Any]:
    """``tfotop events --json``: one handshake of one role."""
    return {name: getattr(handshake, name) for name in EVENT_FIELDS}


def stream(model: Model) -> dict[str, Any]:
    """``tfotop stream --json``: the model at the end of one interval, the peers seen last first, at most 100."""
    newest = list(model.peers.values())[: -MOST_PEERS - 1 : -1]
    return {
        "ts_ns": model.wall_ns,
        "interval_s": model.interval_s,
        "tier": model.tier,
        "btf": model.btf if model.attached else None,
        "agrees": model.agrees,
        "rates": {name: rate for name, rate in msgspec.structs.asdict(model.rates).items() if name != "counters"},
        "totals": _summed(model.totals, model.interval) if model.attached else None,
        "namespaces": [_namespace(n, model.attached and model.btf) for n in model.namespaces],
        "peers": [_peer(p) for p in newest] if model.attached else None,
        "peers_known": len(model.peers) if model.attached else None,
        "peers_evicted": model.peers_evicted if model.attached else None,
        "in_progress": model.in_progress,
        "losses": _fields(model.losses),
        "problems": [_problem(p) for p in model.problems],
        "cost": {"cpu_share": model.cpu_share, "rss_bytes": model.cost.rss_bytes if model.cost else None},
    }


def _fields(record: msgspec.Struct | None) -> dict[str, Any] | None:
    return msgspec.structs.asdict(record) if record is not None else None


def _problem(problem: Problem) -> dict[str, Any]:
    return msgspec.structs.asdict(problem)


def _summed(totals: Iterable[Total], interval: Iterable[Total]) -> list[dict[str, Any]]:
    """One row for each role, outcome, reason and variant: since the start, and over the interval."""
    rows: dict[tuple[str, str, str | None, str | None], list[int]] = {}
    for column, group in enumerate((totals, interval)):
        for t in group:
            rows.setdefault((t.role, t.outcome, t.reason, t.variant), [0, 0])[column] += t.handshakes
    names = ("role", "outcome", "reason", "variant")
    return [dict(zip(names, key, strict=True)) | {"handshakes": n, "interval": i} for key, (n, i) in rows.items()]


def _namespace(state: NamespaceState, told_apart: bool) -> dict[str, Any]:
    """``told_apart``: the sensor is there, and knows the namespaces."""
    reading = state.reading
    return {
        "netns": reading.inum,
        "name": reading.name,
        "own": reading.own,
        "processes": reading.processes,
        "agrees": state.agrees,
        "totals": _summed(state.totals, state.interval) if told_apart else None,
        "checks": [msgspec.structs.asdict(check) for check in state.checks],
        "counters": reading.counters,
        "interval": state.moved,
        "sysctls": _fields(reading.sysctls),
        "keys": _fields(reading.keys),
        "listeners": None if reading.listeners is None else [_fields(x) for x in reading.listeners],
        "metrics": None if reading.metrics is None else [_fields(x) for x in reading.metrics],
        "connections": None if reading.connections is None else [_fields(x) for x in reading.connections],
    }


def _latency(of: Latency) -> dict[str, Any]:
    return {"handshakes": of.count, "median_us": latency.typical_us(of)}


def _peer(state: PeerState) -> dict[str, Any]:
    peer = state.reading
    return {
        "netns": peer.netns,
        "role": peer.role,
        "address": peer.address,
        "port": peer.port,
        "process": _fields(peer.process),
        "outcomes": peer.outcomes,
        "interval": state.interval,
        "last_outcome": peer.last_outcome,
        "last_reason": peer.last_reason,
        "backup_key": peer.backup_key,
        "syn_retransmits": peer.syn_retransmits,
        "handshake_rtt_us": latency.rtt_us(peer),
        "with_tfo": _latency(peer.with_tfo),
        "without_tfo": _latency(peer.without_tfo),
        "rtt_delta_us": state.rtt_delta_us,
        "rtt_delta_rtts": state.rtt_delta_rtts,
    }
