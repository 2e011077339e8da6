"""What tfotop says of a bed's traffic: the objects of a real ``tfotop events --json``, totals of a second sensor."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tfotop.model.agreement import counted
from tfotop.sample import Peer, SensorReading, Total
from tfotop.sources.handshakes import Sensor

from .bed import FAST_OPEN, Bed, Namespace, snapshot, until
from .bed.polling import PATIENCE

Event = dict[str, Any]
# The kernel counts timeouts of established connections here too: no handshake, so no total of ours.
NOT_OURS = {"TCPFastOpenBlackhole"}


class Events:
    """A running ``tfotop events --json`` and everything that it printed so far."""

    def __init__(self, *options: str, within: Sequence[str] = ()) -> None:
        command = [*within, sys.executable, "-m", "tfotop", "events", "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        self.greeting = ""
        for line in self.process.stderr:  # what is missing, if anything; then that it watches
            self.greeting += line
            if "watching" in line:
                break
        self.lines: list[Event] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def collect(self, wanted: Callable[[Event], bool], count: int, timeout_s: float = 12.0) -> list[Event]:
        """The first events that are wanted, when there are so many."""
        until(lambda: len(list(filter(wanted, self.lines))) >= count, timeout_s, f"{count} events in {self.lines}")
        return sorted(filter(wanted, self.lines), key=lambda e: e["ts_ns"])[:count]

    def close(self) -> str:
        """End it as a user would; what it said at its end."""
        self.process.terminate()
        self._reader.join(5)
        assert self.process.stderr
        last = self.process.stderr.read()
        self.process.wait(5)
        self.process.stderr.close()
        assert self.process.stdout
        self.process.stdout.close()
        return last


def happened_in(namespace: Namespace, event: Event) -> bool:
    """Not in one before it that had the same number: tests run side by side."""
    return bool(event["netns"] == namespace.inode and event["ts_ns"] >= namespace.made_ns)


class Sight:
    """The events and totals of one bed, from the moment that it was made."""

    def __init__(self, bed: Bed, events: Events, sensor: Sensor) -> None:
        self._bed, self._events, self._sensor = bed, events, sensor
        self._taken = len(events.lines)
        self._left: list[Event] = []
        self._peers: dict[object, Peer] = {}

    def next(self, namespace: Namespace, count: int = 1, timeout_s: float = 12.0) -> list[Event]:
        """The next events of a namespace, in order of their SYNs; fails if they do not come."""

        def arrived() -> bool:
            new = self._events.lines[self._taken :]
            self._taken += len(new)
            self._left += new
            return sum(happened_in(namespace, e) for e in self._left) >= count

        until(arrived, timeout_s, f"{count} events of {namespace.inode}, there are {self._left}")
        mine = [e for e in self._left if happened_in(namespace, e)][:count]
        taken = {id(e) for e in mine}
        self._left = [e for e in self._left if id(e) not in taken]
        return sorted(mine, key=lambda e: e["ts_ns"])

    def pair(self) -> tuple[Event, Event]:
        """The next event of the client and of the server."""
        return self.next(self._bed.client)[0], self.next(self._bed.server)[0]

    def skip(self, count: int = 1) -> None:
        """Take the events of that many visits that only prepared something."""
        self.next(self._bed.client, count)
        self.next(self._bed.server, count)

    def totals(self, namespace: Namespace) -> list[Total]:
        """All totals of a namespace."""
        return [t for t in self._read().totals if t.netns_cookie == namespace.net_cookie]

    def peers(self, namespace: Namespace) -> list[Peer]:
        """All peers of a namespace that the kernel's table holds."""
        self._read()
        return [p for p in self._peers.values() if p.netns_cookie == namespace.net_cookie]

    def _read(self) -> SensorReading:
        reading = self._sensor.read(time.monotonic_ns(), time.time_ns())
        self._peers.update({(p.netns_cookie, p.role, p.address, p.port): p for p in reading.peers})
        return reading

    def agrees(self, *namespaces: Namespace, timeouts: int = 0) -> None:
        """Every TCPFastOpen* counter of these (default: both) namespaces equals what the totals say.

        ``timeouts``: how often the client's third timeout in a row moved ActiveFail too.
        """
        for namespace in namespaces or (self._bed.client, self._bed.server):

            def difference(namespace: Namespace = namespace) -> dict[str, tuple[int, int]]:
                kernel = snapshot(namespace)
                ours = counted(self.totals(namespace))
                if namespace is self._bed.client:
                    ours["TCPFastOpenActiveFail"] += timeouts
                pairs = {name: (kernel[name], ours[name]) for name in FAST_OPEN if name not in NOT_OURS}
                return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

            deadline = time.monotonic() + 5 * PATIENCE
            while difference() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert difference() == {}, f"counter: (kernel, tfotop): {difference()}"


def shows(event: Event, **wanted: object) -> None:
    """The event has these values; the message shows the whole event."""
    found = {name: event[name] for name in wanted}
    assert found == wanted, event
