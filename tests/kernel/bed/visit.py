"""One exchange and what it moved at both ends; a server that a client knows already."""

import socket

from .counters import counting
from .serving import Server
from .topology import Bed
from .traffic import Exchange, exchange


class Visit:
    """One exchange, and the TCPFastOpen* counters that it moved at both ends."""

    def __init__(self, bed: Bed, port: int, address: str = "", **how: object) -> None:
        with counting(bed.client) as client, counting(bed.server) as server:
            self.seen: Exchange = exchange(bed.client, address or bed.server.v4, port, **how)
        self.client, self.server, self.related = client.fast_open(), server.fast_open(), server.related()
        self.fail = self.seen.info.client_fail


def primed(bed: Bed, family: int = socket.AF_INET6) -> Server:
    """A server whose cookies (for both families) the client has."""
    server = Server.start(bed.server, 16, family=family)
    for address in (bed.server.v4, bed.server.v6):
        assert exchange(bed.client, address, server.port).answer
    return server
