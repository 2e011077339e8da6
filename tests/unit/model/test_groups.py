"""Peers taken together: what a group says of its peers."""

import pytest

from tests.scenarios.build import NGINX, OWN, START_MONO_NS, latency, peer, sample, sensor
from tfotop.model.addresses import network, number
from tfotop.model.fold import fold
from tfotop.model.groups import KINDS, Group, grouped
from tfotop.sample import Micros, Peer, Process

NAMES = {OWN: "web"}


def groups(kind: str, *peers: Peer) -> dict[tuple[str, str], Group]:
    model = fold(None, sample(sensor=sensor(peers=peers)))
    return {(group.key.role, group.key.name): group for group in grouped(model.peers.values(), kind, NAMES)}


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        ("network", {"address": "10.2.4.17"}, "10.2.4.0/24"),
        ("network", {"address": "2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"),
        ("network", {"address": "?"}, "?"),
        ("port", {"port": 8443}, "8443"),
        ("process", {"process": NGINX}, "nginx"),
        ("process", {}, "-"),
        ("namespace", {}, "web"),
        ("namespace", {"netns": 9}, "9"),
        ("namespace", {"netns": None, "netns_cookie": None}, "-"),
    ],
)
def test_what_a_group_is_called(kind: str, given: dict[str, object], name: str) -> None:
    assert list(groups(kind, peer(**given))) == [("server", name)]


def test_counts_are_summed_and_times_are_medians_of_medians() -> None:
    found = groups(
        "network",
        peer(
            "10.2.4.1",
            outcomes={"accepted": 3, "plain": 1},
            rtt_us=Micros((10, 20, 30)),
            with_tfo=latency(1),
            last_ns=5,
            first_ns=4,
        ),
        peer(
            "10.2.4.2",
            outcomes={"accepted": 4, "lost": 2},
            rtt_us=Micros((40,)),
            without_tfo=latency(8),
            last_ns=9,
            first_ns=2,
        ),
        peer("10.2.4.3", outcomes={"accepted": 5}, rtt_us=Micros((30,)), last_ns=7, first_ns=3),
        peer("10.2.5.1", outcomes={"accepted": 99}),
    )
    group = found["server", "10.2.4.0/24"]
    assert (group.peers, group.reading.outcomes) == (3, {"accepted": 12, "plain": 1, "lost": 2})
    assert group.interval == {"accepted": 12, "plain": 1, "lost": 2}
    assert group.reading.rtt_us == Micros((30,))
    assert group.reading.with_tfo.recent_us == Micros((1,))
    assert group.reading.without_tfo.recent_us == Micros((8,))
    assert (group.reading.first_ns, group.reading.last_ns) == (2, 9)
    assert found["server", "10.2.5.0/24"].peers == 1


def test_the_delta_of_a_group_is_that_of_its_peers() -> None:
    """A far peer with Fast Open beside near ones without it."""
    far = peer("10.2.4.1", rtt_us=(20_000,), with_tfo=latency(21_000), without_tfo=latency(41_000))
    further = peer("10.2.4.2", rtt_us=(40_000,), with_tfo=latency(41_000), without_tfo=latency(85_000))
    unknown = peer("10.2.4.3", rtt_us=(), with_tfo=latency(1), without_tfo=latency(2))
    near = [peer(f"10.2.4.{i}", rtt_us=(200,), without_tfo=latency(210)) for i in range(4, 9)]
    group = groups("network", far, further, unknown, *near)["server", "10.2.4.0/24"]
    assert (group.rtt_delta_us, group.rtt_delta_rtts) == (20_000, 1.05)
    alone = groups("network", *near)["server", "10.2.4.0/24"]
    assert (alone.rtt_delta_us, alone.rtt_delta_rtts) == (None, None)


def test_roles_are_never_mixed() -> None:
    assert set(groups("port", peer(role="client"), peer())) == {("client", "443"), ("server", "443")}


def test_what_peers_do_not_share_is_not_said_of_the_group() -> None:
    group = groups(
        "network", peer("10.2.4.1", port=80, process=NGINX), peer("10.2.4.2", process=Process(pid=1, comm="x"))
    )
    (one,) = group.values()
    assert (one.reading.port, one.reading.process) == (0, None)
    (same,) = groups("network", peer("10.2.4.1", process=NGINX), peer("10.2.4.2", process=NGINX)).values()
    assert (same.reading.port, same.reading.process) == (443, NGINX)


def test_the_cookie_is_that_of_the_peer_that_is_worst_off() -> None:
    (group,) = groups(
        "network",
        peer("10.2.4.1", outcomes={"accepted": 1000}, last_ns=START_MONO_NS + 5),
        peer("10.2.4.2", outcomes={"rejected": 1}, last_outcome="rejected"),
    ).values()
    assert group.cookie == "rejected"


def test_every_peer_is_in_one_group_of_each_kind() -> None:
    peers = [peer(f"10.{i % 3}.{i % 7}.{i}", port=i % 4, netns=i % 2) for i in range(100)]
    for kind in KINDS:
        found = groups(kind, *peers)
        assert sum(group.peers for group in found.values()) == 100
        assert all(group.key.kind == kind for group in found.values())


def test_addresses_as_numbers() -> None:
    assert number("10.0.0.1") == (4, 0x0A000001)
    assert number("::1") == (6, 1)
    assert number("10.0.0") == number("x") == (0, 0)
    assert network("fe80::1%eth0") == "fe80::/64"
