"""What is shown of a model, and that the short way to it ends at the same place."""

import random
from ipaddress import ip_network

import pytest

from tests.scenarios.build import handshake, namespace, peer, sample, sensor
from tfotop.feed import Past
from tfotop.model.filter import Filter, parse
from tfotop.model.fold import fold
from tfotop.model.groups import KINDS, GroupKey
from tfotop.model.order import COLUMNS, Order
from tfotop.model.selection import Selection
from tfotop.model.shown import Shown, Wanted, shown
from tfotop.model.state import Model
from tfotop.sample import Peer


def addresses(of: Shown) -> list[str]:
    return [row.reading.address for row in of.rows]


def model(*peers: Peer, before: Model | None = None, at_s: float = 0, **given: object) -> Model:
    return fold(before, sample(at_s, sensor=sensor(peers=peers, **given)))


def test_selection_and_filter_and_their_counts() -> None:
    hosts = (peer("10.0.0.1"), peer("10.0.0.2", port=80), peer("10.0.0.3", role="client"))
    fed = model(*hosts, handshakes=(handshake(), handshake(role="client")))
    found = shown(fed, Wanted(Selection(role="server"), parse("port:80")))
    assert addresses(found) == ["10.0.0.2"]
    assert (found.passed, len(found.model.peers), len(found.whole.peers)) == (1, 2, 3)
    assert (len(found.handshakes), len(found.model.handshakes), len(found.whole.handshakes)) == (0, 1, 2)


def test_a_namespace_is_found_by_its_name() -> None:
    fed = fold(None, sample(namespaces=(namespace(name="web"),), sensor=sensor(peers=(peer(),))))
    assert len(shown(fed, Wanted(filter=parse("netns:web"))).rows) == 1
    assert shown(fed, Wanted(filter=parse("netns:blue"))).rows == []


def test_a_group_and_what_is_in_it() -> None:
    fed = model(peer("10.0.0.1"), peer("10.0.0.2"), peer("10.0.1.1", outcomes={"rejected": 9}, last_outcome="rejected"))
    closed = shown(fed, Wanted(kind="network"))
    assert addresses(closed) == ["10.0.1.0/24", "10.0.0.0/24"]
    assert closed.passed == 3
    opened = shown(fed, Wanted(kind="network", opened=GroupKey("network", "server", "10.0.0.0/24")))
    assert addresses(opened) == ["10.0.0.1", "10.0.0.2"]
    assert opened.passed == 2


WANTED = [
    Wanted(),
    *(Wanted(order=Order(column, inverted)) for column in COLUMNS for inverted in (False, True)),
    *(Wanted(kind=kind, order=Order("peers")) for kind in KINDS),
    Wanted(filter=parse("accepted>3 -10.0.0.0/30"), order=Order("accepted")),
    Wanted(Selection(peer=ip_network("10.0.0.0/26")), parse("port:443")),
    Wanted(kind="network", opened=GroupKey("network", "server", "10.0.0.0/24")),
]


@pytest.mark.parametrize("wanted", WANTED, ids=lambda w: f"{w.order.column}{w.order.inverted:d}{w.kind}{w.filter.text}")
def test_the_work_that_is_saved_changes_nothing(wanted: Wanted) -> None:
    chance, fed, before = random.Random(9), None, None
    for t in range(12):
        changed = [
            peer(f"10.0.{chance.randrange(2)}.{i}", first_ns=i, last_ns=t, outcomes={"accepted": chance.randrange(9)})
            for i in chance.sample(range(120), chance.choice((0, 1, 5, 100)))
        ]
        fed = fold(fed, sample(chance.choice((t, t, 1)), sensor=sensor(peers=tuple(changed))), most_peers=150)
        before = shown(fed, wanted, before)
        assert before == shown(fed, wanted)


def test_only_what_changed_is_looked_at() -> None:
    crowd = [peer(f"10.0.0.{i}", first_ns=i) for i in range(200)]
    first = model(*crowd)
    second = model(peer("10.0.0.7", outcomes={"accepted": 70}), before=first, at_s=1)
    asked: list[str] = []
    wanted = Wanted(filter=Filter("x", (lambda row: not asked.append(row.address),)))
    before = shown(first, wanted)
    asked.clear()
    assert len(shown(second, wanted, before).rows) == 200
    assert asked == ["10.0.0.7"]


def test_peers_that_had_to_go_are_gone() -> None:
    first = model(*(peer(f"10.0.0.{i}", first_ns=i) for i in range(20)))
    new = sample(1, sensor=sensor(peers=(peer("10.0.1.1"), peer("10.0.0.0"))))
    second = fold(first, new, most_peers=20)
    assert sorted(addresses(shown(second, Wanted(), shown(first, Wanted())))) == sorted(
        state.reading.address for state in second.peers.values()
    )
    assert len(second.peers) == 20


def test_from_the_past_to_now_and_back() -> None:
    """A model of the past has other objects, though they are equal."""
    past = Past()
    fed = None
    for t in range(5):
        fed = model(*(peer(f"10.0.0.{i}", last_ns=t) for i in range(t, t + 9)), before=fed, at_s=t)
        past.add(fed)
    moments = [past.at(mono_ns) for mono_ns in past.moments()]
    before = None
    for one in (*moments, fed, *moments[::-1], moments[1], fed):
        assert one is not None
        before = shown(one, Wanted(), before)
        assert before == shown(one, Wanted())
