"""The answer to a route request, made by hand, and what the kernel says of loopback."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.test_netlink import attribute, message
from tfotop.sources import netlink, routes, tcp_metrics


def answer(*metrics: bytes, more: bytes = b"") -> bytes:
    body = routes.RTMSG.pack(2, 32, 0, 0, 254, 0, 0, 1, 0)
    return message(24, body + more + attribute(routes.RTA_METRICS, b"".join(metrics)))


def told(monkeypatch: pytest.MonkeyPatch, *answers: bytes) -> bool:
    monkeypatch.setattr(netlink, "ask", lambda *_: list(answers))
    return routes.no_cookie("192.0.2.1")


@pytest.mark.parametrize(
    ("metrics", "marked"),
    [
        ([], False),
        ([(17, 1)], True),
        ([(17, 0)], False),
        ([(2, 1500), (17, 1)], True),
        ([(2, 1500), (16, 1)], False),
    ],
)
def test_the_mark_is_a_metric(monkeypatch: pytest.MonkeyPatch, metrics: list[tuple[int, int]], marked: bool) -> None:
    raw = [attribute(kind, struct.pack("=I", value)) for kind, value in metrics]
    assert told(monkeypatch, answer(*raw, more=attribute(routes.RTA_DST, b"\xc0\0\2\1"))) is marked


@given(st.binary(max_size=80))
def test_any_answer_is_read(raw: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert told(patch, raw) in (True, False)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_has_no_mark(address: str) -> None:
    assert routes.no_cookie(address) is False


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_nobody_has_no_entry(address: str) -> None:
    """What the probe asks the kernel to remove, to learn whether it may."""
    assert tcp_metrics.entry(address, address) is None
    with pytest.raises((ProcessLookupError, PermissionError)):
        tcp_metrics.remove(address, address)
