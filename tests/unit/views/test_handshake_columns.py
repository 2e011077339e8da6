"""The table of handshakes, newest first: cells, and which columns fit."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.scenarios.build import START_WALL_NS, handshake
from tfotop.sample import Handshake
from tfotop.views.format import printable
from tfotop.views.tui.handshake_columns import HANDSHAKE_COLUMNS, cut, fitting, line, row, titles
from tfotop.words import OUTCOMES, REASONS, VARIANTS

pytestmark = pytest.mark.usefixtures("utc")

REJECTED: Final = handshake(
    ts_ns=START_WALL_NS + 123_999_999,
    local="10.0.0.2:443",
    peer="10.0.0.1:51234",
    outcome="rejected",
    reason="bad_cookie",
    option="standard",
    cookie_len=8,
    cookie_id="5e1f",
    syn_data_bytes=214,
    syn_data_acked_bytes=0,
    handshake_rtt_us=22_100,
    first_byte_us=22_580,
    pid=812,
    comm="nginx",
)
FEED: Final = (
    REJECTED,
    handshake(
        role="client",
        local="10.0.0.1:51234",
        peer="10.0.0.2:443",
        outcome="cookie_granted",
        reason="no_cookie_cached",
        cookie_len=0,
        handshake_rtt_us=22_100,
        first_byte_us=1_045_600,
        syn_data_acked_bytes=0,
        pid=4711,
        comm="curl",
    ),
    handshake(peer="[2001:db8:85a3:8d3:1319:8a2e:370:7348]:51234", outcome="plain"),
)
AT_80: Final = """
TIME         ROLE   PEER                 OUTCOME        REASON
14:13:20.123 server 10.0.0.1:51234       rejected       bad cookie
14:13:20.000 client 10.0.0.2:443         cookie granted no cookie cached yet
14:13:20.000 server [2001:…0:7348]:51234 plain          -
"""
AT_120: Final = """
                                                                                                  DATA          1st BYTE
TIME         ROLE   PEER                 OUTCOME        REASON                   COOKIE     acked/sent   RTT ms       ms
14:13:20.123 server 10.0.0.1:51234       rejected       bad cookie               8 B 5e1f        0/214    22.10    22.58
14:13:20.000 client 10.0.0.2:443         cookie granted no cookie cached yet     request             -    22.10  1045.60
14:13:20.000 server [2001:…0:7348]:51234 plain          -                        -                   -        -        -
"""


@pytest.mark.parametrize(("width", "picture"), [(80, "\n" + AT_80.strip("\n")), (120, AT_120.strip("\n"))])
def test_the_table(width: int, picture: str) -> None:
    columns = fitting(width)
    table = [*titles(columns), *(row(columns, h) for h in FEED)]
    assert "\n".join(text.rstrip() for text in table) == picture


def cells(h: Handshake) -> dict[str, str]:
    return {column.title: column.cell(h) for column in HANDSHAKE_COLUMNS}


def test_every_cell() -> None:
    assert cells(REJECTED) == {
        "TIME": "14:13:20.123",
        "ROLE": "server",
        "PEER": "10.0.0.1:51234",
        "LOCAL": "10.0.0.2:443",
        "OUTCOME": "rejected",
        "REASON": "bad cookie",
        "COOKIE": "8 B 5e1f",
        "acked/sent": "0/214",
        "RTT ms": "22.10",
        "ms": "22.58",
        "PROCESS": "nginx[812]",
    }


def test_what_is_not_known_is_a_dash() -> None:
    shown = cells(handshake(outcome="plain"))
    assert {shown[title] for title in ("REASON", "COOKIE", "acked/sent", "RTT ms", "ms", "PROCESS")} == {"-"}


@pytest.mark.parametrize(
    ("title", "given", "shown"),
    [
        ("COOKIE", {"cookie_len": 0}, "request"),
        ("COOKIE", {"cookie_len": 16}, "16 B"),
        ("acked/sent", {"syn_data_bytes": 65483, "syn_data_acked_bytes": 65483}, "65483/65483"),
        ("acked/sent", {"syn_data_bytes": 214}, "-/214"),
        ("REASON", {"variant": "backup_key"}, "by the backup key"),
        ("REASON", {"variant": "no_cookie"}, "without a cookie"),
        ("REASON", {"reason": "no_queue", "tcp_fastopen": 0x403}, "listener has no Fast Open queue"),
        ("PROCESS", {"comm": "a\x1bb"}, "a?b"),
        ("TIME", {"ts_ns": 10**30}, "-"),
        ("TIME", {"ts_ns": 999_999_999}, "00:00:00.999"),
    ],
)
def test_cells(title: str, given: dict[str, object], shown: str) -> None:
    assert cells(handshake(**given))[title] == shown


def test_no_word_of_ours_is_cut_where_there_is_room() -> None:
    widths = {column.title: column.width for column in fitting(200)}
    shown = [cells(handshake(outcome=outcome)) for outcome in OUTCOMES]
    shown += [cells(handshake(reason=reason)) for reason in REASONS]
    shown += [cells(handshake(variant=variant)) for variant in VARIANTS]
    for texts in shown:
        assert all(cell_len(text) <= widths[title] for title, text in texts.items())


@pytest.mark.parametrize(
    ("width", "lost"),
    [
        (152, set()),
        (151, {"LOCAL"}),
        (131, {"LOCAL", "PROCESS"}),
        (118, {"LOCAL", "PROCESS", "COOKIE"}),
        (108, {"LOCAL", "PROCESS", "COOKIE", "acked/sent"}),
        (96, {"LOCAL", "PROCESS", "COOKIE", "acked/sent", "ms"}),
        (80, {"LOCAL", "PROCESS", "COOKIE", "acked/sent", "ms", "RTT ms"}),
        (78, {"LOCAL", "PROCESS", "COOKIE", "acked/sent", "ms", "RTT ms", "ROLE"}),
    ],
)
def test_what_matters_least_is_left_out_first(width: int, lost: set[str]) -> None:
    assert {column.title for column in HANDSHAKE_COLUMNS} - {column.title for column in fitting(width)} == lost


@given(st.integers(1, 300))
def test_columns_never_exceed_the_width(width: int) -> None:
    columns = fitting(width)
    assert "PEER" in {column.title for column in columns}
    assert all(cell_len(text) <= width for text in (*titles(columns), *(row(columns, h) for h in FEED)))


@given(st.text(), st.integers(0, 60), st.booleans())
def test_a_cut_text_fits(text: str, width: int, ending: bool) -> None:
    assert cell_len(cut(text, width, ending)) <= width


@pytest.mark.parametrize(
    ("text", "width", "ending", "shown"),
    [
        ("nginx", 5, False, "nginx"),
        ("nginx", 4, False, "ngi…"),
        ("10.200.100.50:51234", 12, True, "10.…50:51234"),
        ("データデータ", 12, True, "データデータ"),
        ("データデータ", 6, True, "デー …"),
        ("データデータ", 7, False, "データ…"),
    ],
)
def test_cutting(text: str, width: int, ending: bool, shown: str) -> None:
    assert cut(text, width, ending) == shown


@given(st.text(max_size=80).map(printable), st.integers(1, 200))
def test_a_line_has_always_the_same_width(text: str, width: int) -> None:
    columns = fitting(width)
    assert cell_len(line(columns, [text] * len(columns))) == sum(c.width + 1 for c in columns) - 1
