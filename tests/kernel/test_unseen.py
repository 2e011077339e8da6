"""SYN-ACKs that no cgroup hook sees: the server's part is told from the SYN, the ACK and what the kernel holds."""

import socket
from collections.abc import Iterator

import pytest

from .bed import REQUEST, Bed, Server, exchange, forget_cookies, rotate_key, settings
from .bed.conditions import syn_cookies
from .bed.filters import hiding_synacks
from .bed.traffic import Mode
from .watching import Event, Sight, shows

pytestmark = pytest.mark.sensor

BOTH = pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])


@pytest.fixture
def hidden(bed: Bed) -> Iterator[None]:
    with hiding_synacks(bed.server, bed.client):
        yield


def visit(bed: Bed, sight: Sight, six: bool, port: int, mode: Mode = "sendto", request: bytes = REQUEST) -> Event:
    """What tfotop says of the server's part in a visit; the client's is taken."""
    address = bed.server.v6 if six else bed.server.v4
    assert exchange(bed.client, address, port, request, mode=mode).error is None
    return sight.pair()[1]


@BOTH
@pytest.mark.usefixtures("hidden")
def test_granted_accepted_plain(bed: Bed, sight: Sight, six: bool) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    for mode, outcome, cookie in (("sendto", "cookie_granted", 0), ("sendto", "accepted", 8), ("plain", "plain", None)):
        seen = visit(bed, sight, six, server.port, mode)
        shows(seen, outcome=outcome, reason=None, cookie_len=cookie, new_cookie_len=None)
        assert 0 < seen["handshake_rtt_us"] < 900_000
        assert seen["first_byte_us"] is not None
    sight.agrees()
    (peer,) = sight.peers(bed.server)
    assert peer.outcomes == {"cookie_granted": 1, "accepted": 1, "plain": 1}
    assert (peer.with_tfo.count, peer.without_tfo.count) == (1, 2)


@pytest.mark.usefixtures("hidden")
def test_declined(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    visit(bed, sight, False, server.port)
    rotate_key(bed.server, keep_old=False)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="bad_cookie", cookie_len=8)
    settings.mode(bed.server, settings.CLIENT)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="server_bit_off")
    forget_cookies(bed.client)
    shows(visit(bed, sight, False, server.port), outcome="cookie_refused", reason="server_bit_off", cookie_len=0)
    sight.agrees()


@pytest.mark.usefixtures("hidden")
def test_syn_cookies_are_still_told_apart(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server, 16, family=socket.AF_INET6)
    visit(bed, sight, False, server.port)
    syn_cookies(bed.server)
    shows(visit(bed, sight, False, server.port), outcome="rejected", reason="syn_cookies")
    sight.agrees()
