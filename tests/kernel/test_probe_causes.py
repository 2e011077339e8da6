"""``tfotop probe`` where Fast Open was broken on purpose: it names the cause, or all that its side can tell apart."""

import socket
from pathlib import Path

import pytest

from .bed import (
    SERVICE_V4,
    Bed,
    Namespace,
    Server,
    cached_cookie,
    counting,
    exchange,
    forget_cookies,
    listen,
    settings,
)
from .bed.filters import SYN, SYN_ACK, filtering
from .bed.handmade import FakeServer, syn_ack, then_out_of_order
from .bed.segments import RST, fast_open
from .probing import Probed, probe
from .running import hiding

told_apart = pytest.mark.parametrize("bpf", [True, False], ids=["eBPF", "without"])


def probed(bed: Bed, server: Server, *options: str, pairs: int = 2, bpf: bool = False) -> Probed:
    done = probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", str(pairs), *options, bpf=bpf)
    assert done.status == 1, done.out + done.err
    return done


# This host


def test_the_client_bit_is_off(bed: Bed) -> None:
    server = Server.start(bed.server)
    settings.mode(bed.client, settings.SERVER)
    with counting(bed.client) as watch:
        done = probed(bed, server)
    assert (done.cause, done.exchanges) == ("client_bit_off", [])
    assert done.report["verdict"]["advice"] == "sysctl -w net.ipv4.tcp_fastopen=3"
    assert watch.delta(("ActiveOpens",)) == {}
    settings.mode(bed.client, 3)
    assert probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", "1").status == 0


def mark_route(bed: Bed, mark: int) -> None:
    bed.client.ip("route", "replace", f"{bed.server.v4}/32", "dev", "eth0", "fastopen_no_cookie", str(mark))


def test_the_route_is_marked_no_cookie(bed: Bed) -> None:
    server = Server.start(bed.server)
    mark_route(bed, 1)
    done = probed(bed, server)
    assert (done.cause, done.address["no_cookie_route"]) == ("no_cookie_route", True)
    assert "fastopen_no_cookie 0" in done.report["verdict"]["advice"]
    mark_route(bed, 0)
    assert probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", "1").status == 0


def test_a_route_without_cookies_to_a_server_that_wants_none(bed: Bed) -> None:
    mark_route(bed, 1)
    server = Server.start(bed.server, no_cookie=True)
    done = probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", "1")
    assert done.status == 0
    assert cached_cookie(bed.client, bed.server.v4).cookie is None


def test_blackhole_protection(bed: Bed) -> None:
    server = Server.start(bed.server)
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 60)
    fake = FakeServer(bed.server, bed.client, syn_ack(options=fast_open(b"a cookie")))
    assert exchange(bed.client, fake.v4, 443).answer
    fake.behaviour, fake.finishes = then_out_of_order(RST), False
    with counting(bed.client) as watch:
        exchange(bed.client, fake.v4, 443, timeout_s=0.2)
        watch.wait("TCPFastOpenBlackhole")
    done = probed(bed, server)
    assert done.cause == "blackhole"
    assert [e["client_fail"] for e in done.exchanges] == ["none"] * 5
    bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 0)  # as it advises
    assert probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", "1").status == 0


# The server


@told_apart
def test_the_server_bit_is_off(bed: Bed, bpf: bool) -> None:
    server = Server.start(bed.server)
    settings.mode(bed.server, settings.CLIENT)
    done = probed(bed, server, bpf=bpf)
    assert done.cause == ("server_bit_off" if bpf else "none_granted")
    settings.mode(bed.server, 3)
    assert probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", "1").status == 0


@told_apart
def test_the_listener_never_asked(bed: Bed, bpf: bool) -> None:
    assert probed(bed, Server.start(bed.server, None), bpf=bpf).cause == ("no_queue" if bpf else "none_granted")


@told_apart
def test_the_server_bit_goes_off_with_a_cookie_cached(bed: Bed, bpf: bool) -> None:
    server = Server.start(bed.server)
    exchange(bed.client, bed.server.v4, server.port)
    settings.mode(bed.server, settings.CLIENT)
    done = probed(bed, server, bpf=bpf)
    assert done.cause == ("server_bit_off" if bpf else "data_not_acked")
    assert "server bit" in done.report["verdict"]["text"]
    assert done.address["cookie_removed"] is False


BALANCED = """
table ip balance {
    chain out {
        type route hook output priority mangle; policy accept;
        ip daddr %s tcp flags & (syn | ack) == syn ct mark set numgen inc mod 3
        ip daddr %s meta mark set ct mark
    }
}
"""


def balance(bed: Bed, second: Namespace) -> None:
    """Every third connection to SERVICE_V4 takes the route to the second server, which has that address too."""
    bed.client.command("nft", "-f", "-", input=BALANCED % (SERVICE_V4, SERVICE_V4))
    bed.client.ip("rule", "add", "fwmark", "1", "lookup", "101")
    bed.client.ip("route", "add", f"{SERVICE_V4}/32", "via", second.v4, "src", bed.client.v4, "table", "101")


