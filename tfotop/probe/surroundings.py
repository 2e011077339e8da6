"""What this host knows of a server before a probe, and the cold start: its tcp_metrics entry removed."""

import errno
import socket
from typing import Final

from tfotop.probe.records import Conditions
from tfotop.probe.resolve import FAMILIES, Address
from tfotop.sample import Metric
from tfotop.sources import routes, sysctl, tcp_metrics
from tfotop.sources.tcp_metrics import CookieName

NO_PRIVILEGE: Final = "removing it needs root (CAP_NET_ADMIN)"
NOBODY: Final = {"IPv4": "0.0.0.0", "IPv6": "::"}  # no entry has this address


class Surroundings:
    """The kernel's memory of one address: looked at, and at most one entry of it removed."""

    def __init__(self, address: Address, fingerprint_cookie: CookieName) -> None:
        self._address, self._fingerprint = address, fingerprint_cookie
        self._source = source(address)
        self.metrics = True

    def metric(self) -> Metric | None:
        """The entry of this address as it is now."""
        if self._source is None or not self.metrics:
            return None
        try:
            return tcp_metrics.entry(self._address.text, self._source, self._fingerprint)
        except OSError:
            self.metrics = False
            return None

    def look(self) -> Conditions:
        """Everything that decides on Fast Open here, and what is cached."""
        cached, settings = self.metric(), sysctl.read(lambda _: None)
        return Conditions(
            family=self._address.family,
            address=self._address.text,
            port=self._address.port,
            source=self._source,
            tcp_fastopen=settings.tcp_fastopen,
            blackhole_timeout_s=settings.blackhole_timeout_s,
            no_cookie_route=self._marked(),
            metrics=self.metrics,
            cached=cached,
        )

    def forget(self) -> str | None:
        """Remove the entry; in a few words why it could not be done."""
        return self._remove(self._address.text, self._source or "")

    def may_forget(self) -> str | None:
        """In a few words why the entry could not be removed; nothing is."""
        nobody = NOBODY[self._address.family]
        return self._remove(nobody, nobody)

    def _remove(self, destination: str, source: str) -> str | None:
        try:
            tcp_metrics.remove(destination, source)
        except ProcessLookupError:  # ESRCH: gone already
            return None
        except OSError as error:
            return NO_PRIVILEGE if error.errno in (errno.EPERM, errno.EACCES) else str(error.strerror)
        return None

    def _marked(self) -> bool | None:
        try:
            return routes.no_cookie(self._address.text, self._address.interface)
        except OSError:
            return None


def source(address: Address) -> str | None:
    """The address that connections to it leave from; ``None`` if there is no route. Nothing is sent."""
    with socket.socket(FAMILIES[address.family], socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address.sockaddr)
        except OSError:
            return None
        return str(sock.getsockname()[0]).partition("%")[0]
