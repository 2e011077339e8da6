"""What is known of a peer beside its ladder: exact lines, and nothing invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.scenarios import make
from tests.scenarios.build import (
    NGINX,
    START_MONO_NS,
    handshake,
    measured,
    namespace,
    peer,
    sample,
    sensor,
)
from tests.tui.screen import models
from tfotop.model.fold import fold
from tfotop.model.state import Model, PeerState
from tfotop.sample import Handshake, Metric, Peer, Process
from tfotop.views.tui import ladder_page
from tfotop.views.tui.peer_history import key_of, lines, of_peer, over_time
from tfotop.views.tui.trail import Moment

pytestmark = pytest.mark.usefixtures("utc")

SECOND = 10**9
REJECTED = peer(
    "10.2.4.17",
    outcomes={"accepted": 3, "rejected": 2472},
    last_outcome="rejected",
    last_reason="bad_cookie",
    cookie_id="31c9",
    process=NGINX,
    rtt_us=(22_000, 22_200, 22_100),
    without_tfo=measured(22_400, 22_500),
)


def with_peer(one: Peer, *handshakes: Handshake, **place: object) -> tuple[Model, PeerState]:
    model = fold(None, sample(5, namespaces=(namespace(**place),), sensor=sensor(peers=(one,), handshakes=handshakes)))
    (state,) = model.peers.values()
    return model, state


def test_everything_that_is_known() -> None:
    last = handshake(
        peer="10.2.4.17:40000",
        outcome="rejected",
        reason="bad_cookie",
        handshake_rtt_us=22_100,
        first_byte_us=22_163,
    )
    other = handshake(peer="10.2.4.18:40000")
    trail = [Moment(START_MONO_NS + t * SECOND, {"accepted": 3, "rejected": 618 * t}) for t in range(5)]
    assert lines(*with_peer(REJECTED, last, other), 80, trail) == [
        "peer 10.2.4.17  port 443, here the server",
        "process nginx[812]  first 5 s ago, last 5 s ago",
        "cookie rejected  31c9",
        "",
        "OUTCOMES            ALL  last 4 s",
        "accepted              3  ▁▁▁▁▁▁▁▁▁▁▁",
        "rejected           2472  ▁▁█▁▁█▁▁█▁█  bad cookie",
        "",
        "TIMES ms           SEEN     p50     p90  newest 16",
        "handshake RTT         3   22.10       -  ▄▅▅",
        "1st byte, TFO         0       -       -",
        "1st byte, plain       2   22.45   24.17  ▄▅",
        "sooner by                     -       -  RTTs",
        "",
        "LAST HANDSHAKES             RTT ms 1st ms (1 kept)",
        "14:13:20.000 rejected        22.10  22.16 bad cookie",
    ]


def test_in_a_narrow_place_what_matters_most_comes_first() -> None:
    found = lines(*with_peer(REJECTED), 80, [], tight=True)
    assert found[0].startswith("OUTCOMES")
    assert "" not in found


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (None, "tcp_metrics not known"),
        ((), "tcp_metrics: no Fast Open entry for it"),
        ((Metric(destination="10.9.0.99", fo_cookie_len=8),), "tcp_metrics: no Fast Open entry for it"),
        (
            (Metric(destination="10.9.0.14", age_ms=2_400_000, fo_mss=1460, fo_cookie_len=8, fo_cookie_id="5e1f"),),
            "tcp_metrics: cookie of 8 B 5e1f, age 40 min, mss 1460",
        ),
        ((Metric(destination="10.9.0.14", fo_syn_drops=2),), "tcp_metrics: no cookie, 2 SYN drops"),
        ((Metric(destination="10.9.0.14", age_ms=9_000, fo_cookie_len=8),), "tcp_metrics: cookie of 8 B, age 9 s"),
    ],
    ids=str,
)
def test_the_cookie_that_a_client_has_cached(metrics: tuple[Metric, ...] | None, said: str) -> None:
    client = peer("10.9.0.14", role="client", port=8443)
    assert said in lines(*with_peer(client, metrics=metrics), 80, [])


def test_a_server_has_no_cookie_in_its_metrics() -> None:
    assert not any("tcp_metrics" in line for line in lines(*with_peer(REJECTED), 80, []))


def test_over_time() -> None:
    trail = [Moment(0, {}), Moment(4, {"accepted": 1}), Moment(8, {"accepted": 1}), Moment(12, {"accepted": 9})]
    assert over_time(trail, "accepted", 3) == "▂▁█"
    assert over_time(trail, "lost", 3) == "▁▁▁"
    assert over_time([Moment(5, {"accepted": 9}), Moment(5, {"accepted": 9})], "accepted", 2) == "▁▁"


def test_a_handshake_belongs_to_a_peer_of_its_role_and_port() -> None:
    model, state = with_peer(peer("10.9.0.14", role="client", port=8443))
    mine = handshake(role="client", local="192.0.2.1:39912", peer="10.9.0.14:8443")
    assert of_peer(mine, state)
    assert key_of(model, mine) == (1, "client", "10.9.0.14", 8443)
    for other in (handshake(peer="10.9.0.14:8443"), handshake(role="client", peer="10.9.0.14:443")):
        assert not of_peer(other, state)
        assert key_of(model, other) is None


def test_the_page_has_both_side_by_side_where_there_is_room() -> None:
    model = models(make.load("incident"))[-1]
    state = model.peers[1, "server", "10.2.4.17", 443]
    wide, narrow = (ladder_page.lines(model, None, state, width, []) for width in (119, 79))
    assert all(" │ " in line for line in wide)
    assert wide[0].startswith("client 10.2.4.17:40239 -> 192.0.2.1:443")
    assert wide[0].endswith(" │ peer 10.2.4.17  port 443, here the server")
    assert narrow.index("") < narrow.index("OUTCOMES            ALL")
    assert max(map(cell_len, narrow)) <= 79
    assert max(map(cell_len, wide)) <= 119


def test_a_handshake_whose_peer_is_gone() -> None:
    model = fold(None, sample(sensor=sensor()))
    assert "Its peer is not in the table (any more): no history." in ladder_page.lines(model, handshake(), None, 80, [])


def test_a_peer_of_which_no_handshake_is_kept() -> None:
    model, state = with_peer(REJECTED)
    found = ladder_page.lines(model, None, state, 80, [])
    assert found[:2] == ["server 10.2.4.17 port 443", "No handshake of this peer is kept:"]


TEXT = st.text(max_size=20)
PEERS = st.builds(
    peer,
    st.sampled_from(["10.0.0.1", "2001:db8::1"]),
    role=st.sampled_from(["client", "server"]),
    first_ns=st.integers(0, 2**62),
    last_ns=st.integers(0, 2**62),
    outcomes=st.dictionaries(TEXT | st.sampled_from(["accepted", "lost"]), st.integers(0, 2**62), max_size=4),
    last_outcome=TEXT,
    last_reason=st.none() | TEXT,
    cookie_id=st.none() | TEXT,
    process=st.none() | st.builds(Process, pid=st.integers(0, 2**22), comm=TEXT),
    rtt_us=st.lists(st.integers(0, 2**32 - 1), max_size=16).map(tuple),
    with_tfo=st.lists(st.integers(0, 2**32 - 1), max_size=16).map(lambda us: measured(*us)),
)


@given(PEERS, st.integers(0, 130))
def test_any_peer_at_any_width(one: Peer, width: int) -> None:
    model, state = with_peer(one)
    for line in lines(model, state, width, [Moment(0, {}), Moment(9, one.outcomes)]):
        assert cell_len(line) <= width
        assert line.isprintable()
