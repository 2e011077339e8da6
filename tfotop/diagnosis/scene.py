"""One network namespace of a Model with all that was seen in it, and the words for how often."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple

from tfotop.diagnosis.finding import Evidence
from tfotop.diagnosis.places import endpoint, of_peer
from tfotop.model.selection import split_endpoint
from tfotop.model.state import Model, NamespaceState, PeerKey, PeerState
from tfotop.sample import Handshake, Listener, Namespace, Total

REFUSED: Final = ("cookie_refused", "rejected", "lost", "unanswered")
SENSOR: Final = "eBPF, at each handshake"


class Seen(NamedTuple):
    """Handshakes since the start and in the last interval; ``per_s`` of the latter, ``None`` before there is one."""

    handshakes: int
    now: int
    per_s: float | None

    @property
    def words(self) -> str:
        """``30 handshakes (5/s)``."""
        number = f"{self.handshakes} handshake{'' if self.handshakes == 1 else 's'}"
        if self.per_s is None:
            return number
        rate = "none now" if not self.now else "<1/s" if self.per_s < 1 else f"{self.per_s:.0f}/s"
        return f"{number} ({rate})"


class Crowd:
    """The peers of a model by the cookie (else the inode number) of their namespace.

    With tens of thousands of peers to go through them is dear: each question does it once, and only if it is asked.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._with = dict[tuple[str, str], Mapping[int | None, Sequence[PeerState]]]()

    @cached_property
    def all(self) -> Mapping[int | None, Sequence[PeerState]]:
        """Every peer."""
        return _by_namespace(self._model.peers.items())

    def with_outcome(self, role: str, outcome: str) -> Mapping[int | None, Sequence[PeerState]]:
        """Those of this role that had this outcome."""
        if (role, outcome) not in self._with:
            peers = self._model.peers.items()
            had = ((key, state) for key, state in peers if key[1] == role and state.reading.outcomes.get(outcome))
            self._with[role, outcome] = _by_namespace(had)
        return self._with[role, outcome]

    @cached_property
    def newest(self) -> Mapping[int | None, Sequence[PeerState]]:
        """Those that changed in the last interval."""
        return _by_namespace(changed_peers(self._model))


def changed_peers(model: Model) -> Iterator[tuple[PeerKey, PeerState]]:
    """The peers that changed in the last interval, newest first: fold puts them last."""
    for key in reversed(list(model.peers)):
        if model.peers[key].sample_mono_ns != model.mono_ns:
            return
        yield key, model.peers[key]


def _by_namespace(items: Iterable[tuple[PeerKey, PeerState]]) -> dict[int | None, list[PeerState]]:
    result: dict[int | None, list[PeerState]] = defaultdict(list)
    for key, state in items:
        result[key[0]].append(state)
    return result