def test_two_servers_behind_one_address_with_different_keys(bed: Bed) -> None:
    second = bed.second_server()
    second.sysctl("net.ipv4.tcp_fastopen", 3)
    balance(bed, second)
    servers = [host.closing(Server(listen(host, port=8080))) for host in (bed.server, second)]
    done = probe(bed.client, f"{SERVICE_V4}:8080", "-c", "6")
    assert [len(server.requests) for server in servers] == [9, 4]
    assert (done.status, done.cause) == (1, "keys_differ"), done.report["verdict"]
    fast = [(e["cookie"], e["syn_data_acked"]) for e in done.exchanges if e["how"] == "with"]
    renewed, kept = ("renewed", False), ("kept", True)
    assert fast == [kept, renewed, renewed, kept, renewed, renewed]
    assert "do not share one key" in done.report["verdict"]["text"]
    key = settings.new_key()
    for host in (bed.server, second):
        settings.set_key(host, key)  # as it advises
    forget_cookies(bed.client)
    assert probe(bed.client, f"{SERVICE_V4}:8080", "-c", "6").status == 0
    assert min(len(server.requests) for server in servers) > 6


def test_only_one_address_family(bed: Bed) -> None:
    """A listener of each family, and only that of IPv4 does Fast Open."""
    server = Server.start(bed.server, 16, address=bed.server.v4)
    six = bed.server.socket(socket.AF_INET6)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    six.bind((bed.server.v6, server.port))
    six.listen()
    bed.server.closing(Server(six))
    hosts = Path(bed.path, "hosts")
    hosts.write_text(f"{bed.server.v4} both.test\n{bed.server.v6} both.test\n")
    within = hiding(f"mount --bind {hosts} /etc/hosts")
    done = probe(bed.client, f"both.test:{server.port}", "-c", "2", within=within)
    assert (done.status, done.cause) == (1, "one_family"), done.out + done.err
    causes = {a["family"]: a["verdict"]["cause"] for a in done.report["addresses"]}
    assert causes == {"IPv4": None, "IPv6": "none_granted"}
    assert "works over IPv4, but not over IPv6" in done.report["verdict"]["text"]


# The way there


# Linux asks with option 34 and with the experimental one in turn. nft takes out one of them, here both.
STRIP = "; ".join(f"{{0}} tcp option {kind} exists counter reset tcp option {kind}" for kind in ("fastopen", "254"))


@told_apart
@pytest.mark.parametrize("segment", [SYN, SYN_ACK], ids=["SYN", "SYN-ACK"])
def test_the_option_is_stripped(bed: Bed, segment: str, bpf: bool) -> None:
    server = Server.start(bed.server)
    where = bed.server if segment == SYN else bed.client
    with filtering(where, STRIP.format(segment)) as stripped:
        done = probed(bed, server, bpf=bpf)
    assert stripped.hits() == 3
    assert done.cause == ("option_stripped" if bpf else "none_granted")
    assert "stripped" in done.report["verdict"]["text"]
    assert ("from the SYN-ACK" in done.report["verdict"]["text"]) is (bpf and where is bed.client)


@told_apart
@pytest.mark.parametrize("rule", ["strip_syn_option", "strip_synack_option"])
def test_only_the_standard_option_is_stripped(bed: Bed, rule: str, bpf: bool) -> None:
    """The first request brings nothing, the second, with the experimental option, a cookie."""
    server = Server.start(bed.server)
    with filtering(bed.server if rule == "strip_syn_option" else bed.client, rule) as stripped:
        done = probe(bed.client, f"{bed.server.v4}:{server.port}", "-c", "3", bpf=bpf)
    assert stripped.hits() == 1
    assert (done.status, done.cause) == (0, "experimental_only"), done.report["verdict"]
    assert "option 34 is stripped" in done.report["verdict"]["advice"]
    assert [e["cookie"] for e in done.exchanges if e["how"] != "without"] == ["none", "got", "kept", "kept"]


@told_apart
def test_the_data_is_stripped(bpf: bool) -> None:
    with Bed(rule="trim_syn_data") as bed:
        bed.server.sysctl("net.ipv4.tcp_fastopen", 3)
        done = probed(bed, Server.start(bed.server), bpf=bpf)
    assert done.cause == ("data_stripped" if bpf else "data_not_acked")
    assert "data" in done.report["verdict"]["text"]


@told_apart
@pytest.mark.parametrize("rule", ["drop_syn_option", "drop_syn_data"])
def test_the_syn_is_dropped(bed: Bed, rule: str, bpf: bool) -> None:
    server = Server.start(bed.server)
    with filtering(bed.server, rule) as dropped:
        done = probed(bed, server, pairs=1, bpf=bpf)
    assert dropped.hits() > 0
    assert done.cause == "syn_dropped"
    first, _, fast = done.exchanges
    assert fast["syn_retransmits"] == 1
    assert fast["connect_us"] > 900_000
    assert first["syn_retransmits"] == (rule == "drop_syn_option")
    if rule == "drop_syn_data":
        assert fast["client_fail"] == "syn_retransmitted"


def test_the_syn_is_reset(bed: Bed) -> None:
    server = Server.start(bed.server)
    rule = "tcp flags & (syn | ack) == syn tcp option fastopen exists counter reject with tcp reset"
    with filtering(bed.server, rule):
        done = probed(bed, server)
    assert done.cause == "connection_lost"
    assert "are reset" in done.report["verdict"]["text"]
