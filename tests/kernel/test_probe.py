"""``tfotop probe`` against servers that work, and those that do not answer: figures, cookies, and what it leaves."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tfotop.commands.probing import prober

from .bed import (
    Bed,
    Namespace,
    Server,
    cached_cookie,
    counting,
    exchange,
    forget_cookies,
    listen,
    port_of,
    rotate_key,
    until,
)
from .bed.filters import filtering
from .bed.polling import PATIENCE
from .probing import QUICK, probe, probe_text
from .running import NOBODY

RTT_MS = 22
both = pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])


def at(bed: Bed, port: int, six: bool = False) -> str:
    return f"[{bed.server.v6}]:{port}" if six else f"{bed.server.v4}:{port}"


def serve(bed: Bed, qlen: int | None = 16) -> Server:
    """A server of both families."""
    return Server.start(bed.server, qlen, family=socket.AF_INET6)


@both
def test_fast_open_saves_one_round_trip(slow_bed: Bed, six: bool) -> None:
    server = serve(slow_bed)
    done = probe(slow_bed.client, at(slow_bed, server.port, six), "-c", "15")
    summary = done.address["summary"]
    assert (done.status, done.report["verdict"]["status"]) == (0, "works"), done.out
    assert abs(summary["delta"]["median_us"] / 1000 - RTT_MS) < RTT_MS / 10, summary
    assert 0.9 < summary["delta_rtts"] < 1.1, summary
    assert summary["delta"]["low_us"] <= summary["delta"]["median_us"] <= summary["delta"]["high_us"]
    contacts = [summary["first_contact_us"] / 1000]
    while len(contacts) < 3 and contacts[-1] >= 3 * RTT_MS:  # it is one measurement, and a busy machine makes it longer
        forget_cookies(slow_bed.client)
        again = probe(slow_bed.client, at(slow_bed, server.port, six), "-c", "1")
        contacts.append(again.address["summary"]["first_contact_us"] / 1000)
    assert 1.8 * RTT_MS < min(contacts) < 3 * RTT_MS


@both
@pytest.mark.parametrize("bpf", [True, False], ids=["eBPF", "without"])
def test_each_exchange_is_told(bed: Bed, six: bool, bpf: bool) -> None:
    server = serve(bed)
    done = probe(bed.client, at(bed, server.port, six), "-c", "2", "--send", "request", bpf=bpf)
    first, *pairs = done.exchanges
    assert (first["how"], first["cookie_asked"], first["cookie"]) == ("first_contact", True, "got")
    assert (first["client_fail"], first["syn_data_bytes"], first["syn_data_acked"]) == ("cookie_unavailable", 0, False)
    assert [e["how"] for e in pairs] == ["without", "with"] * 2
    for plain, fast in zip(pairs[::2], pairs[1::2], strict=True):
        assert (plain["syn_data_bytes"], plain["cookie"], plain["cookie_asked"]) == (0, None, False)
        assert (fast["syn_data_bytes"], fast["syn_data_acked"], fast["client_fail"]) == (7, True, "none")
        assert (fast["cookie"], fast["cookie_id"]) == ("kept", first["cookie_id"])
        assert (fast["client"] and fast["client"]["outcome"]) == ("accepted" if bpf else None)
        assert (fast["server"] and fast["server"]["outcome"]) == ("accepted" if bpf else None)
    assert server.requests == [b"request"] * 5


def test_the_lines_that_a_person_reads(slow_bed: Bed) -> None:
    done = probe_text(slow_bed.client, at(slow_bed, serve(slow_bed).port), "-c", "12", *QUICK)
    assert done.status == 0, done.err
    assert re.search(r"2 bytes over plain TCP, 2 bytes in each of at most 26 connections", done.out)
    lines = re.findall(r"^ +\d+/25  (?:first contact|without|with) .*$", done.out, re.M)
    assert len(lines) == 25
    assert re.search(r"asked, got [0-9a-f]{4}$", lines[0])
    assert re.search(r"with +\d+\.\d\d +\d+\.\d\d  2 B acked +kept [0-9a-f]{4}$", lines[2])
    sooner = re.search(r"sooner by +(\d\d\.\d\d) ms   (-?\d+\.\d\d) to (\d+\.\d\d) ms +n=12   [01]\.\d\d RTT", done.out)
    assert sooner, done.out
    median, low, high = map(float, sooner.groups())
    assert abs(median - RTT_MS) < RTT_MS / 10
    assert low <= median <= high
    assert re.search(r"^Fast Open works: the SYN data was acknowledged in 12 of 12 connections", done.out, re.M)


def test_no_more_is_sent_than_was_said(bed: Bed) -> None:
    server = serve(bed)
    exchange(bed.client, bed.server.v4, server.port)
    with counting(bed.client) as watch:
        done = probe(bed.client, at(bed, server.port), "-c", "3", "--send", "abc")
    assert watch.delta(("ActiveOpens",)) == {"ActiveOpens": 8}
    assert len(done.exchanges) == 8
    assert server.requests[1:] == [b"abc"] * 8


@pytest.mark.parametrize("name", [True, False], ids=["name", "inode"])
def test_from_another_namespace(bed: Bed, name: bool) -> None:
    """Nothing leads to the server from where the command runs."""
    chosen = bed.client.name if name else str(bed.client.inode)
    with closing(Namespace("elsewhere")) as elsewhere, counting(bed.client) as watch:
        done = probe(elsewhere, at(bed, serve(bed).port), "-c", "2", "--netns", chosen)
    assert (done.status, len(done.exchanges)) == (0, 5), done.err
    assert watch.delta(("ActiveOpens",)) == {"ActiveOpens": 5}


def test_csv(bed: Bed) -> None:
    done = probe_text(bed.client, at(bed, serve(bed).port), "-c", "1", "--csv", "--no-bpf", *QUICK)
    title, *rows = done.out.splitlines()
    assert (done.status, len(rows)) == (0, 3)
    assert {len(row.split(",")) for row in [title, *rows]} == {len(title.split(","))}
    assert "Fast Open works" in done.err


# The cookie that was there before


@both
def test_a_cookie_removed_for_the_cold_start_is_there_again(bed: Bed, six: bool) -> None:
    server, address = serve(bed), bed.server.v6 if six else bed.server.v4
    exchange(bed.client, address, server.port)
    before = cached_cookie(bed.client, address).cookie
    done = probe(bed.client, at(bed, server.port, six), "-c", "1")
    assert [e["how"] for e in done.exchanges] == ["as_cached", "first_contact", "without", "with"]
    assert done.exchanges[0]["syn_data_acked"]
    assert done.exchanges[1]["cookie_asked"]
    assert (done.address["cookie_removed"], done.address["cookie_kept_because"]) == (True, None)
    assert done.address["cookie_before"] == done.address["cookie_after"]
    assert cached_cookie(bed.client, address).cookie == before is not None


def test_without_privileges_the_cookie_stays(bed: Bed) -> None:
    server = serve(bed)
    exchange(bed.client, bed.server.v4, server.port)
    done = probe(bed.client, at(bed, server.port), "-c", "1", within=NOBODY)
    assert done.status == 0, done.err
    assert [e["how"] for e in done.exchanges] == ["as_cached", "without", "with"]
    assert done.address["cookie_kept_because"] == "removing it needs root (CAP_NET_ADMIN)"
    assert all(e["syn_data_acked"] for e in done.exchanges[::2])


def test_without_privileges_a_first_contact_is_one(bed: Bed) -> None:
    done = probe(bed.client, at(bed, serve(bed).port), "-c", "1", within=NOBODY)
    assert [e["how"] for e in done.exchanges] == ["first_contact", "without", "with"]
    assert done.status == 0


def test_a_cookie_is_kept_when_told_to(bed: Bed) -> None:
    server = serve(bed)
    exchange(bed.client, bed.server.v4, server.port)
    with counting(bed.server) as watch:
        done = probe(bed.client, at(bed, server.port), "-c", "1", "--keep-cookie")
    assert done.address["cookie_kept_because"] == "--keep-cookie"
    assert watch.fast_open() == {"Passive": 2}


def test_a_port_that_grants_none_costs_no_other_its_cookie(bed: Bed) -> None:
    """tcp_metrics knows addresses, not ports."""
    good, bad = serve(bed), serve(bed, None)
    exchange(bed.client, bed.server.v4, good.port)
    before = cached_cookie(bed.client, bed.server.v4).cookie
    for port in (bad.port, 1):  # the second one is closed
        done = probe(bed.client, at(bed, port), "-c", "1")
        assert done.address["cookie_removed"] is False
        assert "neither took it" in done.address["cookie_kept_because"]
        assert cached_cookie(bed.client, bed.server.v4).cookie == before is not None


def test_a_stale_cookie_is_renewed_and_works(bed: Bed) -> None:
    server = serve(bed)
    exchange(bed.client, bed.server.v4, server.port)
    rotate_key(bed.server, keep_old=False)
    done = probe(bed.client, at(bed, server.port), "-c", "2", "--keep-cookie")
    assert [e["cookie"] for e in done.exchanges] == ["renewed", None, "kept", None, "kept"]
    assert done.status == 0
    assert "renewed" in done.report["verdict"]["advice"]


# Servers that cannot be measured


def test_a_closed_port(bed: Bed) -> None:
    with counting(bed.client) as watch:
        done = probe_text(bed.client, at(bed, 1), "-c", "100", "--no-bpf")
    assert done.status == 2
    assert "the port is closed (connection refused)" in done.out
    assert watch.delta(("ActiveOpens",)) == {"ActiveOpens": 2}


@both
def test_a_server_that_never_answers(bed: Bed, six: bool) -> None:
    silent = listen(bed.server, 16, family=socket.AF_INET6)  # the kernel takes connections, nobody accepts them
    begun = time.monotonic()
    done = probe_text(bed.client, at(bed, port_of(silent), six), "--timeout", "0.5", "-c", "100", "--no-bpf")
    assert (done.status, time.monotonic() - begun < 10 * PATIENCE) == (2, True)
    assert "the server takes the connection, but never answers" in done.out
    assert "--http" in done.out


def test_a_server_that_hangs_up(bed: Bed) -> None:
    listener = listen(bed.server)
    command = [
        sys.executable,
        "-m",
        "tfotop",
        "probe",
        at(bed, port_of(listener)),
        "-c",
        "1",
        "--json",
        "--no-bpf",
        *QUICK,
    ]
    process = bed.client.popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        with listener.accept()[0] as child:
            child.recv(10)  # or closing it would be a reset
    out, _ = process.communicate(timeout=30 * PATIENCE)
    assert process.returncode == 2
    assert json.loads(out)["verdict"]["cause"] == "closed"


def test_nobody_at_the_address(bed: Bed) -> None:
    with filtering(bed.server, "drop_tcp"):
        done = probe(bed.client, at(bed, 80), "--timeout", "0.3")
    assert (done.status, done.cause) == (2, "no_syn_ack")


def test_no_route(bed: Bed) -> None:
    done = probe_text(bed.client, "192.0.2.1:80")
    assert done.status == 2
    assert "cannot be reached: Network is unreachable" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-name.invalid:80"], "tfotop: 'no-such-name.invalid' does not resolve: "),
        (["127.0.0.1", "-6"], "tfotop: '127.0.0.1' has no IPv6 address"),
        (["127.0.0.1", "--http", "x"], "tfotop: 'x' is no path: expected one that starts with /"),
        (["127.0.0.1", "--send", "x"], "tfotop: --send needs a port: expected '127.0.0.1:7'"),
        (["127.0.0.1:7", "--send", ""], "tfotop: 0 bytes to send: expected 1 to 1200"),
        (["127.0.0.1:7", "--send", "\\q"], "tfotop: an escape is none of"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_said_in_one_line(bed: Bed, arguments: list[str], said: str) -> None:
    with counting(bed.client) as watch:
        done = probe_text(bed.client, *arguments, "--timeout", "1")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(said)
    assert done.err.count("\n") == 1
    assert watch.delta(("ActiveOpens",)) == {}


# Its end


def test_ctrl_c_gives_the_summary_so_far(bed: Bed) -> None:
    server = serve(bed)
    process = bed.client.popen(
        [sys.executable, "-u", "-m", "tfotop", "probe", at(bed, server.port), "-c", "1000", *QUICK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: len(server.requests) > 12, 20, "some exchanges")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10 * PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert "Fast Open works: the SYN data was acknowledged in " in out


def test_a_closed_pipe_ends_it_quietly(bed: Bed) -> None:
    server = serve(bed)
    command = f"{sys.executable} -m tfotop probe {at(bed, server.port)} -c 200 -i 0.02 | head -n 1"
    process = bed.client.popen(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=30 * PATIENCE)
    assert out.startswith("probe ")
    assert err == ""
    assert len(server.requests) < 200


def test_the_screen_gets_it_line_by_line_and_can_end_it(bed: Bed) -> None:
    server, lines = serve(bed), list[str | None]()
    stop = bed.client.run(prober(no_bpf=True), f"{at(bed, server.port)} -c 1000 -i 0.02", lines.append)
    until(lambda: sum("with" in (line or "") for line in lines) > 6, 20, "some lines")
    stop()
    until(lambda: lines[-1] is None, 10, "its end")
    assert (lines[0] or "").startswith(f"probe {bed.server.v4} port {server.port}: ")
    assert any((line or "").startswith("Fast Open works: ") for line in lines)
    stop()  # again does no harm


def test_what_the_screen_cannot_probe_is_said(bed: Bed) -> None:
    for typed in ("web:0", 'web "'):
        lines = list[str | None]()
        bed.client.run(prober(no_bpf=True), typed, lines.append)
        until(lambda lines=lines: lines and lines[-1] is None, 10, "its end")  # type: ignore[misc]  # a default cannot be inferred
        assert len(lines) == 2
        assert "expected HOST" in (lines[0] or "")


def test_blackhole_protection_is_not_set_off(bed: Bed) -> None:
    """The third SYN timeout in a row, after 3 s on this kernel, would turn Fast Open off for the whole namespace."""

    def spared() -> bool:
        """Half a second is between them: on a busy machine it may come too late once."""
        bed.client.sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 3600)  # ends it, too
        with counting(bed.client) as watch:
            done = probe(bed.client, at(bed, 80), "--timeout", "8")
            assert (done.status, done.cause) == (2, "no_syn_ack")
            return watch.fast_open() == {} and done.exchanges[0]["syn_retransmits"] == 2

    with filtering(bed.server, "drop_tcp"):
        assert any(spared() for _ in range(3))
        with counting(bed.client) as watch:
            exchange(bed.client, bed.server.v4, 80, timeout_s=8)  # what a client without that care does
            assert watch.fast_open() == {"ActiveFail": 1, "Blackhole": 1}
