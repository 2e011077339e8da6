"""What the user wants to see: the shared options --role, --port, --peer and --netns."""

import ipaddress
from typing import NamedTuple

from msgspec.structs import replace

from tfotop.model.state import Model
from tfotop.sample import Handshake, Peer, Total

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Selection(NamedTuple):
    """``None`` means any. ``port`` is the server's, in both roles."""

    role: str | None = None
    port: int | None = None
    peer: Network | None = None
    netns: int | None = None

    @property
    def some_peers(self) -> bool:
        """Whether only some peers or ports are wanted, which totals and counters do not know."""
        return self.port is not None or self.peer is not None

    def of_handshake(self, h: Handshake) -> bool:
        """Whether a handshake is wanted."""
        address, port = split_endpoint(h.peer)
        if h.role == "server":
            port = split_endpoint(h.local)[1]
        return self._matches(h.role, port, address, h.netns)

    def of_peer(self, peer: Peer) -> bool:
        """Whether a peer is wanted."""
        return self._matches(peer.role, peer.port, peer.address, peer.netns)

    def of_total(self, total: Total) -> bool:
        """Whether a row of totals is wanted: it knows neither ports nor peers."""
        return self.role in (None, total.role) and self.netns in (None, total.netns)

    def apply(self, model: Model) -> Model:
        """The same model with what is wanted only; the checks against the kernel stay whole."""
        if self == Selection():
            return model
        return replace(
            model,
            namespaces=tuple(n for n in model.namespaces if self.netns in (None, n.reading.inum)),
            totals=tuple(filter(self.of_total, model.totals)),
            interval=tuple(filter(self.of_total, model.interval)),
            peers={key: state for key, state in model.peers.items() if self.of_peer(state.reading)},
            handshakes=tuple(filter(self.of_handshake, model.handshakes)),
        )

    def _matches(self, role: str, port: int, address: str, netns: int | None) -> bool:
        return (
            self.role in (None, role)
            and self.port in (None, port)
            and self.netns in (None, netns)
            and (self.peer is None or ipaddress.ip_address(address) in self.peer)
        )


def split_endpoint(text: str) -> tuple[str, int]:
    """``[2001:db8::1]:443`` as address and port."""
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)
