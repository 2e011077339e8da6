"""Broken on purpose on the server's side: doctor names it, its own fix is run, doctor is content."""

import secrets
import socket

import psutil
import pytest

from .bed import (
    SERVICE_V4,
    Bed,
    Server,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    set_key,
    settings,
    until,
)
from .bed.conditions import full_accept_queue, full_fast_open_queue, listen_with_400, syn_cookies
from .bed.filters import SYN_ACK, filtering
from .bed.handmade import Handmade
from .bed.nat import translating
from .doctoring import ids, named, nothing, run_fix, watching, well
from .test_programs import NGINX, PORT, listening, need, nginx

pytestmark = pytest.mark.sensor


def visits(bed: Bed, port: int, number: int = 2, address: str = "") -> None:
    """Visits of the client, one after the other."""
    for _ in range(number):
        exchange(bed.client, address or bed.server.v4, port)


def test_server_bit_off(bed: Bed) -> None:
    """With its other bits kept; seen by request and by cookie."""
    server = Server.start(bed.server)
    visits(bed, server.port)
    settings.mode(bed.server, 0x401)
    report = watching(lambda: _with_and_without_cookie(bed, server.port), of=[bed.server])
    finding = named(report, "server_bit_off")
    assert (finding["severity"], finding["handshakes"], finding["tier"], report["exit"]) == ("broken", 2, 2, 1)
    assert finding["fix"]["command"] == f"ip netns exec {bed.server.name} sysctl -w net.ipv4.tcp_fastopen={0x403}"
    run_fix(finding)
    assert bed.server.sysctl("net.ipv4.tcp_fastopen") == str(0x403)
    well(watching(lambda: _with_and_without_cookie(bed, server.port), of=[bed.server, bed.client]))


def _with_and_without_cookie(bed: Bed, port: int) -> None:
    visits(bed, port, 1)
    forget_cookies(bed.client)
    visits(bed, port, 1)


def test_server_bit_off_without_any_visit(bed: Bed) -> None:
    """The application asked for a queue: that is enough."""
    Server.start(bed.server)
    settings.mode(bed.server, 1)
    finding = named(watching(nothing, "--no-bpf", of=[bed.server]), "server_bit_off")
    run_fix(finding)
    assert watching(nothing, "--no-bpf", of=[bed.server])["findings"] == []


def test_a_namespace_with_the_default_although_the_host_says_3(bed: Bed) -> None:
    settings.mode(bed.client, 3)
    settings.mode(bed.server, 1)
    server = Server.start(bed.server)
    host = ["nsenter", f"--net={bed.client.path}", "--"]
    report = watching(lambda: visits(bed, server.port), of=[bed.server], within=host)
    finding = named(report, "namespace_default")
    assert "whatever the host has" in finding["cause"]
    assert finding["netns"] == bed.server.inode
    run_fix(finding)
    assert bed.server.sysctl("net.ipv4.tcp_fastopen") == "3"
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client], within=host))


def test_a_listener_of_nginx_that_never_asked(bed: Bed) -> None:
    """The line that doctor prints, put into the configuration; nginx listens anew."""
    need("nginx")
    mute = NGINX.replace(" fastopen=64", "")
    master = nginx(bed, mute)
    finding = named(watching(lambda: visits(bed, PORT), of=[bed.server]), "no_queue")
    assert (finding["port"], finding["severity"]) == (PORT, "broken")
    assert "never asked" in finding["cause"]
    place, line = finding["fix"]["config"].split(": ", 1)
    assert (place, line) == ("nginx.conf, in the server block", f"listen 0.0.0.0:{PORT} fastopen=256;")
    psutil.Process(master).terminate()
    until(lambda: not listening(bed.server), 10, "nginx ends")
    nginx(bed, mute.replace("listen {port};", line))
    well(watching(lambda: visits(bed, PORT), of=[bed.server, bed.client]))


def test_a_listener_that_began_before_0x400(bed: Bed) -> None:
    """The restart is what cures it."""
    early = listen_with_400(bed.server, before=False)
    server = bed.server.closing(Server(early))
    finding = named(watching(lambda: visits(bed, server.port), of=[bed.server]), "listened_before_0x400")
    assert "restart the program" in finding["fix"]["text"]
    assert ids(watching(nothing, "--no-bpf", of=[bed.server])) == ["listened_before_0x400"]
    server.close()
    again = Server.start(bed.server, None)
    well(watching(lambda: visits(bed, again.port), of=[bed.server, bed.client]))


