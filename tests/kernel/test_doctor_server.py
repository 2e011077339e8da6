"""Broken on purpose on the server's side: doctor names it, its own fix is run, doctor is content."""

import socket

import psutil
import pytest

from .bed import (
    Bed,
    Server,
    exchange,
    forget_cookies,
    port_of,
    rotate_key,
    settings,
    until,
)
from .bed.conditions import full_accept_queue, full_fast_open_queue, listen_with_400, syn_cookies
from .bed.handmade import Handmade
from .doctoring import ids, named, nothing, run_fix, visits, watching, well
from .nginx import NGINX, PORT, listening, need, nginx

pytestmark = pytest.mark.sensor


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
