"""Keys and cookies that do not fit: doctor names it, its own fix is run, doctor is content."""

import secrets
import socket
import time

import pytest

from .bed import (
    SERVICE_V4,
    Bed,
    Server,
    exchange,
    listen,
    port_of,
    rotate_key,
    set_key,
    settings,
)
from .bed.filters import SYN_ACK, filtering
from .bed.nat import translating
from .doctoring import ids, named, run_fix, visits, watching, well

pytestmark = pytest.mark.sensor


def test_keys_that_differ_between_namespaces(bed: Bed) -> None:
    """Two servers of one host behind one address; the printed command gives them one key."""
    second = bed.second_server()
    settings.mode(second, 3)
    port = Server.start(bed.server).port
    Server.start(second, port=port)

    def in_turn() -> None:
        for _ in range(3):
            for server in (bed.server, second):
                bed.steer(server)
                exchange(bed.client, SERVICE_V4, port)

    report = watching(in_turn, of=[bed.server, second])
    assert set(ids(report)) == {"keys_differ_namespaces"}
    run_fix(report["findings"][0])
    in_turn()  # the last cookies of the old key
    well(watching(in_turn, of=[bed.server, second, bed.client]))


def test_keys_that_differ_between_siblings(bed: Bed) -> None:
    """SO_REUSEPORT: which socket gets a connection depends on its ports."""
    keys = [secrets.token_bytes(16), secrets.token_bytes(16)]
    first = listen(bed.server, 16, reuseport=True, key=keys[0])
    second = listen(bed.server, 16, reuseport=True, key=keys[1], port=port_of(first))
    servers = [bed.server.closing(Server(sock)) for sock in (first, second)]
    report = watching(lambda: visits(bed, servers[0].port, 8), of=[bed.server])
    finding = named(report, "keys_differ_siblings")
    assert "bad_cookie" not in ids(report)
    assert finding["port"] == servers[0].port
    second.setsockopt(socket.IPPROTO_TCP, 33, keys[0])
    visits(bed, servers[0].port, 1)
    well(watching(lambda: visits(bed, servers[0].port, 8), of=[bed.server, bed.client]))


def test_keys_that_differ_between_servers(bed: Bed) -> None:
    """Another server behind the address, seen from this one: its cookies come in turn with our own."""
    server = Server.start(bed.server)
    ours, theirs = settings.new_key(), settings.new_key()
    set_key(bed.server, ours)

    def in_turn() -> None:
        for key in (theirs, ours) * 3:
            set_key(bed.server, key)
            visits(bed, server.port, 1)
            _pause()

    finding = named(watching(in_turn, of=[bed.server]), "keys_differ_servers")
    assert "another server behind this address has another key" in finding["cause"]
    client = named(watching(in_turn, of=[bed.client]), "keys_differ_servers")
    assert client["role"] == "client"
    well(watching(lambda: visits(bed, server.port, 4), of=[bed.server, bed.client]))


def _pause() -> None:
    """Longer than doctor takes two handshakes for one that overtook the other's cookie."""
    time.sleep(0.25)


def test_a_rotated_key(bed: Bed) -> None:
    """Its cure is time: every client gets a new cookie with its one rejection."""
    server = Server.start(bed.server)
    visits(bed, server.port)

    def rotated() -> None:
        rotate_key(bed.server, keep_old=False)
        visits(bed, server.port, 1)

    finding = named(watching(rotated, of=[bed.server]), "key_rotated")
    assert "OLDKEY" in finding["fix"]["text"]
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))


def test_a_backup_key_and_when_it_can_go(bed: Bed) -> None:
    server = Server.start(bed.server)
    visits(bed, server.port)
    rotate_key(bed.server, keep_old=True)
    report = watching(lambda: visits(bed, server.port, 4), of=[bed.server])
    assert "1 handshakes of 4 accepted (25 %) still used the backup key" in named(report, "backup_key")["cause"]
    well(report)
    unused = named(watching(lambda: visits(bed, server.port, 4), of=[bed.server]), "backup_key")
    assert "nobody used the backup" in unused["cause"]
    run_fix(unused)
    assert "," not in bed.server.sysctl("net.ipv4.tcp_fastopen_key")
    report = watching(lambda: visits(bed, server.port, 4), of=[bed.server, bed.client])
    assert report["findings"] == []


# After a refusal Linux tries the experimental encoding, so both must go.
STRIP_BOTH = "\n".join(f"{SYN_ACK} tcp option {kind} exists counter reset tcp option {kind}" for kind in (34, 254))


def test_cookies_that_never_come_back(bed: Bed) -> None:
    """A middlebox takes the cookie out of the SYN-ACK: the client asks for ever."""
    server = Server.start(bed.server)
    with filtering(bed.client, STRIP_BOTH):
        finding = named(watching(lambda: visits(bed, server.port, 4), of=[bed.server]), "cookies_never_used")
    assert finding["handshakes"] >= 3
    visits(bed, server.port, 1)
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))


def test_clients_whose_address_changes(bed: Bed) -> None:
    """A carrier's NAT: the client's own address stays, the one that the server sees does not."""
    server = Server.start(bed.server)
    for last in range(20, 26):
        bed.client.ip("address", "add", f"10.77.1.{last}/24", "dev", "eth0")

    def roaming() -> None:
        exchange(bed.client, bed.server.v4, server.port)
        for last in range(20, 26):
            rule = f"ip daddr {bed.server.v4} tcp dport {server.port} snat ip to 10.77.1.{last}"
            with translating(bed.client, "postrouting", rule):
                exchange(bed.client, bed.server.v4, server.port)

    finding = named(watching(roaming, of=[bed.server]), "client_address_changes")
    assert "10.77.1.0/24" in finding["cause"]
    visits(bed, server.port, 1)
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))