def test_a_full_queue(bed: Bed) -> None:
    server = Server.start(bed.server)
    visits(bed, server.port)
    with full_fast_open_queue(bed.client, bed.server, bed.server.v4) as listener:
        full = bed.server.closing(Server(listener))
        finding = named(watching(lambda: visits(bed, full.port, 1), of=[bed.server]), "queue_full")
        assert (finding["port"], finding["handshakes"]) == (full.port, 1)
        listener.setsockopt(socket.IPPROTO_TCP, 23, 256)  # what its text says, done to the listener itself
        well(watching(lambda: visits(bed, full.port, 2), of=[bed.server, bed.client]))


def test_a_queue_that_somaxconn_caps(bed: Bed) -> None:
    server = Server.start(bed.server)
    visits(bed, server.port)
    bed.server.sysctl("net.core.somaxconn", 1)
    with full_fast_open_queue(bed.client, bed.server, bed.server.v4) as listener:
        full = bed.server.closing(Server(listener))
        finding = named(watching(lambda: visits(bed, full.port, 1), of=[bed.server]), "queue_capped")
        assert "net.core.somaxconn=4096" in finding["fix"]["command"]
        run_fix(finding)
        listener.setsockopt(socket.IPPROTO_TCP, 23, 256)  # the program asks again
        well(watching(lambda: visits(bed, full.port, 2), of=[bed.server, bed.client]))


def test_a_queue_too_small_for_the_rate(slow_bed: Bed) -> None:
    """Nothing overflows yet: one visit after the other, each holds its place for a round trip."""
    server = Server.start(slow_bed.server, 1)
    visits(slow_bed, server.port, 1)
    finding = named(watching(lambda: visits(slow_bed, server.port, 60), of=[slow_bed.server]), "queue_small")
    assert finding["port"] == server.port
    roomy = Server.start(slow_bed.server, 256)
    report = watching(lambda: visits(slow_bed, roomy.port, 60), of=[slow_bed.server, slow_bed.client])
    assert "queue_small" not in ids(report)
    well(report)


def test_syn_cookies_always(bed: Bed) -> None:
    server = Server.start(bed.server)
    visits(bed, server.port)
    syn_cookies(bed.server)
    finding = named(watching(lambda: visits(bed, server.port), of=[bed.server]), "syn_cookies")
    assert finding["handshakes"] == 2
    assert ids(watching(nothing, "--no-bpf", of=[bed.server])) == ["syn_cookies"]
    run_fix(finding)
    well(watching(lambda: visits(bed, server.port), of=[bed.server, bed.client]))


def test_a_flood_of_syns(bed: Bed) -> None:
    """From a host that never hears the answers; visits beside it are well, and are no flood."""
    server, stranger = Server.start(bed.server, backlog=4096), Handmade(bed.client, bed.server)
    visits(bed, server.port)

    def flood() -> None:
        for _ in range(3000):
            stranger.send(bed.server.v4, stranger.syn(server.port))

    finding = named(watching(flood, of=[bed.server]), "syn_flood")
    assert (finding["severity"], finding["port"]) == ("degraded", server.port)
    assert 2500 < finding["handshakes"] <= 3000
    well(watching(lambda: visits(bed, server.port, 200), of=[bed.server, bed.client]))


@pytest.mark.parametrize("options", [(), ("--no-bpf",)])
def test_a_full_accept_queue(bed: Bed, options: tuple[str, ...]) -> None:
    """The cure is an application that accepts."""
    listener = full_accept_queue(bed.client, bed.server)
    port = port_of(listener)

    def late() -> None:
        exchange(bed.client, bed.server.v4, port, timeout_s=2.5)

    finding = named(watching(late, *options, of=[bed.server]), "accept_queue_full")
    assert finding["port"] == port
    server = bed.server.closing(Server(listener))
    well(watching(lambda: visits(bed, server.port), *options, of=[bed.server, bed.client]))


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
    import time

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


def test_a_proxy_leg_without(bed: Bed) -> None:
    """Its clients use Fast Open, its own connections onward do not; then they do."""
    behind = Server.start(bed.client, 16)
    bed.client.sysctl("net.ipv4.tcp_fastopen", 3)
    for onward, expected in (("plain", True), ("fast", False)):
        proxy = bed.server.popen([*PROXY, bed.client.v4, str(behind.port), onward], stdout=-1, text=True)
        assert proxy.stdout
        port = int(proxy.stdout.readline())
        report = watching(lambda port=port: visits(bed, port, 5), of=[bed.server])  # type: ignore[misc]  # a default cannot be inferred
        assert ("proxy_leg" in ids(report)) is expected, report["findings"]
        if expected:
            finding = named(report, "proxy_leg")
            assert (finding["severity"], "tfoproxy" in finding["cause"]) == ("advice", True)
            assert "TCP_FASTOPEN_CONNECT" in finding["fix"]["config"]
        well(report)


