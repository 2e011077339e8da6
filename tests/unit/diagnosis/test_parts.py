"""What the findings are made of: networks in common, directives of programs, savings."""

import pytest

from tests.scenarios import doctor
from tests.scenarios.build import folded, listener, peer, sample, sensor
from tfotop.diagnosis.clients import common_network
from tfotop.diagnosis.missed import savings
from tfotop.diagnosis.places import endpoint, loopback, owner
from tfotop.diagnosis.programs import PROGRAMS, asked, client_config, server_config
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Micros, Peer, Process


@pytest.mark.parametrize(
    ("addresses", "network"),
    [
        (["192.0.2.77"], "192.0.2.77"),
        (["192.0.2.77", "192.0.2.77"], "192.0.2.77"),
        (["192.0.2.77", "192.0.2.78"], "192.0.2.76/30"),
        (["192.0.2.1", "192.0.2.200", "192.0.2.9"], "192.0.2.0/24"),
        (["10.0.0.1", "10.255.0.1"], "10.0.0.0/8"),
        (["10.0.0.1", "172.16.0.1"], None),
        (["2001:db8:1::1", "2001:db8:2::1"], "2001:db8::/46"),
        (["2001:db8::1", "fd00::1"], None),
        (["192.0.2.1", "2001:db8::1"], None),
        ([], None),
    ],
)
def test_the_network_that_addresses_have_in_common(addresses: list[str], network: str | None) -> None:
    assert common_network(addresses) == network


@pytest.mark.parametrize("one", PROGRAMS, ids=[program.names[0] for program in PROGRAMS])
def test_every_directive_can_be_filled_in(one: object) -> None:
    for name in one.names:  # type: ignore[attr-defined]  # object
        process = Process(pid=1, comm=name)
        for address in ("0.0.0.0", "::"):
            config = server_config(listener(address=address, port=8443, process=process), 512)
            assert config
            assert not {"{address}", "{port}", "{queue}"} & set(config.split())
        assert "{" not in client_config(process).replace("{address=", "").replace("{tcpFastOpenClient", "")


@pytest.mark.parametrize(
    ("comm", "line"),
    [
        ("nginx", "listen [::]:443 fastopen=256;"),
        ("haproxy", "bind [::]:443 tfo backlog 256"),
        ("[TS_MAIN]", "CONFIG proxy.config.net.sock_option_tfo_queue_size_in INT 256"),
        ("knotd", "tcp-fastopen: on"),
        ("unbound", "--enable-tfo-server"),
        ("named", "--enable-tcp-fastopen"),
        ("systemd-resolve", "only the sysctl decides"),
        ("dnsdist", 'addLocal("[::]:443", {tcpFastOpenQueueSize=256})'),
        ("mongod", "setParameter: {tcpFastOpenServer: true, tcpFastOpenQueueSize: 256}"),
        ("python3", "setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN"),
    ],
)
def test_the_programs_own_directive(comm: str, line: str) -> None:
    assert line in server_config(listener(process=Process(pid=1, comm=comm)))


@pytest.mark.parametrize(
    ("comm", "max_qlen", "wanted"),
    [
        ("nginx", 5, True),
        ("nginx", 0, False),
        ("nginx", None, False),
        ("systemd-resolve", 5, False),
        ("python3", 1, True),
    ],
)
def test_who_was_told_to_do_fast_open(comm: str, max_qlen: int | None, wanted: bool) -> None:
    assert asked(listener(max_qlen=max_qlen, process=Process(pid=1, comm=comm))) is wanted


def test_names_of_places() -> None:
    assert endpoint(listener()) == "[::]:443"
    assert endpoint(listener(address="192.0.2.1")) == "192.0.2.1:443"
    assert owner(listener()) == "nginx[812]"
    assert owner(listener(process=None)) == "an unknown process"
    assert [loopback(a) for a in ("127.0.0.53", "::1", "::", "0.0.0.0", "128.0.0.1")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def model(*peers: Peer) -> Model:
    return folded(sample(sensor=sensor()), sample(3, sensor=sensor(peers=peers)))


def plain(address: str, number: int, rtt_us: int = 20_000, **given: object) -> Peer:
    return peer(address, outcomes={"plain": number}, last_outcome="plain", rtt_us=Micros((rtt_us,)), **given)


def test_the_first_visit_of_a_peer_could_only_fetch_its_cookie() -> None:
    (saving,) = savings(model(plain("203.0.113.9", 5), plain("203.0.113.10", 1, 40_000)))
    assert (saving.role, saving.handshakes, saving.from_known_peers) == ("server", 6, 4)
    assert saving.share == 4 / 6
    assert saving.saved_ms == 4 * 20
    assert saving.median_rtt_us == 30_000


def test_each_role_has_its_estimate_and_this_host_itself_none() -> None:
    found = savings(model(plain("192.0.2.1", 3, role="client"), plain("127.0.0.1", 50), plain("203.0.113.9", 2)))
    assert [(s.role, s.handshakes) for s in found] == [("client", 3), ("server", 2)]


def test_a_peer_seen_before_the_window_is_known_at_once() -> None:
    first, last = plain("203.0.113.9", 5), plain("203.0.113.9", 7)
    begun = fold(None, sample(sensor=sensor(peers=(first,))))
    (saving,) = savings(fold(begun, sample(3, sensor=sensor(peers=(last,)))))
    assert (saving.handshakes, saving.from_known_peers) == (2, 2)


def test_nothing_plain_nothing_to_save() -> None:
    assert savings(model(peer(outcomes={"accepted": 9}))) == []
    first, last = doctor.load("busy_without_fast_open_or_ebpf")
    assert savings(folded(first, last)) == []
