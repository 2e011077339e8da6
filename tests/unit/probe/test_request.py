"""The bytes that are sent, and what is made of the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfotop.probe import request
from tfotop.probe.target import Target

WEB = Target("web.example")


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("PING\\r\\n", b"PING\r\n"),
        ("\\x00\\xfF\\0", b"\x00\xff\x00"),
        ("a\\\\n", b"a\\n"),
        ("\\\\\\n", b"\\\n"),
        ("ü\t", "ü\t".encode()),
        ("x" * 1200, b"x" * 1200),
    ],
)
def test_escapes(text: str, raw: bytes) -> None:
    assert request.unescape(text) == raw


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x1", "\\xzz", "a\\\\\\", "\\u1234"])
def test_escapes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="an escape is none of"):
        request.unescape(text)


@pytest.mark.parametrize("text", ["", "x" * 1201])
def test_too_little_or_too_much(text: str) -> None:
    with pytest.raises(ValueError, match="expected 1 to 1200"):
        request.unescape(text)


@given(st.text(max_size=50))
def test_any_text_is_bytes_or_one_line(text: str) -> None:
    try:
        assert request.unescape(text)
    except ValueError as error:
        wrong = str(error)
    else:
        return
    assert "\n" not in wrong


@pytest.mark.parametrize(
    ("host", "port", "named"),
    [
        ("web.example", 80, "web.example"),
        ("web.example", 8080, "web.example:8080"),
        ("2001:db8::7", 80, "[2001:db8::7]"),
        ("2001:db8::7", 81, "[2001:db8::7]:81"),
        ("fe80::1%eth0", 81, "[fe80::1]:81"),
    ],
)
def test_http_names_its_host(host: str, port: int, named: str) -> None:
    head, *rest = request.http("HEAD", "/a?b=c", Target(host), port).make().decode().split("\r\n")
    assert head == "HEAD /a?b=c HTTP/1.1"
    assert f"Host: {named}" in rest
    assert "Connection: close" in rest
    assert rest[-2:] == ["", ""]


@pytest.mark.parametrize("path", ["", "index.html", "/a b", "/\r\nX: y", "/ü", "/" + "x" * 1200])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        request.http("HEAD", path, WEB, 80)


def test_a_client_hello_fits_into_a_syn_and_is_never_the_same() -> None:
    asked = request.tls(WEB)
    one, two = asked.make(), asked.make()
    assert one[:1] == b"\x16"
    assert one[5] == 1  # ClientHello (RFC 8446 section 4)
    assert b"web.example" in one
    assert one != two
    assert max(len(one), len(two)) < request.MOST_BYTES
    assert b"192.0.2.1" not in request.tls(Target("192.0.2.1")).make()


@pytest.mark.parametrize(
    ("asked", "answer", "words"),
    [
        (request.tls(WEB), b"\x16\x03\x03\x00\x7a\x02", "ServerHello"),
        (request.tls(WEB), b"\x15\x03\x03\x00\x02\x02\x28", "TLS alert 40"),
        (request.tls(WEB), b"\x15", "not TLS"),
        (request.tls(WEB), b"HTTP/1.1 400 Bad Request", "not TLS"),
        (request.http("HEAD", "/", WEB, 80), b"HTTP/1.1 204 No Content\r\nX: y", "HTTP/1.1 204 No Content"),
        (request.http("HEAD", "/", WEB, 80), b"SSH-2.0-x\r\n", "not HTTP"),
        (request.plain("x"), b"abc", "3 bytes"),
    ],
)
def test_answers(asked: request.Request, answer: bytes, words: str) -> None:
    assert asked.answered(answer) == words