class Scene:
    """A namespace, or (``state`` None) all handshakes of a sensor that cannot tell namespaces apart."""

    def __init__(self, model: Model, state: NamespaceState | None, crowd: Crowd) -> None:
        self.model, self.state, self._crowd = model, state, crowd
        self.place: Namespace | None = state.reading if state else None
        self.totals: tuple[Total, ...] = state.totals if state else tuple(t for t in model.totals if t.netns is None)
        self.interval: tuple[Total, ...] = (
            state.interval if state else tuple(t for t in model.interval if t.netns is None)
        )

    @property
    def inum(self) -> int | None:
        """Its inode number."""
        return self.place.inum if self.place else None

    @property
    def gone(self) -> bool:
        """Nothing of it can be read any more, nor mended."""
        place = self.place
        return place is not None and place.counters is None and place.sysctls is None and place.listeners is None

    @property
    def mode(self) -> int | None:
        """net.ipv4.tcp_fastopen."""
        return self.place.sysctls.tcp_fastopen if self.place and self.place.sysctls else None

    @property
    def syncookies(self) -> int | None:
        """net.ipv4.tcp_syncookies."""
        return self.place.sysctls.tcp_syncookies if self.place and self.place.sysctls else None

    @property
    def max_syn_backlog(self) -> int | None:
        """net.ipv4.tcp_max_syn_backlog."""
        return self.place.sysctls.tcp_max_syn_backlog if self.place and self.place.sysctls else None

    @property
    def somaxconn(self) -> int | None:
        """net.core.somaxconn."""
        return self.place.sysctls.somaxconn if self.place and self.place.sysctls else None

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Its listeners, none where they are not known."""
        return (self.place.listeners if self.place else None) or ()

    def moved(self, counter: str) -> int:
        """A kernel counter over the last interval, 0 where it is not known."""
        return ((self.state.moved if self.state else None) or {}).get(counter, 0)

    def counter(self, name: str) -> int | None:
        """A kernel counter since the namespace was made."""
        return (self.place.counters or {}).get(name) if self.place else None

    def seen(self, reason: str, role: str | None = None, outcomes: Iterable[str] = REFUSED) -> Seen:
        """How often Fast Open was refused for this reason."""

        def count(rows: Iterable[Total]) -> int:
            return sum(
                t.handshakes for t in rows if t.reason == reason and t.outcome in outcomes and role in (None, t.role)
            )

        return self._seen(count(self.totals), count(self.interval))

    def came(self, role: str, *outcomes: str, variant: str | None = None, tried: bool = False) -> Seen:
        """How often these outcomes came, if need be of one ``variant``, or only of SYNs with data or a request."""

        def count(rows: Iterable[Total]) -> int:
            wanted = (t for t in rows if t.role == role and t.outcome in outcomes and variant in (None, t.variant))
            return sum(t.handshakes for t in wanted if t.data or t.request or not tried)

        return self._seen(count(self.totals), count(self.interval))

    def of_peers(self, peers: Iterable[PeerState], outcome: str) -> Seen:
        """How often these peers had this outcome."""
        counts = [(p.reading.outcomes.get(outcome, 0), p.interval.get(outcome, 0)) for p in peers]
        return self._seen(sum(all_ for all_, _ in counts), sum(now for _, now in counts))

    def _seen(self, handshakes: int, now: int) -> Seen:
        span_s = self.model.interval_s
        return Seen(handshakes, now, None if span_s is None else now / span_s)

    @cached_property
    def handshakes(self) -> tuple[Handshake, ...]:
        """The handshakes of it that the model keeps, oldest first."""
        return tuple(h for h in self.model.handshakes if self.inum in (None, h.netns))

    @cached_property
    def peers(self) -> Sequence[PeerState]:
        """Its peers; going through all of a busy host is dear, so it is done only where something was seen."""
        return self._of(self._crowd.all)

    def with_outcome(self, role: str, outcome: str) -> Sequence[PeerState]:
        """Its peers of this role that had this outcome, once at least."""
        return self._of(self._crowd.with_outcome(role, outcome))

    @cached_property
    def newest(self) -> Sequence[PeerState]:
        """Its peers that changed in the last interval."""
        return self._of(self._crowd.newest)

    def _of(self, groups: Mapping[int | None, Sequence[PeerState]]) -> Sequence[PeerState]:
        if self.place is None:
            return groups.get(None, ())
        keys = dict.fromkeys(key for key in (self.place.cookie, self.place.inum) if key is not None)
        found = [groups[key] for key in keys if key in groups]
        return found[0] if len(found) == 1 else [state for group in found for state in group]

    def ports_of(self, reason: str) -> tuple[int, ...]:
        """The ports of the listeners that refused for this reason, as far as that is known."""
        of_handshakes = (
            split_endpoint(h.local)[1] for h in self.handshakes if h.reason == reason and h.role == "server"
        )
        of_peers = (
            p.reading.port for p in self.peers if p.reading.last_reason == reason and p.reading.role == "server"
        )
        return tuple(sorted({*of_handshakes, *of_peers}))

    def tier(self, at_root: bool = False) -> int:
        """The tier of what is read from /proc here: other namespaces and sockets take root."""
        return 1 if at_root or not (self.place and self.place.own) else 0

    def setting(self, name: str, value: object, at_root: bool = False) -> Evidence:
        """A sysctl as evidence; ``at_root``: only root can read it."""
        where = "" if self.place is None or self.place.own else f" of namespace {self.place.name or self.place.inum}"
        source = f"/proc/sys/{name.replace('.', '/')}{where}"
        return Evidence(what=name, value=str(value), source=source, tier=self.tier(at_root))

    def mode_evidence(self) -> Evidence:
        """net.ipv4.tcp_fastopen as evidence."""
        value = "-" if self.mode is None else f"{self.mode:#x}"
        return self.setting("net.ipv4.tcp_fastopen", value)

    def moved_evidence(self, counter: str) -> Evidence:
        """A kernel counter as evidence."""
        value = f"{self.moved(counter):+d} in {self.model.interval_s or 0:.1f} s, {self.counter(counter)} in all"
        return Evidence(what=counter, value=value, source="/proc/net/netstat", tier=self.tier())

    def seen_evidence(self, what: str, seen: Seen) -> Evidence:
        """Handshakes as evidence."""
        return Evidence(what=what, value=seen.words, source=SENSOR, tier=2)

    def queue_evidence(self, listener: Listener) -> Evidence:
        """A listener's queue as evidence."""
        value = "not known" if listener.max_qlen is None else f"max_qlen {listener.max_qlen}"
        what = f"Fast Open queue of {endpoint(listener)}"
        return Evidence(what=what, value=value, source="getsockopt(TCP_FASTOPEN) on the socket itself", tier=1)


def scenes(model: Model) -> Iterator[Scene]:
    """Every namespace; handshakes of a sensor without BTF belong to none of them."""
    crowd = Crowd(model)
    for state in model.namespaces:
        scene = Scene(model, state, crowd)
        if not scene.gone or scene.interval:
            yield scene
    if model.attached and not model.btf:
        yield Scene(model, None, crowd)


def grouped(values: Mapping[str, int]) -> str:
    """``3 accepted, 1 plain``."""
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in values.items() if n)


def outcomes_of(peers: Iterable[PeerState]) -> tuple[Evidence, ...]:
    """What these peers had so far, as evidence: the first five."""
    rows = [(of_peer(p), grouped(p.reading.outcomes)) for p in islice(peers, 5)]
    return tuple(Evidence(what=what, value=value, source=SENSOR, tier=2) for what, value in rows)
