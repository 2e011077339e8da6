"""``tfotop probe`` to servers that nobody here wrote, over a link with 11 ms each way, and beside httping."""

import os
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from .bed import Bed, forget_cookies, until
from .nginx import NGINX, PORT, Workers, listening, need, nginx
from .probing import Probed, probe

pytestmark = pytest.mark.programs

RTT_US = 22_000
both = pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])

HAPROXY = """
global
    maxconn 64
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 0.0.0.0:{port} tfo
    bind [::]:{port} v6only tfo
    http-request return status 200 content-type text/plain string hello
"""


def probed(bed: Bed, six: bool, *options: str, bpf: bool = False) -> Probed:
    host = f"[{bed.server.v6}]" if six else bed.server.v4
    done = probe(bed.client, f"{host}:{PORT}", *options, bpf=bpf)
    assert done.status == 0, done.out + done.err
    return done


def one_round_trip(done: Probed) -> None:
    """The delta is within 10 % of the link's round trip; every SYN with a cookie carried the whole request."""
    summary: dict[str, Any] = done.address["summary"]
    assert abs(summary["delta"]["median_us"] - RTT_US) < RTT_US / 10, summary
    fast = [e for e in done.exchanges if e["how"] == "with"]
    assert all(e["syn_data_acked"] and e["syn_data_bytes"] == e["request_bytes"] for e in fast), fast


def answers(done: Probed) -> set[str]:
    return {e["answer"] for e in done.exchanges}


@both
def test_nginx(slow_bed: Bed, six: bool) -> None:
    need("nginx")
    nginx(slow_bed)
    done = probed(slow_bed, six, "--http", "/", "-c", "12", bpf=True)
    one_round_trip(done)
    assert answers(done) == {"HTTP/1.1 200 OK"}
    assert {e["client"]["outcome"] for e in done.exchanges} == {"cookie_granted", "plain", "accepted"}


@both
def test_haproxy(slow_bed: Bed, six: bool) -> None:
    need("haproxy")
    os.chmod(slow_bed.path, 0o755)
    config = Path(slow_bed.path, "haproxy.cfg")
    config.write_text(HAPROXY.format(port=PORT))
    process = slow_bed.server.popen(["haproxy", "-db", "-q", "-f", str(config)])
    slow_bed.server.closing(Workers(process.pid))
    until(lambda: listening(slow_bed.server), 10, "HAProxy listens")
    done = probed(slow_bed, six, "--http", "/", "--method", "GET", "-c", "12")
    one_round_trip(done)
    assert answers(done) == {"HTTP/1.1 200 OK"}


@both
def test_tls(slow_bed: Bed, six: bool) -> None:
    """The ClientHello leaves with the SYN, the first byte is the ServerHello's."""
    need("nginx", "openssl")
    key, certificate = slow_bed.path / "key.pem", slow_bed.path / "certificate.pem"
    subject = ["-subj", "/CN=test", "-days", "2", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    slow_bed.server.command(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *subject, *files
    )
    text = NGINX.replace("fastopen=64", "fastopen=64 ssl")
    text = text.replace("http {{", f"http {{{{\n  ssl_certificate {certificate}; ssl_certificate_key {key};")
    nginx(slow_bed, text)
    done = probed(slow_bed, six, "--tls", "-c", "12")
    one_round_trip(done)
    assert answers(done) == {"ServerHello"}


def test_httping_measures_the_same(slow_bed: Bed) -> None:
    """The same request over the same link, with a cookie and on the first contact: within 1 ms.

    By their lower quartiles, and the least of three first contacts: what disturbs a measurement makes it longer.
    """
    need("nginx", "httping")
    nginx(slow_bed)
    url = f"http://{slow_bed.server.v4}:{PORT}/"
    printed = slow_bed.client.command("httping", "-F", "-g", url, "-c", "16", "-i", "0.1")
    first, *others = [float(time) for time in re.findall(r"time= *(\d+\.\d+) ms", printed)]
    assert len(others) == 15, printed
    forget_cookies(slow_bed.client)
    done = probed(slow_bed, False, "--http", "/", "-c", "15")
    ours = [e["first_byte_us"] / 1000 for e in done.exchanges if e["how"] == "with"]
    assert abs(quartile(ours) - quartile(others)) < 1, (ours, others)
    firsts, contacts = [first], [done.exchanges[0]["first_byte_us"] / 1000]
    for _ in range(2):
        forget_cookies(slow_bed.client)
        printed = slow_bed.client.command("httping", "-F", "-g", url, "-c", "1")
        firsts += [float(time) for time in re.findall(r"time= *(\d+\.\d+) ms", printed)]
        forget_cookies(slow_bed.client)
        done = probed(slow_bed, False, "--http", "/", "-c", "1")
        contacts.append(done.exchanges[0]["first_byte_us"] / 1000)
    assert abs(min(contacts) - min(firsts)) < 5, (contacts, firsts)


def quartile(values: list[float]) -> float:
    return statistics.quantiles(values, n=4)[0]
