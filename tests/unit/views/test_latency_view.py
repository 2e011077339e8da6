"""The picture of the first byte's distribution: exact lines, and that it holds for any histograms."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from tests.scenarios.build import NO_EBPF, peer, sample, sensor
from tfotop.model.fold import fold
from tfotop.model.latency import BUCKETS
from tfotop.model.state import Model, PeerState
from tfotop.sample import Latency, Peer
from tfotop.views.tui.latency_view import Bin, Distribution, bins, lines


def times(*recent_us: int, **buckets: int) -> Latency:
    counts = {int(name[1:]): number for name, number in buckets.items()}
    return Latency(count=sum(counts.values()), recent_us=recent_us, buckets=counts)


def model(*peers: Peer) -> Model:
    return fold(None, sample(sensor=sensor(peers=peers)))


SERVED = peer(rtt_us=(22_000, 22_100), with_tfo=times(0, 0, b0=612), without_tfo=times(22_500, b34=40, b35=2))
ALSO = peer("192.0.2.9", rtt_us=(22_300,), without_tfo=times(22_500, b34=60, b36=6))
ASKED = peer(
    "2001:db8::7",
    role="client",
    port=8443,
    rtt_us=(31_000,),
    with_tfo=times(31_900, b36=12),
    without_tfo=times(62_700, 62_900, b40=8, b56=1),
)
NEW = peer("192.0.2.10")

SERVER_80 = [
    "server, 3 peers: SYN in to first request byte",
    "      first byte with Fast Open: 612             without: 108",
    "       < 0.06 ms    612 ████████████████████████      0",
    "20.48 - 24.58 ms      0                             100 ██████████████████████▎",
    "24.58 - 28.67 ms      0                               2 ▌",
    "28.67 - 32.77 ms      0                               6 █▍",
    " percentiles, ms p50 <0.06  p90 <0.06  p99 <0.06 p50 22.69  p90 24.46  p99 32.03",
    "sooner by 22.50 ms, 1.0 RTTs  handshake RTT 22.10 ms  (median of 1 peer)",
]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(None, "nothing read yet", id="before the first sample"),
        pytest.param(fold(None, sample(problems=(NO_EBPF,))), "Only eBPF sees the first byte.", id="no sensor"),
        pytest.param(model(NEW), "No first byte seen yet.", id="nothing seen"),
    ],
)
def test_nothing_to_show(of: Model | None, expected: str) -> None:
    assert lines(of, 80, 24) == [expected]
    assert lines(of, 80, 0) == []


@pytest.mark.parametrize(
    ("peers", "width", "height", "expected"),
    [
        pytest.param((SERVED, ALSO, NEW), 80, 24, SERVER_80, id="server, 80 columns"),
        pytest.param(
            (SERVED, ALSO, NEW),
            120,
            6,
            [
                "server, 3 peers: SYN in to first request byte",
                "      first byte with Fast Open: 612" + " " * 33 + "without: 108",
                "       < 0.06 ms    612 ████████████████████████████████████████████      0",
                "16.38 - 32.77 ms      0" + " " * 49 + "108 ████████████████████████████████████████████",
                " percentiles, ms p50 <0.06  p90 <0.06  p99 <0.06" + " " * 21 + "p50 22.69  p90 24.46  p99 32.03",
                "sooner by 22.50 ms, 1.0 RTTs  handshake RTT 22.10 ms  (median of 1 peer)",
            ],
            id="120 columns, few lines: buckets merged",
        ),
        pytest.param(
            (ASKED, SERVED, ALSO, NEW),
            80,
            18,
            [
                "client, 1 peer: SYN out to first response byte",
                "      first byte with Fast Open: 12              without: 9",
                "28.67 - 32.77 ms     12 ████████████████████████      0",
                "32.77 - 57.34 ms      0                               0",
                "57.34 - 65.54 ms      0                               8 █████████████████████▍",
                "65.54 - 917.5 ms      0                               0",
                "917.5 -  1049 ms      0                               1 ██▋",
                " percentiles, ms p50 30.72  p90 32.36  p99 32.73 p50 61.95  p90 930.6  p99  1037",
                "sooner by 30.90 ms, 1.0 RTTs  handshake RTT 31.00 ms  (median of 1 peer)",
                "",
                *SERVER_80,
            ],
            id="both roles share the lines",
        ),
        pytest.param(
            (replace(SERVED, with_tfo=Latency()),),
            80,
            24,
            [
                "server, 1 peer: SYN in to first request byte",
                "      first byte with Fast Open: 0               without: 42",
                "20.48 - 24.58 ms      0                              40 ████████████████████████",
                "24.58 - 28.67 ms      0                               2 █▎",
                " percentiles, ms p50     -  p90     -  p99     - p50 22.63  p90 24.35  p99 27.81",
                "sooner by - ms, - RTTs  handshake RTT 22.10 ms  (no peer was seen both ways)",
            ],
            id="never with Fast Open",
        ),
        pytest.param(
            (replace(SERVED, rtt_us=()),),
            60,
            4,
            [
                "server, 1 peer: SYN in to first request byte",
                "      first byte with it: 612          without: 42",
                " percentiles, ms p50 <0.06  p90 <0.06  p50 22.63  p90 24.35",
                "sooner by 22.50 ms, - RTTs  handshake RTT - ms",
            ],
            id="narrow and low: no picture, whole numbers",
        ),
    ],
)
def test_lines(peers: tuple[Peer, ...], width: int, height: int, expected: list[str]) -> None:
    assert lines(model(*peers), width, height) == expected


def test_peers_are_compared_with_themselves_alone() -> None:
    """Far peers with Fast Open and near ones without it: it is not slower for anybody."""
    far = replace(ASKED, role="server", port=443)
    near = [peer(f"10.0.0.{i}", rtt_us=(200,), without_tfo=times(210, b8=90)) for i in range(1, 9)]
    often = replace(SERVED, with_tfo=times(0, 0, b0=10))  # against 12 of the far one
    last = lines(model(far, often, *near), 80, 24)[-1]
    assert last == "sooner by 30.90 ms, 1.0 RTTs  handshake RTT 0.20 ms  (median of 2 peers)"


def test_one_peer_shows_the_same_difference_as_the_table_of_peers() -> None:
    of = model(SERVED, ALSO, ASKED, NEW)
    served, _, asked, new = of.peers.values()
    assert lines(of, 80, 24, served) == [
        "server 10.2.4.17 port 443: SYN in to first request byte",
        "      first byte with Fast Open: 612             without: 42",
        "       < 0.06 ms    612 ████████████████████████      0",
        "20.48 - 24.58 ms      0                              40 ██████████████████████▉",
        "24.58 - 28.67 ms      0                               2 █▏",
        " percentiles, ms p50 <0.06  p90 <0.06  p99 <0.06 p50 22.63  p90 24.35  p99 27.81",
        "sooner by 22.50 ms, 1.0 RTTs  handshake RTT 22.05 ms  (newest 16)",
    ]
    assert lines(of, 80, 24, asked)[-1] == "sooner by 30.90 ms, 1.0 RTTs  handshake RTT 31.00 ms  (newest 16)"
    assert lines(of, 80, 24, new) == ["No first byte of this peer seen yet."]


def test_one_role_alone() -> None:
    of = model(ASKED, SERVED, ALSO, NEW)
    assert lines(of, 80, 24, role="server") == SERVER_80
    assert lines(model(SERVED), 80, 24, role="client") == ["No first byte seen yet."]


@pytest.mark.parametrize(
    ("used", "most", "expected"),
    [
        pytest.param([], 9, [], id="nothing"),
        pytest.param([0], 1, [Bin(0, 0)], id="the first alone"),
        pytest.param([0], 0, [], id="no room"),
        pytest.param([0, 9], 1, [], id="no room for both"),
        pytest.param([5, 6, 8], 4, [Bin(5, 5), Bin(6, 6), Bin(7, 7), Bin(8, 8)], id="each alone"),
        pytest.param([5, 9, 73], 9, [Bin(5, 5), Bin(6, 8), Bin(9, 9), Bin(10, 72), Bin(73, 73)], id="gaps in one"),
        pytest.param([5, 6, 8], 3, [Bin(5, 6), Bin(7, 8)], id="two together"),
        pytest.param([0, 5, 8], 2, [Bin(0, 0), Bin(5, 8)], id="a doubling"),
        pytest.param([1, 73], 2, [Bin(1, 64), Bin(65, 73)], id="the widest"),
    ],
)
def test_bins(used: list[int], most: int, expected: list[Bin]) -> None:
    of = Distribution("", dict.fromkeys(used, 1), {}, None, "", "")
    assert bins(of, most) == expected


def test_the_last_bucket_is_open() -> None:
    one = model(peer(without_tfo=times(b73=1)))
    assert lines(one, 80, 24)[2] == "      > 16777 ms      0" + " " * 31 + "1 ████████████████████████"


HISTOGRAMS = st.dictionaries(st.integers(-1, BUCKETS + 1), st.integers(0, 2**63), max_size=6)
LATENCIES = st.builds(
    Latency,
    count=st.integers(0, 2**63),
    recent_us=st.lists(st.integers(0, 2**32), max_size=3).map(tuple),
    buckets=HISTOGRAMS,
)
PEERS: st.SearchStrategy[Any] = st.builds(
    peer,
    address=st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8:1234:5678:9abc:def0:1234:5678"]),
    role=st.sampled_from(["client", "server", "\x1bother"]),
    rtt_us=st.lists(st.integers(0, 2**32), max_size=3).map(tuple),
    with_tfo=LATENCIES,
    without_tfo=LATENCIES,
)


@given(st.lists(PEERS, max_size=4), st.integers(0, 200), st.integers(-1, 60))
def test_any_histograms_keep_width_and_height(peers: list[Peer], width: int, height: int) -> None:
    of = model(*peers)
    chosen: list[PeerState | None] = [None, *of.peers.values()]
    for one in chosen:
        found = lines(of, width, height, one)
        assert len(found) <= max(0, height)
        assert all(cell_len(line) <= width and line.isprintable() for line in found)


@given(HISTOGRAMS, HISTOGRAMS, st.integers(0, 80))
def test_bins_hold_every_bucket_once(with_tfo: dict[int, int], without_tfo: dict[int, int], most: int) -> None:
    used = {bucket for bucket in (*with_tfo, *without_tfo) if 0 <= bucket < BUCKETS}
    found = bins(Distribution("", dict.fromkeys(used, 1), {}, None, "", ""), most)
    assert len(found) <= most
    assert all(a.last < b.first for a, b in pairwise(found))
    if found:
        assert all(sum(b.first <= bucket <= b.last for b in found) == 1 for bucket in used)
