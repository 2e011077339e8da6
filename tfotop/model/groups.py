"""Peers taken together by network, port, process or namespace: a group reads like a peer, its counts are sums."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from tfotop.model.addresses import network
from tfotop.model.facts import Names
from tfotop.model.latency import median, rtt_us, typical_us
from tfotop.model.order import severity
from tfotop.model.state import PeerState
from tfotop.sample import Latency, Micros, Peer

UNKNOWN: Final = "-"


class GroupKey(NamedTuple):
    """One group: a kind of KINDS, the role (never mixed), and what its peers have in common, as text."""

    kind: str
    role: str
    name: str


class Group(PeerState, frozen=True, kw_only=True):
    """A group in the shape of a peer: outcomes are summed, times are medians of its peers' medians.

    ``cookie`` is that of the peer that is worst off; ``port`` 0 and no process: its peers differ.
    """

    key: GroupKey
    peers: int


def _netns(state: PeerState, names: Names) -> str:
    number = state.reading.netns
    return UNKNOWN if number is None else names.get(number) or str(number)


KINDS: Final[Mapping[str, Callable[[PeerState, Names], str]]] = {
    "network": lambda state, _: network(state.reading.address),
    "port": lambda state, _: str(state.reading.port),
    "process": lambda state, _: state.reading.process.comm if state.reading.process else UNKNOWN,
    "namespace": _netns,
}


def key_of(kind: str, state: PeerState, names: Names) -> GroupKey:
    """The group that a peer belongs to."""
    return GroupKey(kind, state.reading.role, KINDS[kind](state, names))


def grouped(states: Iterable[PeerState], kind: str, names: Names) -> list[Group]:
    """The groups of some peers."""
    members: dict[GroupKey, list[PeerState]] = {}
    for state in states:
        members.setdefault(key_of(kind, state, names), []).append(state)
    return [_group(key, found) for key, found in members.items()]


def _group(key: GroupKey, states: list[PeerState]) -> Group:
    worst = max(states, key=severity)
    readings = [state.reading for state in states]
    return Group(
        key=key,
        peers=len(states),
        reading=_reading(key, readings),
        interval=_summed(state.interval for state in states),
        cookie=worst.cookie,
        sample_mono_ns=max(state.sample_mono_ns for state in states),
    )


def _reading(key: GroupKey, peers: list[Peer]) -> Peer:
    newest = max(peers, key=lambda peer: peer.last_ns)
    ports, processes = {peer.port for peer in peers}, {peer.process for peer in peers}
    return Peer(
        netns=newest.netns if len({peer.netns for peer in peers}) == 1 else None,
        netns_cookie=None,
        role=key.role,
        address=key.name,
        port=newest.port if len(ports) == 1 else 0,
        first_ns=min(peer.first_ns for peer in peers),
        last_ns=newest.last_ns,
        outcomes=_summed(peer.outcomes for peer in peers),
        last_outcome=newest.last_outcome,
        last_reason=newest.last_reason,
        process=newest.process if len(processes) == 1 else None,
        rtt_us=_typical(map(rtt_us, peers)),
        with_tfo=Latency(recent_us=_typical(typical_us(peer.with_tfo) for peer in peers)),
        without_tfo=Latency(recent_us=_typical(typical_us(peer.without_tfo) for peer in peers)),
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    result: dict[str, int] = {}
    for one in counts:
        for name, number in one.items():
            result[name] = result.get(name, 0) + number
    return result


def _typical(values: Iterable[float | None]) -> Micros:
    """One value for all: the median of those that are known."""
    middle = median([value for value in values if value is not None])
    return Micros() if middle is None else Micros((round(middle),))
