"""What became of a cookie in one exchange, and over the whole probe."""

import pytest

from tfotop.probe import cookies
from tfotop.probe.records import CACHED, WITH, WITHOUT, Exchange

from .build import ERROR, exchange, first, handshake, metric, series


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (first(), "got"),
        (first(after=metric(None)), "none"),
        (first(after=None), "none"),
        (exchange(3, WITH), "kept"),
        (exchange(3, WITH, after=metric("3ad5")), "renewed"),
        (exchange(3, WITH, after=None), "gone"),
        (exchange(2, WITHOUT), None),
        (first(**ERROR), None),
    ],
)
def test_changes(made: Exchange, change: str | None) -> None:
    assert cookies.change(made, metrics=True) == change
    assert cookies.change(made, metrics=False) is None


def test_whether_it_was_asked_for() -> None:
    assert cookies.asked(first()) is True
    assert cookies.asked(exchange(3, WITH)) is False
    assert cookies.asked(exchange(2, WITHOUT)) is False
    assert cookies.asked(first(**ERROR)) is None
    assert cookies.asked(first(client_fail=0, client=handshake("client", "cookie_granted", cookie_len=0))) is True


def test_whether_the_kernel_held_fast_open_back() -> None:
    held = {"syn_data_bytes": 0, "syn_data_acked": False}
    assert cookies.kept_out(exchange(3, WITH, **held))
    assert not cookies.kept_out(exchange(3, WITH))
    assert not cookies.kept_out(first())
    assert not cookies.kept_out(exchange(2, WITHOUT))
    assert cookies.kept_out(exchange(3, WITH, client=handshake("client", "plain", reason="blackhole")))


@pytest.mark.parametrize(
    ("made", "granted"),
    [
        (exchange(1, CACHED), True),
        (exchange(1, CACHED, syn_data_acked=False, client_fail=2, after=metric("3ad5")), True),
        (exchange(1, CACHED, syn_data_acked=False, client_fail=2), False),
        (exchange(1, CACHED, first_byte_us=None), False),
        (exchange(1, CACHED, **ERROR), False),
    ],
)
def test_when_a_server_is_known_to_grant(made: Exchange, granted: bool) -> None:
    assert cookies.granted(made) is granted


def test_what_is_said_of_the_entry() -> None:
    there, used = {"cached": metric("a41f")}, exchange(1, CACHED)
    assert cookies.state(series(first())) is None
    assert cookies.state(series(**there)) is None
    again = cookies.state(series(used, removed=True, **there))
    assert again == "the entry was removed for the first contact; the same cookie a41f is cached again"
    other = cookies.state(series(used, removed=True, last=metric("3ad5"), **there))
    assert other
    assert other.endswith("cookie 3ad5 is cached in place of a41f")
    gone = cookies.state(series(used, removed=True, last=None, **there))
    assert gone
    assert "cookie a41f is gone" in gone
    assert cookies.state(series(used, kept_because="--keep-cookie", **there)) == (
        "cookie a41f was not removed (--keep-cookie)"
    )
