"""The last 15 minutes of models, to step back into: of each, packed, what changed since the one before.

Memory is bounded by MOST_BYTES, whatever the load. Above it, neighbours are taken together, so that the steps become
longer, those of long ago first; and where more than PEERS_PER_SAMPLE peers change in each sample, not every sample
becomes a step. What a step shows is exact: it is the model that was, not one that was put together from others.
"""

import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, takewhile
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from tfotop.model.fold import MOST_HANDSHAKES, MOST_HISTORY, MOST_PEERS, peer_key
from tfotop.model.state import Model, PeerKey, PeerState, Rates
from tfotop.sample import Handshake

SPAN_NS: Final = 15 * 60 * 1_000_000_000
MOST_BYTES: Final = 8 << 20
PEERS_PER_SAMPLE: Final = 1000
TOGETHER: Final = 60  # steps beyond the span that wait until they leave in one go
AT_ONCE: Final = 500  # peers packed in one call: a longer one would keep other threads waiting
LITTLE: Final = 7 / 8  # of MOST_BYTES: thinning goes on down to it

Peers = Mapping[PeerKey, PeerState]
T = TypeVar("T")


class Entry(NamedTuple):
    """One step: the model without peers, handshakes and rates; and of these what is new since the step before."""

    mono_ns: int
    wall_ns: int
    head: bytes
    peers: tuple[bytes, ...]
    handshakes: tuple[tuple[int, bytes], ...]  # how many, and they
    rates: tuple[Rates, ...]

    @property
    def size(self) -> int:
        """Bytes of what is packed."""
        return len(self.head) + sum(map(len, self.peers)) + sum(len(packed) for _, packed in self.handshakes)


