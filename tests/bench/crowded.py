"""``python -m tests.bench.crowded``: the screen on a host that cannot be had here, 65,536 peers and 15,000 handshakes
in each second. Not made up is all that the screen does with them: as many rows of the kernel's table as the sensor
reads at a time are read as bytes, by the code that reads them, in the feed's thread; kept in the history; sorted, and
shown.

At its end it says how long the thread of the keys was held up, and what it took until the rows were in a new order.
"""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.scenarios.build import handshake, namespace, sensor, total
from tfotop.feed import Feed, Past
from tfotop.model.shown import Shown, Wanted
from tfotop.model.state import Model
from tfotop.sample import Losses, Peer, Process, Sample
from tfotop.sources import collector, layout, records
from tfotop.sources.handshakes import MOST_PEERS_READ
from tfotop.views.tui import app as tui

PEERS: Final = 65_536
CHANGED: Final = 12_000  # peers of the 15,000 handshakes of a second; the sensor reads MOST_PEERS_READ of them
HANDSHAKES: Final = 200  # shown one by one
BEAT_S: Final = 0.002
FILLED: Final = 4  # models: the first brings all peers at once, as no host does
NGINX: Final = Process(pid=812, comm="nginx")


class Table:
    """What the kernel's table of peers would hold: rows as bytes."""

    def __init__(self) -> None:
        self.round = 0
        self._keys = [_key(i) for i in range(PEERS)]
        self._latencies = [_latency(16, 20_000 + 30 * i) + _latency(16, 1) + bytes(4) for i in range(100)]

    def peers(self, first: int, count: int) -> tuple[Peer, ...]:
        """So many rows, read as from the kernel."""
        chosen = ((first + i) % PEERS for i in range(count))
        return tuple(records.peer(self._keys[i], self._row(i), lambda _netns, _cookie: NGINX) for i in chosen)

    def _row(self, i: int) -> bytes:
        n, rtt = self.round + i % 50, range(20_000 + i % 4_000, 20_000 + i % 4_000 + layout.RECENT)
        failed = n * (i % 100 == 7)
        outcomes = (0, 0, 0, n + 1, failed, 0, 0, 0)
        numbers = (*outcomes, 0, 0, 0, layout.RECENT, *rtt, 4 if failed else 3, 0)
        head = layout.PEER_HEAD.pack(i + 1, time.monotonic_ns(), 7, 1, 0, b"", i, *numbers)
        return head + self._latencies[i % 100]


def _key(i: int) -> bytes:
    address = bytes(10) + b"\xff\xff" + socket.inet_aton(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
    return layout.PEER_KEY.pack(1, address, 4026531833, 443, 1)


def _latency(count: int, us: int) -> bytes:
    buckets = [0] * layout.BUCKETS
    buckets[us % 30], buckets[us % 30 + 1] = 12, 4
    return layout.LATENCY.pack(count, *[us + k for k in range(layout.RECENT)], *buckets)


class Collector(collector.Collector):
    """A collector of this table; everything else of a sample is small."""

    def __init__(self, table: Table) -> None:
        super().__init__(None)
        self._table = table

    def sample(self, mono_ns: int, wall_ns: int) -> Sample:
        table = self._table
        table.round += 1
        count = PEERS if table.round == 1 else min(CHANGED, MOST_PEERS_READ)
        peers = table.peers(table.round * 4_000, count)
        seen = tuple(handshake(ts_ns=wall_ns, peer=f"10.0.{i}.1:5000{i % 10}") for i in range(HANDSHAKES))
        rows = (total("accepted", 15_000 * table.round), total("rejected", 900 * table.round, "bad_cookie"))
        lost = Losses(records_limited=14_800 * table.round)
        return Sample(
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            tier=2,
            namespaces=(namespace(),),
            sensor=sensor(*rows, attached_ns=1, peers=peers, handshakes=seen, losses=lost),
            cost=collector._cost(),
        )


class Measured(tui.TfotopApp):
    """The screen, with a pulse and a stopwatch. Nothing else differs."""

    CSS_PATH = Path(tui.__file__).with_name("tfotop.tcss")

    def on_mount(self) -> None:
        self.held_s: list[tuple[float, float]] = []  # how long, and how much of it the thread itself worked
        self.sorted_s: list[float] = []
        self._since: dict[int, float] = {}
        self.models = 0
        self._pulse = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            due, worked = time.monotonic() + BEAT_S, time.thread_time()
            await asyncio.sleep(BEAT_S)
            if self.models > FILLED and not self._exit:
                self.held_s.append((time.monotonic() - due, time.thread_time() - worked))

    def want(self, wanted: Wanted) -> None:
        self._since[id(wanted)] = time.monotonic()
        super().want(wanted)

    def show_shown(self, made: Shown) -> None:
        super().show_shown(made)
        self.models += 1
        since = self._since.pop(id(made.wanted), None)
        if since is not None:
            self.sorted_s.append(time.monotonic() - since)


def main() -> None:
    past = Past()

    def feed(deliver: Callable[[Model], object]) -> Callable[[], None]:
        running = Feed(Collector(Table()), 1.0, None, deliver, past)
        running.start()
        return running.stop

    app = Measured("bench", "-", 1.0, past=past)
    tui.run(app, feed)
    held, blocked = [held for held, _ in app.held_s], [held - worked for held, worked in app.held_s]
    longest = {"held_s": sorted(held)[-5:], "blocked_s": sorted(blocked)[-5:]}
    report = {**longest, "beats": len(held), "sorted_s": app.sorted_s}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(report, file)
    os._exit(0)


if __name__ == "__main__":
    main()
