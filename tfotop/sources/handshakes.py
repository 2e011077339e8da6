"""The eBPF sensor as a source: started in a child, then read from its tables; exact totals, peers, handshakes.

The kernel decides nearly every outcome itself. What only the absence of a packet can tell (no SYN-ACK, no first byte
within 2 s) is settled here, when the table of handshakes in progress is read: an entry is taken out of it only once.
"""

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from tfotop.sample import Handshake, Losses, Problem, SensorReading
from tfotop.sources import layout, records
from tfotop.sources.layout import Flow, RawHandshake
from tfotop.sources.libbpf import Libbpf, Map, Ring
from tfotop.sources.settling import EXPLAIN_SILENCE, SECOND, infer, is_over, quiet
from tfotop.sources.totals import Totals
from tfotop.words import OUTCOMES

SETTLE_NS: Final = SECOND // 10  # the table is looked through at most this often
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
MOST_FDS: Final = 32
MOST_PEERS_READ: Final = 1024  # in one reading; the others wait for the next
UNANSWERED: Final = OUTCOMES.index("unanswered")
ZERO: Final = (0).to_bytes(4, sys.byteorder)

LIMITS: Final = {
    "MAX_TOTALS": 4096,
    "MAX_HANDSHAKES": 32768,
    "MAX_TRANSLATED": 4096,
    "MAX_PEERS": 16384,
    "CALLERS": 16384,
    "HEARD": 65536,
}
FIRST_BYTE_S: Final = 3  # from the last segment of a handshake on; is_over waits 2 s
CLOCK_MONOTONIC_COARSE: Final = 6  # its resolution is one jiffy (include/uapi/linux/time.h)
QUIET_RING_BYTES: Final = 1 << 20
FULL_RING_BYTES: Final = 16 << 20
CHANGE_RING_BYTES: Final = 1 << 19


