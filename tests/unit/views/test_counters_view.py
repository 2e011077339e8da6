"""The view of the kernel's counters: exact lines, and that it holds for any numbers and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from tests.scenarios.build import COUNTERS, NO_EBPF, counters, folded, namespace, sample, sensor, total
from tfotop.model.state import Check, Model, NamespaceState
from tfotop.views.tui.counters_view import (
    BARS,
    MEANINGS,
    UNKNOWN,
    WIDTHS,
    detail,
    lines,
    over_time,
    shortened,
    together,
)
from tfotop.views.tui.handshake_columns import cut

NAMES = [*MEANINGS, "TCPFastOpenNew", "TCPFastOpen\x1b[31m漢字漢字漢字漢字", "InSegs"]


def two(**given: int) -> Model:
    """2 s apart: 612 passive, 9 requests of which the totals know 8."""
    before = sample(sensor=sensor(total("accepted", 3)))
    rows = (total("accepted", 615), total("cookie_granted", 8, request=True))
    return folded(before, sample(2, namespaces=(namespace(counters=counters(**given)),), sensor=sensor(*rows)))


@pytest.mark.parametrize(
    ("model", "width", "expected"),
    [
        pytest.param(None, 80, ["nothing read yet"], id="before the first sample"),
        pytest.param(
            folded(sample(namespaces=(namespace(counters=None),))),
            80,
            ["no counters could be read"],
            id="no counters",
        ),
        pytest.param(
            two(Passive=612, CookieReqd=9, ActiveFail=1, TCPSynRetrans=1, SyncookiesSent=12_345_678_901),
            80,
            [
                "COUNTER                       VALUE     /s 20 s       MEANING",
                "TCPFastOpenActive                 0      0          ▁ client: data taken",
                "TCPFastOpenActiveFail             1    0.5          ▅ client: data not taken",
                "TCPFastOpenPassive              612    306          ▅ server: accepted",
                "TCPFastOpenPassiveAltKey          0      0          ▁ server: by backup key",
                "TCPFastOpenPassiveFail            0      0          ▁ server: cookie refused",
                "TCPFastOpenListenOverflow         0      0          ▁ server: TFO queue full",
                "TCPFastOpenCookieReqd             9      4          ▅ server: cookie wanted",
                "TCPFastOpenBlackhole              0      0          ▁ client: switched off",
                "SyncookiesSent             12345.7M   6.2G          ▅ SYN cookies: no TFO",
                "ListenOverflows                   0      0          ▁ accept queue was full",
                "TCPSynRetrans                     1    0.5          ▅ SYN, SYN-ACK again",
                "TCPTimeouts                       0      0          ▁ timed out, sent again",
            ],
            id="80 columns",
        ),
        pytest.param(
            folded(
                sample(
                    namespaces=(
                        namespace(counters={"TCPFastOpenPassive": 5, "TCPFastOpenNew": 1, "ListenDrops": 2}),
                        namespace(inum=7, cookie=2, own=False, counters={"TCPFastOpenPassive": 6, "InSegs": 9}),
                        namespace(inum=8, cookie=3, own=False, counters=None),
                    ),
                    problems=(NO_EBPF,),
                )
            ),
            120,
            [
                "COUNTER                       VALUE     /s            MEANING",
                "TCPFastOpenPassive               11      -            Server: connections accepted at the SYN.",
                (
                    "TCPFastOpenNew                    1      -            "
                    "This kernel has it, and this tfotop does not know it."
                ),
                (
                    "ListenDrops                       2      -            "
                    "Connections that a listener dropped, for any cause."
                ),
            ],
            id="the first sample: sums over namespaces, no rates, no sensor",
        ),
        pytest.param(
            folded(sample(namespaces=(namespace(counters={"TCPFastOpenPassive": 1234}),))),
            45,
            ["COUNTER                       VALUE     /s", "TCPFastOpenPassive             1234      -"],
            id="narrow: whole cells only",
        ),
    ],
)
def test_lines(model: Model | None, width: int, expected: list[str]) -> None:
    assert lines(model, width) == expected


def test_one_namespace_that_differs_is_enough() -> None:
    def state(inum: int, ours: int, agrees: bool) -> NamespaceState:
        check = Check(counter="TCPFastOpenPassive", kernel=5, tfotop=ours, agrees=agrees)
        return NamespaceState(reading=namespace(inum=inum), moved={"TCPFastOpenPassive": 5}, checks=(check,))

    model = replace(folded(sample(), sample(1)), namespaces=(state(1, 5, True), state(2, 9, False)))
    line = next(line for line in lines(model, 140) if line.startswith("TCPFastOpenPassive "))
    assert line.split() == [
        *("TCPFastOpenPassive", "0", "10", "▁", "+14", "DIFFERS", "Server:", "connections", "accepted", "at", "the"),
        "SYN.",
    ]


def test_every_counter_of_the_scenarios_has_a_meaning_that_fits() -> None:
    used = sum(WIDTHS) + len(WIDTHS) + BARS + 1
    assert set(COUNTERS) <= set(MEANINGS)
    for short, sentence in (*MEANINGS.values(), UNKNOWN):
        assert len(short) <= 80 - used
        assert len(sentence) <= 120 - used
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("number", "width", "sign", "text"),
    [
        (0, 6, "-", "0"),
        (999_999, 6, "-", "999999"),
        (1_000_000, 6, "-", "1.0M"),
        (-5, 6, "+", "-5"),
        (5, 6, "+", "+5"),
        (123_456, 6, "+", "+0.1M"),
        (2**64, 9, "-", "18446.7P"),
        (10**40, 6, "-", "-"),
    ],
)
def test_shortened(number: int, width: int, sign: str, text: str) -> None:
    assert shortened(number, width, sign) == text


@pytest.mark.parametrize(("width", "text"), [(9, "漢字"), (4, "漢字"), (3, "漢…"), (2, " …"), (0, ""), (-1, "")])
def test_cut_counts_places_on_the_screen(width: int, text: str) -> None:
    assert cut("漢字", width) == text


def test_the_row_under_the_cursor_is_told_in_a_sentence() -> None:
    model = two(Passive=612)
    assert detail(model, [], 2) == "TCPFastOpenPassive: Server: connections accepted at the SYN."
    assert detail(model, [], 99) == ""


@pytest.mark.parametrize(
    ("intervals", "bars", "each"), [(0, 10, 1), (10, 10, 1), (11, 10, 2), (60, 10, 10), (900, 10, 90), (900, 20, 60)]
)
def test_the_bars_hold_the_whole_history(intervals: int, bars: int, each: int) -> None:
    assert together(intervals, bars) == each


def test_a_burst_stays_in_its_bar_while_time_passes() -> None:
    """20 s in 10 bars of 2 s: the burst was in the sixth second."""
    given = [counters(Passive=100 if second >= 6 else 0) for second in range(25)]
    run = [sample(second, namespaces=(namespace(counters=c),)) for second, c in enumerate(given)]
    pictures = [over_time(folded(*run[: n + 1]), "TCPFastOpenPassive", 10) for n in (12, 13, 14, 15)]
    assert [picture.count("█") for picture in pictures] == [1, 1, 1, 1]
    assert [len(picture) - picture.index("█") for picture in pictures] == [4, 4, 5, 5]
    assert over_time(folded(run[0]), "TCPFastOpenPassive", 10).strip() == ""


NUMBERS = st.dictionaries(st.sampled_from(NAMES), st.integers(-(2**63), 2**64))
CHECKS = st.builds(
    Check,
    counter=st.sampled_from(NAMES),
    kernel=st.integers(0, 9),
    tfotop=st.integers(-(2**63), 2**63),
    agrees=st.booleans(),
)
STATES = st.builds(
    NamespaceState,
    reading=st.builds(namespace, counters=st.none() | NUMBERS),
    moved=st.none() | NUMBERS,
    checks=st.lists(CHECKS, max_size=3).map(tuple),
)


@given(st.lists(STATES, max_size=3), st.none() | st.floats(1e-3, 1e6), st.integers(0, 200))
def test_any_numbers_keep_the_width(states: list[NamespaceState], interval_s: float | None, width: int) -> None:
    model = replace(folded(sample()), namespaces=tuple(states), interval_s=interval_s)
    found = lines(model, width)
    assert all(cell_len(line) <= width and line.isprintable() for line in found)
    present = {name for n in states for name in n.reading.counters or {}} - {"InSegs"}
    assert len(found) == len(present) + 1
