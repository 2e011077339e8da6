"""The model's records: frozen, compared by value. Cumulative numbers since tfotop started; rates over one interval."""

import msgspec

from tfotop.model import latency
from tfotop.sample import Cost, Handshake, Keys, Losses, Namespace, Peer, Problem, Total


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The base of the model's records."""


class Check(State, frozen=True, kw_only=True):
    """One kernel counter over one interval beside what tfotop's totals say of it."""

    counter: str
    kernel: int
    tfotop: int
    agrees: bool


class NamespaceState(State, frozen=True, kw_only=True):
    """One network namespace: the newest reading, what moved in the interval, and whether it agrees with the totals.

    ``moved``: counters over the interval, ``None`` where there are not two readings. ``agrees``: ``None`` when it
    cannot be told (no sensor, no BTF, or the first interval). ``keys_before``: those before the last change that was
    seen; ``blackhole_ns``: when TCPFastOpenBlackhole was last seen to move; ``None`` if neither was.
    """

    reading: Namespace
    moved: dict[str, int] | None = None
    keys_before: Keys | None = None
    blackhole_ns: int | None = None
    totals: tuple[Total, ...] = ()
    interval: tuple[Total, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def agrees(self) -> bool | None:
        """Whether every counter agrees."""
        return all(check.agrees for check in self.checks) if self.checks else None


class PeerState(State, frozen=True, kw_only=True):
    """One peer, role and port: the kernel's newest reading and what came in the last interval in which it changed.

    ``cookie``: one word for the state of its cookie, as in model/peers.py.
    """

    reading: Peer
    interval: dict[str, int]
    cookie: str
    sample_mono_ns: int

    @property
    def rtt_delta_us(self) -> float | None:
        """How much sooner the first byte comes with Fast Open."""
        return latency.rtt_delta_us(self.reading)

    @property
    def rtt_delta_rtts(self) -> float | None:
        """The same in units of the handshake RTT."""
        return latency.rtt_delta_rtts(self.reading)


class Rates(State, frozen=True, kw_only=True):
    """The headline, per second over one interval; ``None`` without the sensor and without counters.

    ``saved_s_per_s`` is an estimate: accepted handshakes x handshake RTT. ``counters``: the kernel's, summed over the
    namespaces, without those that did not move.
    """

    accepted_per_s: float | None = None
    requests_per_s: float | None = None
    rejected_per_s: float | None = None
    queue_full_per_s: float | None = None
    saved_s_per_s: float | None = None
    counters: dict[str, float] | None = None


PeerKey = tuple[int | None, str, str, int]


class Model(State, frozen=True, kw_only=True):
    """Everything that a view may show."""

    wall_ns: int
    mono_ns: int
    started_ns: int
    interval_s: float | None
    tier: int
    btf: bool
    namespaces: tuple[NamespaceState, ...]
    totals: tuple[Total, ...]
    interval: tuple[Total, ...]
    peers: dict[PeerKey, PeerState]
    handshakes: tuple[Handshake, ...]
    rates: Rates
    history: tuple[Rates, ...]
    losses: Losses | None
    in_progress: int | None
    problems: tuple[Problem, ...]
    cost: Cost | None
    cpu_share: float | None
    peers_evicted: int
    attached_ns: int | None

    @property
    def attached(self) -> bool:
        """Whether the sensor was there for the newest sample."""
        return self.attached_ns is not None

    @property
    def own(self) -> NamespaceState | None:
        """The namespace that tfotop itself runs in."""
        return next((n for n in self.namespaces if n.reading.own), None)

    @property
    def place(self) -> NamespaceState | None:
        """The namespace that the first line is about: tfotop's own, or the only one that was asked for."""
        return self.own or (self.namespaces[0] if len(self.namespaces) == 1 else None)

    @property
    def agrees(self) -> bool | None:
        """Whether totals and kernel agree in every namespace that can be compared."""
        known = [n.agrees for n in self.namespaces if n.agrees is not None]
        return all(known) if known else None