class History:
    """Give it each model; it keeps the ``entries`` of which ``model_at`` makes any of them again."""

    def __init__(self, span_ns: int = SPAN_NS, most_bytes: int = MOST_BYTES) -> None:
        self._span_ns, self._most_bytes = span_ns, most_bytes
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._waiting: tuple[Rates, ...] = ()  # of samples that are no step of their own
        self._last: Handshake | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The steps that are kept, oldest first. The first may be longer ago than the span."""
        return tuple(self._entries)

    @property
    def size(self) -> int:
        """Bytes that the steps take."""
        return self._size

    def add(self, model: Model) -> None:
        """Keep a model, newer than all before. Most of the work is in the peers that changed."""
        self._waiting = (*self._waiting, model.rates)[-MOST_HISTORY:]
        since = self._entries[-1].mono_ns if self._entries else -1
        changed = list(takewhile(lambda state: state.sample_mono_ns > since, reversed(list(model.peers.values()))))
        if self._entries and len(changed) > PEERS_PER_SAMPLE * len(self._waiting):
            return
        self._append(entry(model, changed[::-1], _after(self._last, model.handshakes), self._waiting))
        self._waiting, self._last = (), model.handshakes[-1] if model.handshakes else self._last
        self._forget(model.mono_ns - self._span_ns)
        self._thin()

    def _append(self, made: Entry) -> None:
        self._entries.append(made)
        self._size += made.size

    def _forget(self, before_ns: int) -> None:
        """What is older than the span becomes one step, on which the others stand."""
        old = sum(1 for _ in takewhile(lambda kept: kept.mono_ns < before_ns, self._entries))
        if old > TOGETHER:
            self._join(0, old)

    def _thin(self) -> None:
        if self._size > self._most_bytes:
            while self._size > self._most_bytes * LITTLE and len(self._entries) > 2:
                self._join(thinnest([kept.mono_ns for kept in self._entries]), 2)

    def _join(self, first: int, count: int) -> None:
        """Make one step of so many."""
        joined = join([self._entries[i] for i in range(first, first + count)])
        self._entries.rotate(-first)
        for _ in range(count):
            self._size -= self._entries.popleft().size
        self._entries.appendleft(joined)
        self._size += joined.size
        self._entries.rotate(first)


def thinnest(times_ns: Sequence[int]) -> int:
    """Where the next two steps are best taken as one: where that is the least beside how long ago it was.

    The newest step stays by itself, and so does the oldest while there are others.
    """
    now = times_ns[-1] + 1

    def loss(i: int) -> float:
        return (times_ns[i + 1] - times_ns[i - 1]) / (now - times_ns[i])

    return min(range(1, len(times_ns) - 2), key=loss, default=0)


def entry(model: Model, changed: Sequence[PeerState], new: Sequence[Handshake], rates: tuple[Rates, ...]) -> Entry:
    """A step, packed."""
    return Entry(
        mono_ns=model.mono_ns,
        wall_ns=model.wall_ns,
        head=_pack(replace(model, peers={}, handshakes=(), history=())),
        peers=tuple(_pack(changed[i : i + AT_ONCE]) for i in range(0, len(changed), AT_ONCE)),
        handshakes=((len(new), _pack(new)),) if new else (),
        rates=rates,
    )


def join(entries: Sequence[Entry]) -> Entry:
    """Some steps in a row as one."""
    states = list(_peers(entries).values())
    return entries[-1]._replace(
        peers=tuple(_pack(states[i : i + AT_ONCE]) for i in range(0, len(states), AT_ONCE)),
        handshakes=_newest(entries),
        rates=tuple(chain.from_iterable(kept.rates for kept in entries))[-MOST_HISTORY:],
    )


def model_at(entries: Sequence[Entry], before: Peers | None = None, skip: int = 0) -> Model:
    """The model of the last of ``entries``. ``before``: the peers after the first ``skip`` of them, where known."""
    peers = peers_at(entries[skip:], before)
    packed = [packed for _, packed in _newest(entries)]
    handshakes = chain.from_iterable(_unpack(p, list[Handshake]) for p in packed)
    rates = tuple(chain.from_iterable(kept.rates for kept in entries))
    head = _unpack(entries[-1].head, Model)
    return replace(head, peers=peers, handshakes=tuple(handshakes)[-MOST_HANDSHAKES:], history=rates[-MOST_HISTORY:])


def peers_at(entries: Sequence[Entry], before: Peers | None = None) -> Peers:
    """The peers after some steps, those that changed last at the end; ``before``: those before the steps."""
    peers = _peers(entries, before)
    for key in list(islice(peers, max(0, len(peers) - MOST_PEERS))):
        del peers[key]
    return peers


def _peers(entries: Sequence[Entry], before: Peers | None = None) -> dict[PeerKey, PeerState]:
    peers = dict(before or {})
    for state in _states(entries):
        key = peer_key(state.reading)
        peers.pop(key, None)
        peers[key] = state
    return peers


def _states(entries: Iterable[Entry]) -> Iterator[PeerState]:
    for kept in entries:
        for packed in kept.peers:
            yield from _unpack(packed, list[PeerState])


class _Counted(msgspec.Struct):
    """Of a packed peer only what names it, and its outcomes: the rest is not unpacked."""

    netns: int | None
    role: str
    address: str
    port: int
    outcomes: dict[str, int]
    netns_cookie: int | None = None


class _Step(msgspec.Struct):
    reading: _Counted


def outcomes_of(entries: Sequence[Entry], key: PeerKey) -> list[tuple[int, dict[str, int]]]:
    """When the outcomes of one peer changed (monotonic, ns), and how many there were of each by then."""
    packs = ((kept.mono_ns, packed) for kept in entries for packed in kept.peers)
    steps = ((mono_ns, _unpack(packed, list[_Step])) for mono_ns, packed in packs)
    readings = ((mono_ns, one.reading) for mono_ns, found in steps for one in found)
    return [(mono_ns, peer.outcomes) for mono_ns, peer in readings if _key_of(peer) == key]


def _key_of(peer: _Counted) -> PeerKey:
    return (peer.netns_cookie or peer.netns, peer.role, peer.address, peer.port)


def _newest(entries: Sequence[Entry]) -> tuple[tuple[int, bytes], ...]:
    """The newest handshakes, still packed: as many packs as are needed."""
    found: deque[tuple[int, bytes]] = deque()
    for packs in (kept.handshakes for kept in reversed(entries)):
        for pack in reversed(packs):
            if sum(count for count, _ in found) >= MOST_HANDSHAKES:
                return tuple(found)
            found.appendleft(pack)
    return tuple(found)


def _after(last: Handshake | None, handshakes: Sequence[Handshake]) -> list[Handshake]:
    """Those behind ``last``; all of them if it is not among them."""
    return list(takewhile(lambda h: h is not last, reversed(handshakes)))[::-1]


def _pack(records: object) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(records), 1)


def _unpack(packed: bytes, kind: type[T]) -> T:
    return msgspec.msgpack.decode(zlib.decompress(packed), type=kind)
