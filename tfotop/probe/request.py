"""The bytes that an exchange sends, and what the answer to them is. All of them may arrive twice without harm."""

import re
import ssl
from collections.abc import Callable
from typing import Final, NamedTuple

from tfotop import __version__
from tfotop.probe.target import Target

HTTP_PORT, TLS_PORT = 80, 443
METHODS: Final = ("HEAD", "GET", "OPTIONS")  # safe: RFC 9110 section 9.2.1
MOST_BYTES: Final = 1200  # what nearly every SYN takes beside its options and a cookie
ESCAPES: Final = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
HANDSHAKE, ALERT = 22, 21  # TLS record types (RFC 8446 section 5.1)


class Request(NamedTuple):
    """``make`` gives the bytes of one exchange: a ClientHello is never used twice."""

    words: str
    make: Callable[[], bytes]
    answered: Callable[[bytes], str]  # the first bytes of the answer, in words


def plain(text: str) -> Request:
    """``text`` with its escapes, over plain TCP. Raises ``ValueError``."""
    payload = unescape(text)
    return Request(f"{len(payload)} bytes over plain TCP", lambda: payload, lambda answer: f"{len(answer)} bytes")


def http(method: str, path: str, target: Target, port: int) -> Request:
    """An HTTP/1.1 request that ends the connection. Raises ``ValueError``."""
    if not re.fullmatch(r"/[!-~]*", path):
        raise ValueError(
            f"{path[:60]!r} is no path: expected one that starts with / and has no blanks, as in /index.html"
        )
    host = target.host.partition("%")[0]
    where = Target(host).at(port) if port != HTTP_PORT else f"[{host}]" if ":" in host else host
    lines = (f"{method} {path} HTTP/1.1", f"Host: {where}", f"User-Agent: tfotop/{__version__}", "Connection: close")
    payload = "".join(f"{line}\r\n" for line in (*lines, "")).encode()
    if len(payload) > MOST_BYTES:
        raise ValueError(f"the request has {len(payload)} bytes: expected a path short enough for {MOST_BYTES}")
    return Request(f"HTTP {method} {path}", lambda: payload, _status_line)


def tls(target: Target) -> Request:
    """A ClientHello; the handshake goes no further than the server's answer, so no certificate is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ecdh_curve("prime256v1")  # the key shares of newer defaults alone would not fit into a SYN
    name = None if target.numeric else target.host

    def client_hello() -> bytes:
        out = ssl.MemoryBIO()
        session = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            return out.read()
        raise AssertionError("a TLS handshake cannot end before an answer")

    return Request("TLS ClientHello", client_hello, _record)


def unescape(text: str) -> bytes:
    r"""The bytes of ``--send``: \r \n \t \0 \\ and \xHH stand for bytes. Raises ``ValueError``."""

    def byte(found: "re.Match[bytes]") -> bytes:
        code = found[1].decode()
        return bytes.fromhex(code[1:]) if code.startswith("x") else ESCAPES[code]

    raw = text.encode("utf-8", "surrogateescape")
    if re.search(rb"\\(?!x[0-9a-fA-F]{2}|[rnt0\\])", raw.replace(rb"\\", b"")):
        raise ValueError(r"an escape is none of \r \n \t \0 \\ \xHH")
    payload = re.sub(rb"\\(x[0-9a-fA-F]{2}|[rnt0\\])", byte, raw)
    if not 1 <= len(payload) <= MOST_BYTES:
        raise ValueError(f"{len(payload)} bytes to send: expected 1 to {MOST_BYTES}, which one SYN can carry")
    return payload


def _status_line(answer: bytes) -> str:
    line = answer.split(b"\r\n", 1)[0][:40].decode("ascii", "replace")
    return line if line.startswith("HTTP/") else "not HTTP"


def _record(answer: bytes) -> str:
    if answer[:1] == bytes([HANDSHAKE]):
        return "ServerHello"
    return f"TLS alert {answer[6]}" if answer[:1] == bytes([ALERT]) and len(answer) > 6 else "not TLS"
