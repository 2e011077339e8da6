"""Values as every view shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.build import sample, sensor
from tfotop.model.fold import fold
from tfotop.sample import Losses, Problem
from tfotop.views import format as show
from tfotop.words import CLIENT_BIT, REASONS, SERVER_BIT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nginx", "nginx"),
        ("", ""),
        ("\x1b[31mred", "?[31mred"),
        ("a\nb\tc\0d\x7f", "a?b?c?d?"),
        ("\x9b31m", "?31m"),  # CSI in one byte
        ("\u202eexe.txt", "?exe.txt"),  # right-to-left override
        ("\u200f\u2066\u200b", "???"),
        ("\ufffd", "\ufffd"),
        ("\ud800", "?"),
        ("データ", "データ"),
        ("שלום", "שלום"),
    ],
)
def test_what_is_not_printable_becomes_a_question_mark(text: str, shown: str) -> None:
    assert show.printable(text) == shown


@given(st.text())
def test_any_text_becomes_one_printable_line_of_the_same_length(text: str) -> None:
    assert show.printable(text).isprintable()
    assert len(show.printable(text)) == len(text)


@pytest.mark.parametrize(
    ("reason", "tcp_fastopen", "shown"),
    [
        (None, None, None),
        (None, 3, None),
        ("bad_cookie", None, "bad cookie"),
        ("bad_cookie", 0x403, "bad cookie"),
        ("no_queue", None, "listener has no Fast Open queue"),
        ("no_queue", 0x3, "no Fast Open queue: the listener did not ask"),
        ("no_queue", 0x403, "no Fast Open queue: listened before 0x400 was set"),
    ],
)
def test_reasons(reason: str | None, tcp_fastopen: int | None, shown: str | None) -> None:
    assert show.reason_text(reason, tcp_fastopen) == shown


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason])
def test_no_reason_is_shown_as_an_identifier(reason: str) -> None:
    assert "_" not in str(show.reason_text(reason))


@pytest.mark.parametrize(
    ("us", "shown"), [(None, "-"), (0, "0.00"), (22_100, "22.10"), (4, "0.00"), (5.5, "0.01"), (-1500, "-1.50")]
)
def test_milliseconds(us: float | None, shown: str) -> None:
    assert show.milliseconds(us) == shown


@pytest.mark.parametrize(("number", "shown"), [(None, "-"), (0, "0"), (412.4, "412"), (18_204, "18204")])
def test_count(number: float | None, shown: str) -> None:
    assert show.count(number) == shown


@pytest.mark.parametrize(
    ("mode", "server", "client"),
    [
        (None, "-", "-"),
        (0, "OFF", "OFF"),
        (1, "OFF", "ON"),
        (2, "ON", "OFF"),
        (0x403, "ON", "ON"),
        (0x400, "OFF", "OFF"),
    ],
)
def test_switches(mode: int | None, server: str, client: str) -> None:
    assert (show.switch(mode, SERVER_BIT), show.switch(mode, CLIENT_BIT)) == (server, client)


def test_a_problem_is_one_line_with_its_remedy() -> None:
    assert show.problem(Problem(source="keys", text="not\nroot", remedy="run as \x1b root")) == (
        "keys: not?root (run as ? root)"
    )
    assert show.problem(Problem(source="keys", text="gone")) == "keys: gone"


def test_each_loss_is_named() -> None:
    lost = Losses(records_limited=1, records_dropped=2, handshakes_evicted=4, peers_unread=100, totals_full=8)
    assert list(show.losses(fold(None, sample(sensor=sensor(losses=lost))))) == [
        "3 not shown one by one",
        "4 handshakes not followed",
        "8 handshakes not counted",
    ]


def test_no_loss_is_no_word() -> None:
    assert list(show.losses(fold(None, sample(sensor=sensor())))) == []
    assert list(show.losses(fold(None, sample()))) == []
