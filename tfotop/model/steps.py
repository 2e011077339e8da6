"""The steps of a history: a model packed as what changed since the one before, and made of some of them again.

Peers are packed as pairs of their key and their state, so that steps can be taken together, and one peer be found in
them, without unpacking what is not asked for: 10,000 peers take 0.6 to 1 MB packed, and 13 MB unpacked.
"""

import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from tfotop.model.fold import MOST_HANDSHAKES, MOST_HISTORY, MOST_PEERS, peer_key
from tfotop.model.state import Model, PeerKey, PeerState, Rates
from tfotop.sample import Handshake

AT_ONCE: Final = 500  # peers packed in one call: a longer one would keep other threads waiting

Peers = dict[PeerKey, PeerState]
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


def entry(model: Model, changed: Sequence[PeerState], new: Sequence[Handshake], rates: tuple[Rates, ...]) -> Entry:
    """A step, packed."""
    return Entry(
        mono_ns=model.mono_ns,
        wall_ns=model.wall_ns,
        head=_pack(replace(model, peers={}, handshakes=(), history=())),
        peers=tuple(_packs((_name(peer_key(state.reading)), state) for state in changed)),
        handshakes=((len(new), _pack(new)),) if new else (),
        rates=rates,
    )


def join(entries: Sequence[Entry]) -> Entry:
    """Some steps in a row as one."""
    newest: dict[bytes, msgspec.Raw] = {}
    for packed in chain.from_iterable(kept.peers for kept in entries):
        for name, state in _unpack(packed, list[tuple[bytes, msgspec.Raw]]):
            newest.pop(name, None)
            newest[name] = state
    return entries[-1]._replace(
        peers=tuple(_packs(newest.items())),
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
    peers = dict(before or {})
    for packed in chain.from_iterable(kept.peers for kept in entries):
        for _, state in _unpack(packed, list[tuple[bytes, PeerState]]):
            key = peer_key(state.reading)
            peers.pop(key, None)
            peers[key] = state
    for key in list(islice(peers, max(0, len(peers) - MOST_PEERS))):
        del peers[key]
    return peers


class _Outcomes(msgspec.Struct):
    outcomes: dict[str, int]


class _Counted(msgspec.Struct):
    """Of a packed peer only its outcomes."""

    reading: _Outcomes


def outcomes_of(of: Entry, key: PeerKey) -> dict[str, int] | None:
    """The outcomes of one peer after a step in which it changed; ``None`` if it did not."""
    name, found = _name(key), None
    for packed in of.peers:
        raw = zlib.decompress(packed)
        if name in raw:
            states = dict(msgspec.msgpack.decode(raw, type=list[tuple[bytes, msgspec.Raw]]))
            found = states.get(name, found)
    return msgspec.msgpack.decode(found, type=_Counted).reading.outcomes if found is not None else None


def _name(key: PeerKey) -> bytes:
    return msgspec.msgpack.encode(key)


def _newest(entries: Sequence[Entry]) -> tuple[tuple[int, bytes], ...]:
    """The newest handshakes, still packed: as many packs as are needed."""
    found: deque[tuple[int, bytes]] = deque()
    for packs in (kept.handshakes for kept in reversed(entries)):
        for pack in reversed(packs):
            if sum(count for count, _ in found) >= MOST_HANDSHAKES:
                return tuple(found)
            found.appendleft(pack)
    return tuple(found)


def _packs(peers: Iterable[tuple[bytes, PeerState | msgspec.Raw]]) -> Iterator[bytes]:
    left = iter(peers)
    while part := list(islice(left, AT_ONCE)):
        yield _pack(part)


def _pack(records: object) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(records), 1)


def _unpack(packed: bytes, kind: type[T]) -> T:
    return msgspec.msgpack.decode(zlib.decompress(packed), type=kind)
