"""One handshake as a picture: each outcome, any width, nothing that was not seen."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.unit.views.pictures import (
    BAD_COOKIE,
    COOKIE,
    HIT,
    LARGE,
    LOST,
    NORMAL,
    PICTURES,
    UNSEEN,
    at_client,
    at_server,
)
from tfotop.sample import Handshake
from tfotop.views.tui.ladder import ladder
from tfotop.views.tui.themes import only_ascii
from tfotop.words import OPTIONS, OUTCOMES, REASONS, ROLES, VARIANTS


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str) -> None:
    of, picture = PICTURES[name]
    assert "\n".join(ladder(of, NORMAL)) == picture.strip()


def test_a_wide_picture_also_shows_the_time_since_the_row_above() -> None:
    assert (
        "\n".join(ladder(LOST, LARGE))
        == (
            """
client 10.0.0.1:51234 -> 10.0.0.2:443  lost: SYN dropped on the way  seen from the client
      ms       +ms  client curl[4711]                                                                         server
    0.00            │── SYN  cookie 8 B 5e1f  data 214 B ─────────────────────────────────────────────────────────►│
 1031.04  +1031.04  │── SYN again ────────────────────────────────────────────────────────────────────────────────►│
 1053.14    +22.10  │◄─ SYN-ACK  data not acked ───────────────────────────────────────────────────────────────────│
 1075.30    +22.16  │◄─ response  first byte ──────────────────────────────────────────────────────────────────────│
lost: SYN dropped on the way  (no answer to the first SYN)
handshake RTT 22.10 ms  first byte 1075.30 ms
"""
        ).strip()
    )


def test_a_label_longer_than_its_arrow_stands_above_it() -> None:
    assert (
        "\n".join(ladder(BAD_COOKIE, 40))
        == (
            """
client 10.0.0.1:51234 -> 10.0.0.2:443
rejected: bad cookie
seen from the server
      ms  client       nginx[812] server
          │ SYN  cookie 8 B 5e1f       │
          │ data 214 B                 │
    0.00  │───────────────────────────►│
          │ SYN-ACK                    │
          │ new cookie 8 B 77aa        │
          │ data not acked             │
    0.02  │◄───────────────────────────│
   22.12  │── ACK ────────────────────►│
   22.58  │── request  first byte ────►│
