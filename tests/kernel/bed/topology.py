"""The bed: a client, a server, more servers, and the links between them."""

import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from .namespaces import PREFIX, Namespace
from .polling import until
from .relay import Relay

SERVICE_V4, SERVICE_V6 = "10.77.255.80", "fd77:ff::80"

_beds = itertools.count(1)


class Bed:
    """Two namespaces and a link; gone on exit with all that was started in them, whatever happened.

    Without `delay_ms` and `rule` the link is a veth pair, otherwise two TAP devices joined by a relay process.

    >>> with Bed() as bed:
    ...     bed.server.sysctl("net.ipv4.tcp_fastopen", 3)
    """

    client: Namespace
    server: Namespace
    relay: Relay | None = None

    def __init__(self, delay_ms: float | None = None, rule: str | None = None) -> None:
        self._delay_ms, self._rule = delay_ms, rule
        self._number = next(_beds)
        self._links = itertools.count(1)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.path = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
            self.client = self.host("client")
            # Long bursts leave tens of thousands of ports in TIME_WAIT, and connect() searches what is left in turn.
            self.client.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
            self.server = self._serving("server", self._delay_ms is not None or self._rule is not None)
            self.steer(self.server)
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def host(self, label: str) -> Namespace:
        """A further namespace, linked to nothing yet."""
        namespace = Namespace(f"{self._number}-{label}")
        self._exit.callback(namespace.close)
        return namespace

    def second_server(self, label: str = "second") -> Namespace:
        """One more server on a veth link of its own to the client; it has the service addresses too (see `steer`)."""
        return self._serving(label, relayed=False)

    def steer(self, server: Namespace) -> None:
        """Send what the client sends to SERVICE_V4 and SERVICE_V6 to this server, always from the same addresses."""
        self.client.ip("route", "replace", f"{SERVICE_V4}/32", "via", server.v4, "src", self.client.v4)
        self.client.ip("-6", "route", "replace", f"{SERVICE_V6}/128", "via", server.v6, "src", self.client.v6)

    def _serving(self, label: str, relayed: bool) -> Namespace:
        server = self.host(label)
        link = next(self._links)
        device = f"eth{link - 1}"
        if relayed:
            self.relay = Relay(self.client, server, device, self._delay_ms or 0.0, self._rule)
            self._exit.callback(self.relay.close)
        else:
            self.client.ip("link", "add", device, "type", "veth", "peer", "name", device, "netns", server.name)
        self._address(server, link, device)
        return server

    def _address(self, server: Namespace, link: int, device: str) -> None:
        for host, number in ((self.client, 1), (server, 2)):
            v4, v6 = f"10.77.{link}.{number}", f"fd77:{link}::{number}"
            host.ip("address", "add", f"{v4}/24", "dev", device)
            host.ip("address", "add", f"{v6}/64", "dev", device, "nodad")
            host.ip("link", "set", device, "up")
            host.v4, host.v6 = host.v4 or v4, host.v6 or v6
        _introduce(self.client, server, link, device)
        server.ip("address", "add", f"{SERVICE_V4}/32", "dev", "lo")
        server.ip("address", "add", f"{SERVICE_V6}/128", "dev", "lo", "nodad")
        if link > 1:
            server.ip("route", "add", f"{self.client.v4}/32", "via", f"10.77.{link}.1")
            server.ip("-6", "route", "add", f"{self.client.v6}/128", "via", f"fd77:{link}::1")
        for host in (self.client, server):
            until(lambda host=host: _ready(host, device), what=f"{device} of {host.name}")


def _introduce(client: Namespace, server: Namespace, link: int, device: str) -> None:
    """Permanent neighbour entries: address resolution would add a round trip to the first contact."""
    for host, other, number in ((client, server, 2), (server, client, 1)):
        for address in (f"10.77.{link}.{number}", f"fd77:{link}::{number}"):
            host.ip("neighbour", "replace", address, "lladdr", other.mac(device), "dev", device, "nud", "permanent")


def _ready(host: Namespace, device: str) -> bool:
    """Carrier is up and no IPv6 address is tentative."""
    return "LOWER_UP" in host.ip("link", "show", device) and not host.ip("-6", "address", "show", "tentative")
