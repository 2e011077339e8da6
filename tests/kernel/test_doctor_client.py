"""Broken on purpose on the client's side or on the way: doctor names it, its own fix is run, doctor is content."""

import pytest

from .bed import Bed, Server, cached_cookie, exchange, forget_cookies, settings
from .bed.filters import filtering
from .doctoring import ids, named, nothing, run_fix, watching, well
from .usual import third_timeout

pytestmark = pytest.mark.sensor


def primed(bed: Bed, qlen: int | None = 16) -> Server:
    """A server whose cookie the client has."""
    server = Server.start(bed.server, qlen)
    exchange(bed.client, bed.server.v4, server.port)
    return server


def visits(bed: Bed, port: int, number: int = 2, mode: str = "sendto") -> None:
    """Visits of the client, one after the other."""
    for _ in range(number):
        exchange(bed.client, bed.server.v4, port, mode=mode)  # type: ignore[arg-type]  # parametrize gives str


def test_client_bit_off(bed: Bed) -> None:
    """A cookie is cached, so something here used Fast Open; the call that asks for it fails now."""
    server = primed(bed)
    settings.mode(bed.client, 0x2)
    finding = named(watching(lambda: visits(bed, server.port, 2, "plain"), of=[bed.client]), "client_bit_off")
    assert (finding["severity"], finding["role"]) == ("broken", "client")
    assert ids(watching(nothing, "--no-bpf", of=[bed.client])) == ["client_bit_off"]
    run_fix(finding)
    assert bed.client.sysctl("net.ipv4.tcp_fastopen") == "3"
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))


def test_a_server_that_refuses(bed: Bed) -> None:
    """Only the server knows why; the client's finding says what it may be, and where to look."""
    server = primed(bed)
    settings.mode(bed.server, 1)

    def refused() -> None:
        visits(bed, server.port, 1)
        forget_cookies(bed.client)
        visits(bed, server.port, 1)

    report = watching(refused, "--role", "client", of=[bed.client])
    assert set(ids(report)) == {"data_not_acked", "none_granted"}
    for finding in report["findings"]:
        assert "server_bit_off" in finding["candidates"]
        assert "on the server" in finding["check"]
    run_fix(named(watching(refused, of=[bed.server]), "server_bit_off"))
    well(watching(refused, of=[bed.client, bed.server]))


@pytest.mark.parametrize("rule", ["drop_syn_option", "drop_syn_data"])
def test_a_middlebox_that_drops(bed: Bed, rule: str) -> None:
    """Seen as it happens; and afterwards by what the kernel remembers, until the printed command or a success."""
    server = primed(bed)
    with filtering(bed.server, rule):
        finding = named(watching(lambda: visits(bed, server.port, 1), of=[bed.client]), "syn_dropped")
    assert bed.server.v4 in finding["cause"]
    assert cached_cookie(bed.client, bed.server.v4).syn_drops == 1
    remembered = named(watching(nothing, "--no-bpf", of=[bed.client]), "syn_drops_cached")
    assert remembered["fix"]["command"].endswith(f"ip tcp_metrics delete {bed.server.v4}")
    run_fix(remembered)
    well(watching(lambda: visits(bed, server.port), of=[bed.client, bed.server]))


def test_the_common_network_of_what_is_dropped(bed: Bed) -> None:
    """Two servers of one network are reached no more, one elsewhere is."""
    bed.server.ip("address", "add", "10.77.1.3/24", "dev", "eth0")
    server = primed(bed)
    exchange(bed.client, "10.77.1.3", server.port)
    exchange(bed.client, bed.server.v6, Server.start(bed.server, family=10).port)

    def both() -> None:
        exchange(bed.client, bed.server.v4, server.port)
        exchange(bed.client, "10.77.1.3", server.port)

    with filtering(bed.server, "drop_syn_option"):
        finding = named(watching(both, of=[bed.client]), "syn_dropped")
    assert "10.77.1.2/31" in finding["cause"], finding["cause"]


