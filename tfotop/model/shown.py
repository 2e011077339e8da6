"""What the screen shows of a model: the peers and handshakes that are wanted, in the order that is wanted.

At 65,536 peers that is too much for a key press: the screen has it made beside itself. Where little has changed, little
is done.
"""

from collections.abc import Iterable
from itertools import chain, takewhile
from typing import NamedTuple

from tfotop.model import groups, order
from tfotop.model.facts import Names
from tfotop.model.filter import Filter
from tfotop.model.groups import GroupKey
from tfotop.model.order import Entry, Order
from tfotop.model.selection import Selection
from tfotop.model.state import Model, PeerState
from tfotop.sample import Handshake


class Wanted(NamedTuple):
    """What the user wants to see. ``kind``: of groups.KINDS, empty for single peers; ``opened``: only this group."""

    selection: Selection = Selection()
    filter: Filter = Filter()
    order: Order = Order()
    kind: str = ""
    opened: GroupKey | None = None


class Shown(NamedTuple):
    """A model through the eyes of ``wanted``. ``passed``: peers that pass the filter, be they shown one by one or not.

    ``model`` is what the selection leaves; the filter leaves ``rows`` and ``handshakes`` of it.
    """

    model: Model
    wanted: Wanted
    rows: list[PeerState]
    passed: int
    handshakes: tuple[Handshake, ...]
    whole: Model
    entries: list[Entry]


def names_of(model: Model) -> Names:
    """The names of the network namespaces, by inode number."""
    return {n.reading.inum: n.reading.name for n in model.namespaces if n.reading.name}


def shown(model: Model, wanted: Wanted, before: Shown | None = None) -> Shown:
    """What the table shows of ``model``. ``before`` is only there to save work."""
    selected, names = wanted.selection.apply(model), names_of(model)
    entries = _entries(selected, wanted, names, before)
    passed = len(entries)
    if wanted.kind and not wanted.opened:
        found = order.entries(groups.grouped((entry[-1] for entry in entries), wanted.kind, names), wanted.order)
    else:
        found = entries
    return Shown(
        model=selected,
        wanted=wanted,
        rows=order.rows(found, wanted.order),
        passed=passed,
        handshakes=tuple(h for h in selected.handshakes if wanted.filter.of_handshake(h, names)),
        whole=model,
        entries=entries,
    )


def _entries(model: Model, wanted: Wanted, names: Names, before: Shown | None) -> list[Entry]:
    """The peers that pass, sorted: those that did not change since ``before`` stay where they were."""
    if before is None or not _alike(before.wanted, wanted) or names != names_of(before.model):
        return order.entries(_passing(model.peers.values(), wanted, names), wanted.order)
    if before.model.peers is model.peers:
        return before.entries
    gone, new = _moved(before.model, model)
    kept = [entry for entry in before.entries if id(entry[-1]) not in gone]
    return order.inserted(kept, order.entries(_passing(new, wanted, names), wanted.order))


def _moved(before: Model, now: Model) -> tuple[set[int], list[PeerState]]:
    """Of the peers of ``before`` those that are gone or changed, by id; and the new and changed ones of ``now``.

    A fold puts what changed at the end and lets the first go (model/fold.py), so that few are looked at. If the numbers
    do not add up, one of the two is of the past, or the clock ran backwards: then all are.
    """
    since = before.mono_ns
    changed = dict(takewhile(lambda item: item[1].sample_mono_ns > since, reversed(now.peers.items())))
    evicted = takewhile(lambda item: now.peers.get(item[0]) is not item[1], before.peers.items())
    replaced = (before.peers[key] for key in changed if key in before.peers)
    gone = {id(state) for state in chain(replaced, (state for _, state in evicted))}
    if now.mono_ns > since and len(before.peers) - len(gone) + len(changed) == len(now.peers):
        return gone, list(changed.values())
    old, new = (set(map(id, m.peers.values())) for m in (before, now))
    return old - new, [state for state in now.peers.values() if id(state) not in old]


def _alike(one: Wanted, other: Wanted) -> bool:
    """Whether both have the same entries: then they differ in what is made of these."""
    return _decisive(one) == _decisive(other)


def _decisive(wanted: Wanted) -> tuple[object, ...]:
    return wanted.selection, wanted.filter, wanted.order.column, wanted.opened


def _passing(states: Iterable[PeerState], wanted: Wanted, names: Names) -> Iterable[PeerState]:
    """The peers that are to be shown, or to be shown as groups."""
    opened, passes = wanted.opened, wanted.filter.of_peer
    for state in states:
        if passes(state, names) and (opened is None or groups.key_of(opened.kind, state, names) == opened):
            yield state
