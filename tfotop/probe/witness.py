"""The sensor's word on the exchanges of a probe: its record of each handshake, from both ends where both are here."""

import time
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from tfotop.probe.records import Exchange
from tfotop.sample import Handshake
from tfotop.sources import records
from tfotop.sources.handshakes import Sensor

PATIENCE_S: Final = 0.2
STEP_MS: Final = 20
CLOCKS_NS: Final = 10_000_000  # by so much the two readings of the wall clock may differ


class Witness:
    """Reads what the sensor hands over, and keeps only what belongs to the exchanges that it was told of."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._ours: dict[object, Exchange] = {}  # by the client's socket, and by its endpoint
        self._clients: dict[object, Handshake] = {}
        self._servers: dict[object, Handshake] = {}
        self.fingerprint_cookie = records.cookie_fingerprint(sensor.secrets)

    def seen(self, exchange: Exchange) -> Exchange:
        """The exchange with its records: the client's comes with the first byte, so this waits only a moment."""
        self._ours[exchange.socket_cookie] = self._ours[exchange.local] = exchange
        if exchange.first_byte_us is not None:
            self._wait((exchange,))
        return self._with(exchange)

    def rest(self, exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
        """The exchanges with what came late: a server's record may, and that of a handshake that was not answered."""
        kept = tuple(exchanges)
        self._wait(kept)
        self._take(everything=True)
        return tuple(map(self._with, kept))

    def close(self) -> None:
        """Detach the sensor."""
        self._sensor.close()

    def _wait(self, exchanges: tuple[Exchange, ...]) -> None:
        until_s = time.monotonic() + PATIENCE_S
        self._take()
        while any(e.socket_cookie not in self._clients for e in exchanges) and time.monotonic() < until_s:
            self._sensor.wait(STEP_MS)
            self._take()

    def _take(self, everything: bool = False) -> None:
        new = self._sensor.new_handshakes(time.monotonic_ns(), time.time_ns(), records.NOBODY, everything)
        for handshake in new:
            if handshake.role == "client" and handshake.socket_cookie in self._ours:
                self._clients[handshake.socket_cookie] = handshake
            elif handshake.role == "server" and self._is_ours(handshake):
                self._servers[handshake.peer] = handshake

    def _is_ours(self, handshake: Handshake) -> bool:
        """Whether a server on this very machine saw one of our exchanges, perhaps behind a translated address."""
        exchange = self._ours.get(handshake.peer)
        return exchange is not None and handshake.ts_ns > exchange.ts_ns - CLOCKS_NS

    def _with(self, exchange: Exchange) -> Exchange:
        client, server = self._clients.get(exchange.socket_cookie), self._servers.get(exchange.local)
        return replace(exchange, client=client or exchange.client, server=server or exchange.server)