def test_without_ebpf_a_drop_is_told_by_the_socket(bed: Bed) -> None:
    """tcpi_fastopen_client_fail of a connection that still lives."""
    from .bed import begin, send_first

    server = primed(bed)
    with filtering(bed.server, "drop_syn_option"):
        sock = bed.client.closing(begin(bed.client, bed.server.v4))

        def stay() -> None:
            send_first(sock, bed.server.v4, server.port, b"request")
            sock.recv(64)

        finding = named(watching(stay, "--no-bpf", of=[bed.client]), "client_failed_unknown")
    assert finding["candidates"] == ["syn_dropped"]


def test_blackhole_protection(bed: Bed) -> None:
    """How long at most, who started it; and the same value written again ends it."""
    server = primed(bed)
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 600)

    def silence() -> None:
        with filtering(bed.server, "drop_tcp"):
            third_timeout(bed, server.port)
        visits(bed, server.port, 2)

    finding = named(watching(silence, of=[bed.client]), "blackhole")
    assert finding["handshakes"] == 2
    assert "for at most 600 s more" in finding["cause"]
    assert f"after {bed.server.v4}:{server.port} gave no answer" in finding["cause"]
    without = named(watching(lambda: visits(bed, server.port), of=[bed.client]), "blackhole")
    assert "what started it" in without["unknown"]
    run_fix(finding)
    assert bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec") == "600"
    well(watching(lambda: visits(bed, server.port), of=[bed.client, bed.server]))


def test_a_cookie_that_is_cached_and_not_used(bed: Bed) -> None:
    """Advice, not a fault; it is gone when the application asks for Fast Open, as the printed line does."""
    server = primed(bed)
    report = watching(lambda: visits(bed, server.port, 4, "plain"), of=[bed.client])
    finding = named(report, "cookie_unused")
    assert (finding["severity"], finding["handshakes"]) == ("advice", 4)
    assert "TCP_FASTOPEN_CONNECT" in finding["fix"]["config"]
    well(report)
    assert watching(lambda: visits(bed, server.port, 4, "connect_option"), of=[bed.client])["findings"] == []


def test_syns_with_the_option_are_reset(bed: Bed) -> None:
    """Plain connections work; whoever offers Fast Open as advice here would break them."""
    server = primed(bed)

    def both() -> None:
        for _ in range(3):
            visits(bed, server.port, 1)
            visits(bed, server.port, 1, "plain")

    with filtering(bed.server, "tcp option fastopen exists counter reject with tcp reset"):
        finding = named(watching(both, of=[bed.client]), "syn_reset")
    assert (finding["severity"], finding["port"], finding["handshakes"]) == ("broken", server.port, 3)
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))


def test_a_port_that_is_closed_has_nothing_against_fast_open(bed: Bed) -> None:
    server = primed(bed)
    server.close()
    assert ids(watching(lambda: visits(bed, server.port, 3), of=[bed.client])) == []


def test_nobody_answers(bed: Bed) -> None:
    server = primed(bed)
    with filtering(bed.client, "drop_syn_ack"):
        report = watching(lambda: exchange(bed.client, bed.server.v4, server.port, timeout_s=1.5), of=[bed.client])
    finding = named(report, "unanswered")
    assert (finding["severity"], finding["port"], finding["handshakes"]) == ("degraded", server.port, 1)


@pytest.mark.parametrize(("rule", "timeout_s"), [("drop_syn", 0.2), ("unreachable", 1.0)])
def test_who_gives_up_at_once_or_hears_of_icmp_accuses_nobody(bed: Bed, rule: str, timeout_s: float) -> None:
    """The slower of two families, or one without a route: ordinary on a healthy host."""
    server = primed(bed)
    with filtering(bed.server, rule):
        visit = watching(lambda: exchange(bed.client, bed.server.v4, server.port, timeout_s=timeout_s), of=[bed.client])
    assert ids(visit) == []


def test_an_option_that_is_stripped_before_the_server(bed: Bed) -> None:
    server = primed(bed)
    with filtering(bed.server, "strip_syn_option"):
        finding = named(watching(lambda: visits(bed, server.port), of=[bed.server]), "option_stripped")
    assert (finding["severity"], finding["handshakes"]) == ("degraded", 2)
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))
