"""HOST[:PORT] as a person types it."""

import ipaddress
import re
from typing import Final, NamedTuple

EXPECTED: Final = "expected HOST, HOST:PORT or [IPV6]:PORT, with a port from 1 to 65535"
MOST_CHARACTERS: Final = 253  # of a name (RFC 1035)
LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
SHOWN: Final = 48


class Target(NamedTuple):
    """A name or an address, without brackets; ``port`` is ``None`` where none was given."""

    host: str
    port: int | None = None

    @property
    def numeric(self) -> bool:
        """Whether the host is an address, so that nothing is looked up."""
        return ":" in self.host or self.host.rpartition(".")[2].isdigit()

    def at(self, port: int) -> str:
        """The host with a port, as in a URL."""
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


def parse(text: str) -> Target:
    """The target that ``text`` names. Raises ``ValueError`` that says what was expected, in one line."""
    host, port = _split(text)
    if port is not None and not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise _wrong(text)
    return Target(_host(host, text), int(port) if port is not None else None)


def _split(text: str) -> tuple[str, str | None]:
    """Host and port: a bare IPv6 address has no port."""
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text)
    if bracketed:
        if ":" not in bracketed[1]:
            raise _wrong(text)
        return bracketed[1], bracketed[2]
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


def _host(host: str, text: str) -> str:
    if ":" in host:
        return _address(host, text)
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise _wrong(text) from None
    name = name.removesuffix(".")
    if len(name) > MOST_CHARACTERS or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise _wrong(text)
    return _address(name, text) if name.rpartition(".")[2].isdigit() else name


def _address(host: str, text: str) -> str:
    """An address that one server can have; ``fe80::1%eth0`` keeps its interface."""
    bare, _, interface = host.partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        raise _wrong(text) from None
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        raise ValueError(f"{text[:SHOWN]!r} is not the address of a server: {EXPECTED}")
    if "%" in host and not re.fullmatch(r"[\w.@-]{1,15}", interface, re.ASCII):
        raise _wrong(text)
    if address.is_link_local and address.version == 6 and not interface:
        raise ValueError(f"{text[:SHOWN]!r} needs its interface: expected as in [fe80::1%eth0]:443")
    return f"{address}%{interface}" if interface else str(address)


def _wrong(text: str) -> ValueError:
    return ValueError(f"{text[:SHOWN]!r} is no target: {EXPECTED}")