class SensorFailed(Exception):
    """The sensor could not be started; carries the Problem to show."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class Starting:
    """A sensor that a child process is compiling, loading and attaching at this moment."""

    def __init__(self, records_per_s: int, defines: Mapping[str, int | str] | None = None) -> None:
        """``records_per_s`` limits the handshake records in the kernel (not the totals); 0 is no limit.

        ``defines`` go to the compiler last: they override sizes and offsets.
        """
        ring = QUIET_RING_BYTES if records_per_s else FULL_RING_BYTES
        pages = {"RECORD_PAGES": ring // PAGE, "CHANGE_PAGES": CHANGE_RING_BYTES // PAGE}
        waiting = {"FIRST_BYTE_JIFFIES": math.ceil(FIRST_BYTE_S / time.clock_getres(CLOCK_MONOTONIC_COARSE))}
        options = json.dumps({**LIMITS, **pages, **waiting, "RECORDS_PER_S": records_per_s, **(defines or {})})
        self._ours, theirs = socket.socketpair()
        path = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
        self._complaint = os.fdopen(os.memfd_create("complaint"), "w+b")  # a pipe could fill up, and so could a disk
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tfotop.sources.compiler", str(theirs.fileno()), options],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaint,
            )

    def finish(self) -> "Sensor":
        """Wait for the child and take over its descriptors. Raises SensorFailed."""
        with self._ours:
            message, fds, _, _ = socket.recv_fds(self._ours, 1 << 20, MOST_FDS)
        self._child.wait()
        with self._complaint:
            self._complaint.seek(0)
            complaint = self._complaint.read()
        answer = json.loads(message) if message else {}
        if "names" in answer:
            return Sensor(answer, fds)
        lines = complaint.decode(errors="replace").strip().splitlines()
        text = answer.get("refused") or (lines[-1] if lines else "the compiler ended without a word")
        raise SensorFailed(Problem(source="sensor", text=_one_line(text), remedy=answer.get("remedy")))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


class Sensor:
    """The attached programs, by their descriptors: closing them, or ending however, detaches everything."""

    def __init__(self, answer: dict[str, Any], fds: list[int]) -> None:
        self._fds, libbpf = fds, Libbpf()
        by_name = dict(zip(answer["names"], fds, strict=False))
        cpus = libbpf.cpus()
        per_cpu = {"totals", "tallies"}
        self._maps = {
            name: Map(libbpf, by_name[name], key, value * (cpus if name in per_cpu else 1))
            for name, (key, value) in layout.TABLES.items()
        }
        self.missing: str | None = answer["without_btf"]
        self.secrets: tuple[int, int] = tuple(answer["secrets"])
        self._records: deque[bytes] = deque()
        self._changed: dict[bytes, None] = {}
        self._rings = {
            "records": Ring(libbpf, by_name["records"], self._records.append),
            "changes": Ring(libbpf, by_name["changes"], self._changed.setdefault),
        }
        self._epoch, self._changes_dropped = 0, 0
        self._totals = Totals(self._maps["totals"])
        self._taken = self._evicted = self._settled_ns = 0
        self.attached_ns: int | None = None

    def close(self) -> None:
        """Detach the programs and free the tables."""
        for ring in self._rings.values():
            ring.close()
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def read(
        self,
        mono_ns: int,
        wall_ns: int,
        owner: records.Owner = records.NOBODY,
        alive: Collection[int] | None = None,
    ) -> SensorReading:
        """Totals, changed peers and new handshakes; clocks as CLOCK_MONOTONIC and CLOCK_REALTIME in ns.

        ``alive``: the cookies of all namespaces, so that the rows of others can be cleared away.
        """
        self.attached_ns = self.attached_ns or mono_ns
        offset = wall_ns - mono_ns
        settled, in_progress, losses = self._settle(mono_ns)
        totals = self._totals.read(alive)
        handshakes = self._take_records(settled, offset, owner)
        peers = self._changed_peers(owner)
        return SensorReading(
            attached_ns=self.attached_ns,
            btf=self.missing is None,
            totals=tuple(records.total(key, n) for key, n in sorted(totals.items())),
            peers=peers,
            handshakes=handshakes,
            losses=losses,
            in_progress=in_progress,
        )

    def wait(self, timeout_ms: int) -> None:
        """Wait for handshake records, at most so long."""
        self._rings["records"].poll(timeout_ms)

    def new_handshakes(
        self, mono_ns: int, wall_ns: int, owner: records.Owner, everything: bool = False
    ) -> tuple[Handshake, ...]:
        """Only the handshakes that became final since the last call; at the end ``everything`` that has an outcome."""
        settled: list[tuple[Flow, RawHandshake]] = []
        if everything or mono_ns - self._settled_ns >= SETTLE_NS:
            self._settled_ns = mono_ns
            settled, _, _ = self._settle(mono_ns, everything)
        return self._take_records(settled, wall_ns - mono_ns, owner)

    def losses(self) -> Losses:
        """What could not be kept so far."""
        return self._losses(self._tallies())

    def _take_records(
        self, settled: list[tuple[Flow, RawHandshake]], offset: int, owner: records.Owner
    ) -> tuple[Handshake, ...]:
        self._rings["records"].consume()
        raws = [_split(self._records.popleft()) for _ in range(len(self._records))]
        return tuple(records.handshake(flow, raw, offset, owner) for flow, raw in [*_standing(raws), *settled])

    def _tallies(self) -> dict[str, int]:
        result = {}
        for i, name in enumerate(layout.TALLIES):
            value = self._maps["tallies"].get(i.to_bytes(4, sys.byteorder)) or b""
            result[name] = sum(memoryview(value).cast("Q"))
        return result

    def _losses(self, tallies: dict[str, int]) -> Losses:
        return Losses(
            records_limited=tallies["records_limited"],
            records_dropped=tallies["records_dropped"],
            handshakes_evicted=self._evicted,
            peers_unread=len(self._changed),
            totals_full=tallies["totals_full"],
        )

    def _settle(self, mono_ns: int, everything: bool = False) -> tuple[list[tuple[Flow, RawHandshake]], int, Losses]:
        """Take out what has waited long enough; how many are left; what was lost."""
        before, entries, settled = self._tallies(), 0, []
        for keys, values in self._maps["handshakes"].batches():
            entries += len(values) // layout.HANDSHAKE.size
            for i in range(len(values) // layout.HANDSHAKE.size) if everything else quiet(values, mono_ns):
                raw = RawHandshake._make(layout.HANDSHAKE.unpack_from(values, i * layout.HANDSHAKE.size))
                if is_over(raw, mono_ns) or (everything and raw.outcome != layout.UNDECIDED):
                    settled += self._take(bytes(keys[i * layout.FLOW.size : (i + 1) * layout.FLOW.size]), mono_ns)
        after = self._tallies()
        # A lower bound, whatever happened between the readings; exact as soon as nothing does.
        evicted = before["tracked"] - after["finished"] - (self._taken - len(settled)) - entries
        self._evicted = max(self._evicted, evicted)
        return settled, entries - len(settled), self._losses(after)

    def _take(self, key: bytes, mono_ns: int) -> list[tuple[Flow, RawHandshake]]:
        value = self._maps["handshakes"].take(key)
        if value is None:
            return []
        self._taken += 1
        flow, raw = Flow._make(layout.FLOW.unpack(key)), RawHandshake._make(layout.HANDSHAKE.unpack(value))
        if raw.outcome == layout.UNDECIDED:
            outcome, reason = self._verdict(flow, raw)
            raw = raw._replace(outcome=outcome, reason=reason)
            syn = int(raw.syn_data_bytes > 0), int(raw.cookie_len == 0)
            self._totals.add((flow.netns_cookie, raw.netns, flow.role, raw.outcome, raw.reason, raw.variant, *syn))
        return [(flow, raw)]

    def _verdict(self, flow: Flow, raw: RawHandshake) -> tuple[int, int]:
        """What became of a handshake without a SYN-ACK: unanswered, unless the kernel hides such SYN-ACKs from us."""
        dropped = bool(flow.role) and raw.reason in EXPLAIN_SILENCE
        v6 = not flow.local.startswith(records.V4_MAPPED)
        if flow.role and v6 and not dropped and raw.max_qlen != layout.UNKNOWN and not self._sighted():
            return infer(raw)
        return UNANSWERED, raw.reason if dropped else 0

    def _sighted(self) -> bool:
        return any(self._maps["sighted"].get(ZERO) or b"")

    def _changed_peers(self, owner: records.Owner) -> tuple[Any, ...]:
        self._epoch += 1  # first: what changes from here on is told again
        self._maps["epoch"].put(ZERO, (self._epoch % 2**32).to_bytes(4, sys.byteorder))
        self._rings["changes"].consume()
        dropped = self._tallies()["changes_dropped"]
        if dropped > self._changes_dropped:
            self._changes_dropped = dropped
            self._scan_peers()
        result = []
        for key in list(self._changed)[:MOST_PEERS_READ]:
            del self._changed[key]
            value = self._maps["peers"].get(key)
            if value is not None:
                result.append(records.peer(key, value, owner))
        return tuple(result)

    def _scan_peers(self) -> None:
        """Not every change could be told: look at all peers once."""
        size = layout.PEER_KEY.size
        for keys, _ in self._maps["peers"].batches():
            for start in range(0, len(keys), size):
                self._changed.setdefault(bytes(keys[start : start + size]))


def _standing(raws: list[tuple[Flow, RawHandshake]]) -> list[tuple[Flow, RawHandshake]]:
    """Without what was taken back a moment later: a record without outcome says so (bpf/revision.h)."""
    back = {(flow, raw.isn): at for at, (flow, raw) in enumerate(raws) if raw.outcome == layout.UNDECIDED}
    return [pair for at, pair in enumerate(raws) if at > back.get((pair[0], pair[1].isn), -1)] if back else raws


def _split(record: bytes) -> tuple[Flow, RawHandshake]:
    flow = Flow._make(layout.FLOW.unpack_from(record))
    return flow, RawHandshake._make(layout.HANDSHAKE.unpack_from(record, layout.FLOW.size))
