"""fold: what each sequence of samples makes of rates, totals, peers and namespaces."""

import pytest
from msgspec.structs import asdict, replace

from tests.scenarios.build import (
    OWN,
    SECOND,
    START_MONO_NS,
    counters,
    folded,
    handshake,
    latency,
    later,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tfotop.model import fold as fold_module
from tfotop.model.fold import difference, fold
from tfotop.model.state import Model, PeerState
from tfotop.sample import Cost, Losses, Problem, Sample

BUSY = sample(
    sensor=sensor(
        total("accepted", 40, data=True),
        total("cookie_granted", 10, request=True),
        total("rejected", 8, "queue_full"),
        total("lost", 2, "syn_dropped", role="client", data=True),
        peers=(peer(outcomes={"accepted": 40}, rtt_us=(20_000,)),),
        handshakes=(handshake(),),
    ),
    namespaces=(namespace(counters=counters(Passive=40, CookieReqd=10)),),
)


def only_peer(model: Model) -> PeerState:
    (state,) = model.peers.values()
    return state


def rates(model: Model) -> list[float | None]:
    return list(asdict(replace(model.rates, counters=None)).values())[:-1]


# The first sample


def test_one_sample_tells_no_rate() -> None:
    model = folded(BUSY)
    assert (model.interval_s, model.agrees, model.cpu_share) == (None, None, None)
    assert rates(model) == [None] * 5
    assert model.namespaces[0].moved is None


def test_the_first_sample_tells_what_came_since_the_sensor_was_attached() -> None:
    model = folded(BUSY)
    assert [t.handshakes for t in model.totals] == [40, 10, 8, 2]
    assert model.interval == model.totals
    assert only_peer(model).interval == {"accepted": 40}


def test_what_a_view_needs_is_taken_over() -> None:
    problem = Problem(source="keys", text="not root")
    one = replace(BUSY, problems=(problem,), sensor=replace(BUSY.sensor, losses=Losses(totals_full=3), in_progress=4))
    model = folded(one)
    assert (model.wall_ns, model.mono_ns, model.started_ns, model.tier, model.btf, model.attached) == (
        one.wall_ns,
        one.mono_ns,
        one.mono_ns,
        2,
        True,
        True,
    )
    assert (model.problems, model.losses, model.in_progress, model.cost) == (
        (problem,),
        Losses(totals_full=3),
        4,
        one.cost,
    )


def test_nothing_at_all_is_a_model_too() -> None:
    model = folded(Sample(wall_ns=1, mono_ns=1, tier=0), Sample(wall_ns=2, mono_ns=2, tier=0))
    assert (model.own, model.agrees, model.losses, model.in_progress, model.cost) == (None, None, None, None, None)
    assert rates(model) == [None] * 5


# Rates


def test_the_same_sample_later_makes_every_rate_exactly_0() -> None:
    model = folded(BUSY, later(BUSY, 1))
    assert rates(model) == [0, 0, 0, 0, 0]
    assert model.interval == ()
    assert model.interval_s == 1
    assert set((model.namespaces[0].moved or {}).values()) == {0}
    assert only_peer(model).interval == {}
    assert model.agrees is True


def test_rates_are_per_second() -> None:
    more = sensor(
        total("accepted", 60, data=True),
        total("cookie_granted", 16, request=True),
        total("cookie_refused", 2, "no_key", request=True),
        total("rejected", 12, "queue_full"),
        total("lost", 4, "syn_dropped", role="client", data=True),
        peers=(peer(outcomes={"accepted": 60}, rtt_us=(20_000, 30_000, 20_000)),),
    )
    model = folded(BUSY, replace(later(BUSY, 2), sensor=more))
    assert asdict(model.rates) == {
        "counters": {},
        "accepted_per_s": 10,
        "requests_per_s": 4,
        "rejected_per_s": 3,
        "queue_full_per_s": 2,
        "saved_s_per_s": pytest.approx(20 * 0.02 / 2),
    }
    assert only_peer(model).interval == {"accepted": 20}


def test_a_peer_of_unknown_rtt_saves_nothing() -> None:
    moved = sensor(total("accepted", 41, data=True), peers=(peer(outcomes={"accepted": 41}),))
    assert folded(BUSY, replace(later(BUSY, 1), sensor=moved)).rates.saved_s_per_s == 0


def test_without_the_sensor_the_counters_give_the_rates() -> None:
    before = sample(namespaces=(namespace(counters=counters(Passive=1)),))
    moved = counters(Passive=5, Active=2, CookieReqd=8, PassiveFail=2, ActiveFail=4, ListenOverflow=6)
    after = sample(2, namespaces=(namespace(counters=moved), namespace(inum=9, cookie=9, counters=None)))
    assert rates(folded(before, after)) == [3, 4, 3, 3, None]


def test_without_sensor_and_counters_no_rate_is_known() -> None:
    nothing = sample(namespaces=(namespace(counters=None),))
    assert rates(folded(nothing, later(nothing, 1))) == [None] * 5
    assert folded(nothing, later(nothing, 1)).namespaces[0].moved is None


def test_a_counter_that_was_not_there_before_has_not_moved() -> None:
    before = sample(namespaces=(namespace(counters={"TCPFastOpenActive": 1}),))
    after = sample(1, namespaces=(namespace(counters={"TCPFastOpenActive": 3, "TCPFastOpenPassive": 7}),))
    assert folded(before, after).namespaces[0].moved == {"TCPFastOpenActive": 2}


def test_the_share_of_the_cpu_is_over_the_interval() -> None:
    before = sample(cost=Cost(cpu_ns=1 * SECOND, rss_bytes=1))
    after = sample(2, cost=Cost(cpu_ns=int(1.5 * SECOND), rss_bytes=1))
    assert folded(before, after).cpu_share == 0.25
    assert folded(before, replace(after, cost=None)).cpu_share is None


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_clock_that_stands_or_runs_backwards_costs_the_interval_only(seconds: float) -> None:
    model = folded(BUSY, later(BUSY, seconds))
    assert (model.interval_s, model.cpu_share) == (None, None)
    assert rates(model) == [None] * 5
    assert model.totals == BUSY.sensor.totals
    assert model.started_ns == START_MONO_NS
    assert rates(folded(BUSY, later(BUSY, seconds), later(BUSY, seconds + 1))) == [0, 0, 0, 0, 0]


# The sensor comes, goes, and comes back


def test_a_sensor_that_comes_later_counts_from_when_it_was_attached() -> None:
    joined = sensor(total("accepted", 6), attached_ns=START_MONO_NS + SECOND // 2)
    model = folded(sample(), sample(1, sensor=joined))
    assert (model.attached, model.rates.accepted_per_s) == (True, 6)
    assert model.agrees is None  # there is nothing yet to compare the counters of this interval with


def test_a_sensor_that_is_lost_leaves_the_peers_and_makes_the_rest_unknown() -> None:
    model = folded(BUSY, sample(1))
    assert (model.attached, model.btf, model.losses, model.in_progress) == (False, False, None, None)
    assert (model.totals, model.interval, model.agrees) == ((), (), None)
    assert list(model.peers) == [(1, "server", "10.2.4.17", 443)]


def test_a_sensor_that_is_back_does_not_count_its_totals_twice() -> None:
    model = folded(BUSY, sample(1), later(BUSY, 2))
    assert model.interval == ()
    assert rates(model) == [None] * 5
    assert model.agrees is None
    assert rates(folded(BUSY, sample(1), later(BUSY, 2), later(BUSY, 3))) == [0, 0, 0, 0, 0]


def test_a_sensor_that_began_anew_is_not_compared_with_the_one_before() -> None:
    anew = sensor(total("accepted", 45, data=True), attached_ns=START_MONO_NS + SECOND)
    model = folded(BUSY, replace(later(BUSY, 2), sensor=anew))
    assert model.rates.accepted_per_s == 22.5
    assert model.agrees is None


def test_without_btf_nothing_is_compared() -> None:
    blind = sample(sensor=sensor(total("accepted", 4, netns=None, netns_cookie=None), btf=False))
    model = folded(blind, later(blind, 1))
    assert (model.agrees, len(model.namespaces), model.namespaces[0].totals) == (None, 1, ())


# Namespaces


def test_a_namespace_that_is_gone_keeps_its_totals() -> None:
    gone = total("accepted", 5, netns=4026532000, netns_cookie=9)
    model = folded(sample(sensor=sensor(gone)))
    names = [(n.reading.inum, n.reading.cookie, n.reading.counters, n.totals) for n in model.namespaces]
    assert names == [(OWN, 1, namespace().counters, ()), (4026532000, 9, None, (gone,))]


def test_an_inode_number_used_again_is_another_namespace() -> None:
    rows = total("accepted", 5), total("accepted", 7, netns_cookie=2)
    first = sample(sensor=sensor(rows[0]), namespaces=(namespace(counters=counters(Passive=5)),))
    again = namespace(cookie=2, own=False, counters=counters(Passive=7))
    model = folded(first, sample(1, sensor=sensor(*rows), namespaces=(again,)))
    new, old = model.namespaces
    assert (new.reading.cookie, new.moved, new.checks, new.totals) == (2, None, (), (rows[1],))
    assert (old.reading.cookie, old.totals) == (1, (rows[0],))


def test_each_namespace_has_its_own_totals() -> None:
    rows = total("accepted", 5), total("accepted", 7, netns=10, netns_cookie=10)
    moved = total("accepted", 9, netns=10, netns_cookie=10)
    places = namespace(), namespace(inum=10, cookie=10, own=False)
    model = folded(
        sample(sensor=sensor(*rows), namespaces=places),
        sample(1, sensor=sensor(rows[0], moved), namespaces=places),
    )
    assert [(n.totals, [t.handshakes for t in n.interval]) for n in model.namespaces] == [
        ((rows[0],), []),
        ((moved,), [2]),
    ]
    assert model.own is model.namespaces[0]


def test_a_namespace_whose_cookie_is_not_known_goes_by_its_inode_number() -> None:
    row = total("accepted", 5)
    model = folded(sample(sensor=sensor(row), namespaces=(namespace(cookie=None),)))
    assert [n.totals for n in model.namespaces] == [(row,)]


# Peers


def test_a_peer_that_changed_goes_last() -> None:
    both = sensor(peers=(peer("10.0.0.1"), peer("10.0.0.2")))
    again = sensor(peers=(peer("10.0.0.1", outcomes={"accepted": 2}),))
    model = folded(sample(sensor=both), sample(1, sensor=again))
    assert [key[2] for key in model.peers] == ["10.0.0.2", "10.0.0.1"]
    assert [p.interval for p in model.peers.values()] == [{"accepted": 1}, {"accepted": 1}]
    assert [p.sample_mono_ns for p in model.peers.values()] == [START_MONO_NS, START_MONO_NS + SECOND]


def test_an_address_is_kept_once_however_often_it_was_read() -> None:
    first, again = (peer(f"10.0.0.{one}", outcomes={"accepted": number}) for one, number in ((1, 1), (1, 2)))
    assert first.address is not again.address
    model = folded(sample(sensor=sensor(peers=(first,))), sample(1, sensor=sensor(peers=(again,))))
    ((key, state),) = model.peers.items()
    assert key[2] is state.reading.address is first.address


def test_peer_role_port_and_namespace_tell_peers_apart() -> None:
    four = (peer(), peer(role="client"), peer(port=444), peer(netns_cookie=2))
    assert len(folded(sample(sensor=sensor(peers=four))).peers) == 4


def test_a_peer_that_the_kernel_had_evicted_begins_anew() -> None:
    before = peer(outcomes={"accepted": 100, "rejected": 1})
    back = peer(outcomes={"accepted": 3}, first_ns=START_MONO_NS + 7)
    model = folded(sample(sensor=sensor(peers=(before,))), sample(1, sensor=sensor(peers=(back,))))
    assert only_peer(model).interval == {"accepted": 3}
    assert only_peer(model).reading == back


def test_the_model_holds_so_many_peers_and_counts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MOST_PEERS", 3)
    model = None
    for i in range(5):
        model = fold(model, sample(i, sensor=sensor(peers=(peer(f"10.0.0.{i}"),))))
    assert model is not None
    assert [key[2] for key in model.peers] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    assert model.peers_evicted == 2


def test_a_peer_that_is_evicted_in_the_same_sample_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MOST_PEERS", 1)
    two = tuple(peer(f"10.0.0.{i}", rtt_us=(1_000_000,), outcomes={"accepted": 2}) for i in range(2))
    model = folded(sample(), sample(1, sensor=sensor(peers=two, attached_ns=START_MONO_NS + 1)))
    assert (len(model.peers), model.peers_evicted, model.rates.saved_s_per_s) == (1, 1, 2)


def test_an_earlier_model_never_changes() -> None:
    first = folded(BUSY)
    known = dict(first.peers)
    fold(first, sample(1, sensor=sensor(peers=(peer(outcomes={"accepted": 50}), peer("10.0.0.9")))))
    assert first.peers == known


# Bounds


def test_the_rates_of_counters_are_summed_over_the_namespaces_and_leave_out_what_did_not_move() -> None:
    def two(active: int, retransmitted: int) -> Sample:
        moved = counters(Active=active, TCPSynRetrans=retransmitted)
        other = namespace(inum=9, cookie=9, own=False, counters={"TCPFastOpenActive": 2 * active})
        return sample(2 * active, namespaces=(namespace(counters=moved), other))

    model = folded(two(0, 5), two(1, 5))
    assert model.rates.counters == {"TCPFastOpenActive": 1.5}
    assert folded(two(0, 5)).rates.counters is None
    assert folded(sample(namespaces=()), sample(1, namespaces=())).rates.counters is None


def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MOST_HISTORY", 3)
    totals = [total("accepted", n * (n + 1) // 2) for n in range(6)]
    model = folded(*(sample(i, sensor=sensor(row)) for i, row in enumerate(totals)))
    assert [r.accepted_per_s for r in model.history] == [3, 4, 5]
    assert model.history[-1] == model.rates


def test_handshakes_are_bounded_and_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MOST_HANDSHAKES", 3)
    pairs = [tuple(handshake(ts_ns=2 * i + j) for j in range(2)) for i in range(3)]
    model = folded(*(sample(i, sensor=sensor(handshakes=pair)) for i, pair in enumerate(pairs)))
    assert [h.ts_ns for h in model.handshakes] == [3, 4, 5]


# The whole


def test_the_same_samples_make_the_same_model() -> None:
    run = (sample(), BUSY, later(BUSY, 1), sample(2), later(BUSY, 3))
    assert folded(*run) == folded(*run)


def test_rows_that_shrank_are_no_difference() -> None:
    assert difference([total("accepted", 3)], [total("accepted", 5)]) == ()


@pytest.mark.parametrize(
    "other",
    [
        {"outcome": "rejected"},
        {"reason": "no_key"},
        {"role": "client"},
        {"variant": "backup_key"},
        {"data": True},
        {"request": True},
        {"netns_cookie": 2},
        {"netns_cookie": None, "netns": 7},
    ],
    ids=str,
)
def test_rows_are_told_apart_by_every_field(other: dict[str, object]) -> None:
    row, differs = total("accepted", 5), replace(total("accepted", 6), **other)
    assert difference([row, differs], [row]) == (differs,)


def test_latency_does_not_reach_the_rates() -> None:
    seen = sensor(total("plain", 9), peers=(peer(outcomes={"plain": 9}, without_tfo=latency(5), rtt_us=(7,)),))
    model = folded(sample(sensor=sensor()), sample(1, sensor=seen))
    assert rates(model) == [0, 0, 0, 0, 0]
