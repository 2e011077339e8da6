"""What goes wrong on a client's way: no answer, a filter, its own settings. As test_outcomes.py."""

import pytest

from .bed import (
    REQUEST,
    Bed,
    Server,
    begin,
    counting,
    exchange,
    settings,
)
from .bed.filters import filtering
from .usual import BOTH, address, primed, third_timeout
from .watching import Sight, shows

pytestmark = pytest.mark.sensor


@pytest.mark.parametrize("rule", ["drop_syn_option", "drop_syn_data"])
def test_syn_dropped_on_the_way(bed: Bed, sight: Sight, rule: str) -> None:
    """The server sees a plain SYN only; the client's handshake is one, sent twice."""
    server = primed(bed, sight)
    with filtering(bed.server, rule):
        exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="lost", reason="syn_dropped", syn_retransmits=1, cookie_len=8, syn_data_acked_bytes=0)
    assert client["handshake_rtt_us"] is None or client["handshake_rtt_us"] < 900_000
    assert client["first_byte_us"] > 900_000
    shows(seen, outcome="plain", syn_retransmits=0)
    sight.agrees()


def test_option_stripped(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    with filtering(bed.server, "strip_syn_option"):
        exchange(bed.client, bed.server.v4, server.port)
    client, seen = sight.pair()
    shows(client, outcome="rejected", reason="data_not_acked", cookie_len=8)
    shows(seen, outcome="rejected", reason="no_data_no_cookie", cookie_len=None, option=None)
    sight.agrees()


@pytest.mark.parametrize("close_after_s", [0.05, 1.5])
def test_unanswered(bed: Bed, sight: Sight, close_after_s: float) -> None:
    server = primed(bed, sight)
    with filtering(bed.server, "drop_tcp"), counting(bed.client) as watch:
        assert exchange(bed.client, bed.server.v4, server.port, timeout_s=close_after_s).error == "ETIMEDOUT"
    again = watch.delta().get("TCPSynRetrans", 0)
    assert again >= int(close_after_s)
    (client,) = sight.next(bed.client)
    shows(client, outcome="unanswered", reason=None, syn_retransmits=again, syn_data_acked_bytes=None)
    shows(client, handshake_rtt_us=None, first_byte_us=None, cookie_len=8)
    sight.agrees()


def test_third_timeout_moves_active_fail(bed: Bed, sight: Sight) -> None:
    """tcp_fastopen_active_detect_blackhole; the handshake itself stays one that is unanswered."""
    server = primed(bed, sight)
    with filtering(bed.server, "drop_tcp"), counting(bed.client) as watch:
        third_timeout(bed, server.port)
    shows(sight.next(bed.client)[0], outcome="unanswered", reason=None, syn_retransmits=watch.delta()["TCPSynRetrans"])
    sight.agrees(timeouts=1)


@BOTH
def test_icmp_unreachable(bed: Bed, sight: Sight, six: bool) -> None:
    """The ICMP that closes the socket is the second here: the first comes while connect() still holds the socket."""
    error = pytest.raises(OSError, match=r"No route to host|unreachable")
    with filtering(bed.server, "unreachable"), begin(bed.client, address(bed, six)) as sock, error:
        sock.connect((address(bed, six), 443))
    shows(sight.next(bed.client)[0], outcome="unanswered", reason="icmp_unreachable")
    sight.agrees()


@BOTH
def test_reset(bed: Bed, sight: Sight, six: bool) -> None:
    server = primed(bed, sight, six)
    with filtering(bed.server, "reset_syn"):
        assert exchange(bed.client, address(bed, six), server.port).error == "ECONNREFUSED"
    assert exchange(bed.client, address(bed, six), 9, mode="plain").error == "ECONNREFUSED"
    with_data, closed = sight.next(bed.client, 2)
    shows(with_data, outcome="reset", reason="reset", syn_data_bytes=len(REQUEST), first_byte_us=None)
    shows(closed, outcome="reset", reason="reset", cookie_len=None)
    sight.agrees()


def test_client_bit_off(bed: Bed, sight: Sight) -> None:
    """The call itself fails; what the application does instead is a plain handshake, and the reason is known."""
    server = Server.start(bed.server)
    settings.mode(bed.client, settings.SERVER)
    exchange(bed.client, bed.server.v4, server.port, mode="plain")
    shows(sight.next(bed.client)[0], outcome="plain", reason="client_bit_off", tcp_fastopen=2)
    sight.agrees()


def test_blackhole(bed: Bed, sight: Sight) -> None:
    server = primed(bed, sight)
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 60)
    with filtering(bed.server, "drop_tcp"):
        third_timeout(bed, server.port)
    exchange(bed.client, bed.server.v4, server.port)
    exchange(bed.client, bed.server.v4, server.port, mode="plain")
    disabling, asked, plain = sight.next(bed.client, 3)
    shows(disabling, outcome="unanswered")
    shows(asked, outcome="plain", reason="blackhole", cookie_len=None, syn_data_bytes=0)
    shows(plain, outcome="plain", reason=None)
    sight.agrees(timeouts=1)