PROXY = (
    "python3",
    "-c",
    """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, b"tfoproxy", 0, 0, 0)
host, port, onward = sys.argv[1], int(sys.argv[2]), sys.argv[3]
listener = socket.socket()
listener.bind(("", 0))
listener.setsockopt(6, 23, 16)
listener.listen(16)
print(listener.getsockname()[1], flush=True)
while True:
    child, _ = listener.accept()
    request = child.recv(64)
    backend = socket.socket()
    if onward == "fast":
        backend.setsockopt(6, 30, 1)
    backend.connect((host, port))
    backend.sendall(request)
    child.sendall(backend.recv(64))
    backend.close()
    child.close()
""",
)


def test_a_busy_host_without_fast_open(bed: Bed) -> None:
    """Hundreds of plain connections: no finding, only an estimate of what could be saved."""
    bed.server.sysctl("net.ipv4.tcp_fastopen", 1)
    server = Server.start(bed.server, None)

    def busy() -> None:
        for _ in range(200):
            exchange(bed.client, bed.server.v4, server.port, mode="plain")

    report = watching(busy, "--netns", bed.server.name)
    assert (report["findings"], report["exit"], report["status"]) == ([], 0, "healthy")
    (estimate,) = report["estimates"]
    assert (estimate["role"], estimate["handshakes"], estimate["estimate"]) == ("server", 200, True)
    assert estimate["share"] == 199 / 200
    assert estimate["saved_ms_per_s"] > 0
    assert watching(busy, "--no-bpf", "--netns", bed.server.name)["findings"] == []


def test_a_healthy_host(bed: Bed) -> None:
    server = Server.start(bed.server)
    report = watching(lambda: visits(bed, server.port, 5), of=[bed.server, bed.client])
    assert report["findings"] == []
    assert watching(lambda: visits(bed, server.port, 5), "--no-bpf", of=[bed.server, bed.client])["findings"] == []


def alike_without_ebpf(bed: Bed) -> dict[str, tuple[str, list[str]]]:
    """Break it in each of the ways that look alike; the client's findings without eBPF, the server's with it."""
    seen = {}
    for case in ("server_bit_off", "no_queue", "key_rotated"):
        settings.mode(bed.server, 3)
        forget_cookies(bed.client)
        server = Server.start(bed.server)
        visits(bed, server.port)
        port = server.port
        if case == "server_bit_off":
            settings.mode(bed.server, 1)
        elif case == "no_queue":
            port = Server.start(bed.server, 0).port

        def once(case: str = case, port: int = port) -> None:
            if case == "key_rotated":
                rotate_key(bed.server, keep_old=False)
            visits(bed, port, 1)

        blind = named(watching(once, "--no-bpf", "--role", "client", of=[bed.client]), "client_failed_unknown")
        if case == "no_queue":
            visits(bed, server.port, 1)
        seen[case] = (blind["check"], blind["candidates"]), ids(watching(once, of=[bed.server]))
        server.close()
    return seen  # type: ignore[return-value]  # JSON


def test_what_looks_alike_without_ebpf_is_told_apart_with_it(bed: Bed) -> None:
    seen = alike_without_ebpf(bed)
    blind = [sorted(candidates) for (_, candidates), _ in seen.values()]  # type: ignore[misc]  # JSON
    assert all({"server_bit_off", "no_queue", "bad_cookie", "failed_child"} <= set(c) for c in blind), blind
    assert all("eBPF" in check or "on the server" in check for (check, _), _ in seen.values())  # type: ignore[misc]  # JSON
    for case, (_, told) in seen.items():
        assert told[0] == case, (case, told)


def test_a_rejection_without_ebpf_has_candidates(bed: Bed) -> None:
    """A rotated key moves PassiveFail, and so does a child that fails."""
    server = Server.start(bed.server)
    visits(bed, server.port)
    rotate_key(bed.server, keep_old=False)
    finding = named(watching(lambda: visits(bed, server.port, 1), "--no-bpf", of=[bed.server]), "rejected_unknown")
    assert {"key_rotated", "failed_child", "keys_differ_servers"} <= set(finding["candidates"])
    assert "eBPF" in finding["check"]
    well(watching(lambda: visits(bed, server.port), "--no-bpf", of=[bed.server, bed.client]))