rejected: bad cookie
(the data has to be sent again)
handshake RTT 22.10 ms
first byte 22.58 ms
Fast Open queue 0 of 16
tcp_fastopen 0x3
"""
        ).strip()
    )


def test_a_terminal_without_utf_8() -> None:
    shown = ladder(at_client(outcome="cookie_refused", option="standard", cookie_len=0, comm="データ"), NORMAL)
    assert list(map(only_ascii, shown[1:4])) == [
        "      ms  client ??????[4711]                                         server",
        "    0.00  |-- SYN  cookie request ---------------------------------------->|",
        "   22.10  |<- SYN-ACK  no cookie ------------------------------------------|",
    ]


def test_long_addresses_have_lines_of_their_own() -> None:
    ends = {
        "peer": "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:51234",
        "local": "[2001:db8:85a3:8d3:1319:8a2e:370:7349]:443",
    }
    assert ladder(at_server(outcome="plain", **ends), NORMAL)[:2] == [
        "client [2001:db8:85a3:8d3:1319:8a2e:370:7348]:51234",
        "-> [2001:db8:85a3:8d3:1319:8a2e:370:7349]:443  plain  seen from the server",
    ]
    assert ladder(at_server(outcome="plain", **ends), 40)[:2] == [
        "client [2001:…:1319:8a2e:370:7348]:51234",
        "-> [2001:db8:…d3:1319:8a2e:370:7349]:443",
    ]


def rows(of: Handshake, width: int = NORMAL) -> list[str]:
    """Times and what the arrows carry."""
    drawn = [line for line in ladder(of, width) if "│" in line]
    return [line.translate(str.maketrans("", "", "│─►◄")).strip() for line in drawn]


def test_why_there_is_no_queue_is_said_in_full() -> None:
    shown = ladder(at_server(outcome="cookie_refused", reason="no_queue", cookie_len=0, tcp_fastopen=0x403), NORMAL)
    assert "cookie refused: no Fast Open queue: listened before 0x400 was set  seen" in "  ".join(shown)


def test_a_part_of_the_data() -> None:
    of = at_client(outcome="rejected", reason="data_not_acked", **HIT, syn_data_acked_bytes=100)
    assert rows(of)[1] == "22.10   SYN-ACK  data acked 100 of 214 B"
    assert "(the rest of the data has to be sent again)" in ladder(of, LARGE)[-2]


def test_an_accepted_cookie_without_data() -> None:
    of = at_server(outcome="accepted", **COOKIE, syn_data_acked_bytes=0, first_byte_us=None)
    assert rows(of) == ["0.00   SYN  cookie 8 B 5e1f", "0.02   SYN-ACK", "22.12   ACK"]
    assert "accepted  (the SYN carried no data)" in ladder(of, NORMAL)


def test_a_syn_sent_again_after_the_syn_ack_stands_below_it() -> None:
    of = at_server(outcome="plain", syn_retransmits=2, last_syn_us=3_000_000, ack_us=3_000_100, first_byte_us=None)
    assert [row.split(maxsplit=1)[1].strip() for row in rows(of)] == [
        "SYN  no option",
        "SYN-ACK",
        "SYN again  the last of 2",
        "ACK",
    ]


def test_a_repeated_syn_of_unknown_time_has_no_arrow() -> None:
    of = at_client(outcome="unanswered", **UNSEEN, syn_retransmits=2)
    assert rows(of) == ["0.00   SYN  no option"]
    assert ladder(of, NORMAL)[-1] == "handshake RTT - ms  first byte - ms  SYN sent 3 times"


def test_a_syn_ack_that_the_kernel_hides_has_no_arrow() -> None:
    of = at_server(outcome="rejected", reason="bad_cookie", **HIT, syn_data_acked_bytes=0, synack_us=None)
    assert [row.split()[1] for row in rows(of)] == ["SYN", "ACK", "request"]
    assert "SYN-ACK not seen" in "  ".join(ladder(of, LARGE))


def test_a_cookie_without_its_fingerprint() -> None:
    assert rows(at_client(outcome="plain", cookie_len=16))[0] == "0.00   SYN  cookie 16 B"


@pytest.mark.parametrize(
    "name", ["comm", "local", "peer", "outcome", "variant", "reason", "cookie_id", "new_cookie_id"]
)
def test_nothing_from_outside_writes_to_the_terminal(name: str) -> None:
    seen = {"cookie_len": 8, "new_cookie_len": 8, "outcome": "accepted"}
    for line in ladder(at_server(**{**seen, name: "\x1b]0;owned\x07\u202e"}), NORMAL):
        assert line.isprintable()


def few(names: tuple[str | None, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(names) | (st.text(max_size=20) if None not in names else st.none() | st.text(max_size=20))


NUMBERS: Final = st.integers(-(2**63), 2**64) | st.integers(0, 100_000)
MAYBE: Final = st.none() | NUMBERS
HANDSHAKES: Final = st.builds(
    Handshake,
    ts_ns=NUMBERS,
    role=few(ROLES),
    netns=MAYBE,
    local=st.text(max_size=60),
    peer=st.text(max_size=60),
    pid=MAYBE,
    comm=st.none() | st.text(max_size=20),
    outcome=few(OUTCOMES),
    variant=few(VARIANTS),
    reason=few(REASONS),
    option=few(OPTIONS),
    cookie_len=MAYBE,
    cookie_id=st.none() | st.text(max_size=8),
    new_cookie_len=MAYBE,
    new_cookie_id=st.none() | st.text(max_size=8),
    syn_data_bytes=NUMBERS,
    syn_data_acked_bytes=MAYBE,
    syn_retransmits=NUMBERS,
    handshake_rtt_us=MAYBE,
    first_byte_us=MAYBE,
    qlen=MAYBE,
    max_qlen=MAYBE,
    tcp_fastopen=MAYBE,
    synack_us=MAYBE,
    ack_us=MAYBE,
    last_syn_us=MAYBE,
)


@given(HANDSHAKES, st.integers(0, 200))
def test_any_handshake_at_any_width(of: Handshake, width: int) -> None:
    for line in ladder(of, width):
        assert cell_len(line) <= width
        assert line.isprintable()
        assert cell_len(only_ascii(line)) == cell_len(line)


@given(HANDSHAKES, st.integers(40, 200))
def test_what_was_not_seen_is_not_drawn(of: Handshake, width: int) -> None:
    drawn = [line for line in ladder(of, width) if line.endswith(("─►│", "──│"))]
    seen = [of.synack_us, of.ack_us, of.first_byte_us, of.last_syn_us if of.syn_retransmits else None]
    reset = of.outcome == "reset" and of.role != "server"
    assert 1 <= len(drawn) <= 1 + reset + sum(at is not None for at in seen)
    assert all("│" in line for line in drawn)
