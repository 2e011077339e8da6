"""HOST[:PORT]: what it names, and one line for what names nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tfotop.probe.target import EXPECTED, Target, parse


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web-3", Target("web-3")),
        ("web-3:8080", Target("web-3", 8080)),
        ("example.org.", Target("example.org")),
        ("EXAMPLE.org:65535", Target("EXAMPLE.org", 65535)),
        ("192.0.2.1", Target("192.0.2.1")),
        ("192.0.2.1:1", Target("192.0.2.1", 1)),
        ("2001:db8::7", Target("2001:db8::7")),
        ("[2001:db8::7]", Target("2001:db8::7")),
        ("[2001:DB8:0::7]:443", Target("2001:db8::7", 443)),
        ("[fe80::1%eth0]:443", Target("fe80::1%eth0", 443)),
        ("::1", Target("::1")),
        ("bücher.example:80", Target("xn--bcher-kva.example", 80)),
        ("_srv.example", Target("_srv.example")),
        ("3com.example", Target("3com.example")),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "", ":80", "web:", "web:0", "web:65536", "web:http", "web:-1", "web:+80", "web: 80", "web:٨٠", "web:80:81",
        "web:999999999999", "[web]:80", "[::1]80", "[::1", "::1]", "[]:80", "http://web", "web/path", "user@web",
        "we b", "web\n", "web\x1b[31m", "-c", "web-", "a..b", "a" * 64, ".".join(["a" * 60] * 5), "1.2.3", "1.2.3.4.5",
        "256.1.1.1", "01.2.3.4", "0x7f.1", "12345", "2001:db8::g", "1::2::3", "fe80::1%", "fe80::1%a/b",
        "::1%" + "x" * 20, "*.org",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no target: ") as wrong:
        parse(text)
    assert str(wrong.value).endswith(EXPECTED)
    assert str(wrong.value).isprintable()


@pytest.mark.parametrize("text", ["0.0.0.0", "[::]:80", "224.0.0.1", "ff02::1", "255.255.255.255:80"])
def test_addresses_that_no_server_has(text: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a server: expected HOST"):
        parse(text)


def test_a_link_local_address_needs_its_interface() -> None:
    with pytest.raises(ValueError, match=r"needs its interface: expected as in \[fe80::1%eth0\]:443"):
        parse("fe80::1")


@given(st.text(max_size=300))
@example("\U000e0001" * 300)  # ten characters of the line each
def test_any_text_is_a_target_or_one_line(text: str) -> None:
    try:
        target = parse(text)
    except ValueError as error:
        wrong = str(error)
    else:
        assert target.host
        assert target.host.isascii()
        assert parse(target.at(443)) == Target(target.host, 443)
        return
    assert wrong.isprintable()
    assert len(wrong) < 600


def test_numeric() -> None:
    assert [Target(host).numeric for host in ("192.0.2.1", "::1", "fe80::1%eth0", "web", "a1.b2")] == [
        True, True, True, False, False,
    ]  # fmt: skip
