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

    ``cookie`` is that of the peer that is worst off; ``port`` 0 and no process: its peers differ. The RTT delta is the
    median of its peers' own: those with Fast Open and those without may be others, near ones and far ones.
    """

    key: GroupKey
    peers: int
    delta_us: float | None
    delta_rtts: float | None

    @property
    def rtt_delta_us(self) -> float | None:
        """How much sooner the first byte comes with Fast Open, for a typical peer."""
        return self.delta_us

    @property
    def rtt_delta_rtts(self) -> float | None:
        """The same in units of the peer's handshake RTT."""
        return self.delta_rtts


class Times(NamedTuple):
    """The medians of one peer, in microseconds."""

    rtt: float | None
    with_tfo: float | None
    without_tfo: float | None

    @property
    def delta(self) -> float | None:
        """As rtt_delta_us, without another look at the values."""
        return None if self.with_tfo is None or self.without_tfo is None else self.without_tfo - self.with_tfo


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
    times = [Times(rtt_us(peer), typical_us(peer.with_tfo), typical_us(peer.without_tfo)) for peer in readings]
    return Group(
        key=key,
        peers=len(states),
        delta_us=median([t.delta for t in times if t.delta is not None]),
        delta_rtts=median([t.delta / t.rtt for t in times if t.delta is not None and t.rtt]),
        reading=_reading(key, readings, times),
        interval=_summed(state.interval for state in states),
        cookie=worst.cookie,
        sample_mono_ns=max(state.sample_mono_ns for state in states),
    )


def _reading(key: GroupKey, peers: list[Peer], times: list[Times]) -> Peer:
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
        rtt_us=_typical(t.rtt for t in times),
        with_tfo=Latency(recent_us=_typical(t.with_tfo for t in times)),
        without_tfo=Latency(recent_us=_typical(t.without_tfo for t in times)),
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
