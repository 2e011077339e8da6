"""The sensor over tables that are dictionaries: what is taken out and by whom, what is lost, what is read."""

import json
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import IO, Any

import pytest

from tfotop.sample import Handshake, Losses, Problem
from tfotop.sources import handshakes, layout
from tfotop.sources.handshakes import Sensor, SensorFailed, Starting
from tfotop.sources.layout import Flow, RawHandshake
from tfotop.sources.settling import SECOND
from tfotop.sources.totals import Totals
from tfotop.words import REASONS

from .test_records import FLOW
from .test_settling import ACCEPTED, DECIDED, NOW, OPEN, at


class Table:
    """What libbpf.Map offers."""

    def __init__(self, entries: dict[bytes, bytes] | None = None) -> None:
        self.entries = dict(entries or {})
        self.before_take: Callable[[bytes], object] = lambda _key: None

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.entries[key] = value

    def delete(self, key: bytes) -> None:
        self.entries.pop(key, None)

    def take(self, key: bytes) -> bytes | None:
        self.before_take(key)
        return self.entries.pop(key, None)

    def batches(self) -> list[tuple[memoryview, memoryview]]:
        rows = list(self.entries.items())
        parts = [rows[:2], rows[2:]]
        return [tuple(memoryview(b"".join(column)) for column in zip(*part, strict=True)) for part in parts if part]


class Ring:
    """What libbpf.Ring offers: ``arrives`` is handed over at the next look."""

    def __init__(self, on_record: Callable[[bytes], object]) -> None:
        self.on_record, self.arrives, self.closed = on_record, [], False

    def consume(self) -> None:
        for record in self.arrives:
            self.on_record(record)
        self.arrives = []

    def close(self) -> None:
        self.closed = True


class Tables(Sensor):
    """A Sensor without a kernel; two CPUs."""

    def __init__(self) -> None:
        self._maps = {name: Table() for name in layout.TABLES}
        self._records: deque[bytes] = deque()
        self._changed: dict[bytes, None] = {}
        self._rings = {"records": Ring(self._records.append), "changes": Ring(self._changed.setdefault)}
        self._fds: list[int] = []
        self._epoch, self._changes_dropped = 0, 0
        self._totals = Totals(self._maps["totals"])
        self._taken = self._evicted = self._settled_ns = 0
        self.attached_ns, self.missing, self.secrets = None, None, (1, 2)

    def __getitem__(self, name: str) -> Table:
        return self._maps[name]

    def progress(self, *pairs: tuple[Flow, RawHandshake]) -> None:
        """Put handshakes into the table as the programs do."""
        for flow, raw in pairs:
            self["handshakes"].put(layout.FLOW.pack(*flow), layout.HANDSHAKE.pack(*raw))
        self.tally(tracked=self.tallies.get("tracked", 0) + len(pairs))

    tallies: dict[str, int] = {}

    def tally(self, **numbers: int) -> None:
        self.tallies = {**self.tallies, **numbers}
        for i, name in enumerate(layout.TALLIES):
            number = self.tallies.get(name, 0)
            both = (number // 2, number - number // 2)
            self["tallies"].put(i.to_bytes(4, sys.byteorder), b"".join(n.to_bytes(8, sys.byteorder) for n in both))


@pytest.fixture
def sensor() -> Tables:
    tables = Tables()
    tables.tally()
    return tables


def flow(port: int, **changed: int) -> Flow:
    return FLOW._replace(peer_port=port, **changed)


def new(sensor: Tables, now_ns: int = NOW, **given: Any) -> list[Handshake]:
    return list(sensor.new_handshakes(now_ns, now_ns, lambda _netns, _cookie: None, **given))


def test_what_got_no_answer_is_unanswered_once(sensor: Tables) -> None:
    sensor.progress((flow(1), at(990)), (flow(2), at(999)))
    assert [(h.peer[-2:], h.outcome, h.reason) for h in new(sensor)] == [(":1", "unanswered", None)]
    assert new(sensor, NOW + SECOND // 2) == []
    assert len(sensor["handshakes"].entries) == 1


def test_the_table_is_not_looked_through_too_often(sensor: Tables) -> None:
    assert new(sensor) == []
    sensor.progress((flow(1), at(990)))
    assert new(sensor, NOW + handshakes.SETTLE_NS - 1) == []
    assert len(new(sensor, NOW + handshakes.SETTLE_NS)) == 1


def test_unanswered_counts_in_the_totals(sensor: Tables) -> None:
    asked = at(990, OPEN._replace(cookie_len=0, netns=9))
    data = at(990, OPEN._replace(cookie_len=8, syn_data_bytes=5, netns=9))
    sensor.progress((flow(1), asked), (flow(2), data), (flow(3), data))
    sensor["totals"].put(
        layout.TOTAL_KEY.pack(1, 9, 1, ACCEPTED, 0, 0, 1, 0), b"".join(n.to_bytes(8, sys.byteorder) for n in (3, 4))
    )
    for _ in range(2):  # and not again
        reading = sensor.read(NOW, NOW)
        assert [(t.outcome, t.data, t.request, t.handshakes) for t in reading.totals] == [
            ("accepted", True, False, 7),
            ("unanswered", False, True, 1),
            ("unanswered", True, False, 2),
        ]


@pytest.mark.parametrize(
    ("role", "reason", "left"),
    [
        (1, "accept_queue_full", "accept_queue_full"),
        (1, "syn_queue_full", "syn_queue_full"),
        (1, "queue_full", None),
        (0, "accept_queue_full", None),
    ],
)
def test_of_the_reasons_only_full_queues_of_the_listener_explain_silence(
    role: int, reason: str, left: str | None
) -> None:
    sensor = Tables()
    sensor.tally()
    sensor.progress((flow(1, role=role), at(990, OPEN._replace(reason=REASONS.index(reason)))))
    assert [h.reason for h in new(sensor)] == [left]


def test_a_decided_handshake_without_a_first_byte_keeps_its_outcome_and_is_not_counted_again(sensor: Tables) -> None:
    sensor.progress((flow(1), at(990, DECIDED, synack=990, last_synack=990, ack=991)))
    assert [(h.outcome, h.first_byte_us) for h in new(sensor)] == [("accepted", None)]
    assert sensor.read(NOW, NOW).totals == ()


def test_whoever_takes_it_first_has_it(sensor: Tables) -> None:
    """The program may finish a handshake between our look at the table and our taking it out."""
    sensor.progress((flow(1), at(990)))
    sensor["handshakes"].before_take = sensor["handshakes"].entries.pop
    assert new(sensor) == []
    assert sensor.read(NOW, NOW).totals == ()


def test_what_was_decided_between_look_and_taking_has_that_outcome(sensor: Tables) -> None:
    sensor.progress((flow(1), at(990)))
    decided = layout.HANDSHAKE.pack(*at(990, DECIDED, synack=1000))
    sensor["handshakes"].before_take = lambda key: sensor["handshakes"].put(key, decided)
    assert [h.outcome for h in new(sensor)] == ["accepted"]
    assert sensor.read(NOW, NOW).totals == ()


def test_at_the_end_everything_with_an_outcome_is_told(sensor: Tables) -> None:
    sensor.progress((flow(1), at(999.9, DECIDED, synack=999.9)), (flow(2), at(999.9)), (flow(3), at(990)))
    assert [(h.peer[-2:], h.outcome) for h in new(sensor, everything=True)] == [
        (":1", "accepted"),
        (":3", "unanswered"),
    ]


def test_records_come_before_what_was_settled(sensor: Tables) -> None:
    sensor.progress((flow(1), at(990)))
    sensor._rings["records"].arrives = [layout.FLOW.pack(*flow(2)) + layout.HANDSHAKE.pack(*at(999, DECIDED))]
    assert [h.peer[-2:] for h in new(sensor)] == [":2", ":1"]


def test_what_is_taken_back_is_not_told(sensor: Tables) -> None:
    """A record without outcome takes back the one before of the same SYN, and no other."""
    declined = at(999, DECIDED)
    told = [(flow(1), declined), (flow(2), declined), (flow(2), at(999)), (flow(3), declined), (flow(4), at(999))]
    sensor._rings["records"].arrives = [layout.FLOW.pack(*f) + layout.HANDSHAKE.pack(*raw) for f, raw in told]
    assert [h.peer[-2:] for h in new(sensor)] == [":1", ":3"]


def test_wall_clock_is_monotonic_clock_and_an_offset(sensor: Tables) -> None:
    sensor._rings["records"].arrives = [layout.FLOW.pack(*flow(2)) + layout.HANDSHAKE.pack(*at(999, DECIDED))]
    (one,) = sensor.new_handshakes(NOW, NOW + 5, lambda _netns, _cookie: None)
    assert one.ts_ns == 999 * SECOND + 5


# Losses


def test_what_the_table_dropped_is_counted(sensor: Tables) -> None:
    sensor.progress(*((flow(port), at(999)) for port in range(5)))
    for key in list(sensor["handshakes"].entries)[:2]:
        del sensor["handshakes"].entries[key]
    reading = sensor.read(NOW, NOW)
    assert (reading.losses.handshakes_evicted, reading.in_progress) == (2, 3)


def test_what_ended_was_not_dropped(sensor: Tables) -> None:
    sensor.progress(*((flow(port), at(990)) for port in range(5)))
    for key in list(sensor["handshakes"].entries)[:2]:
        del sensor["handshakes"].entries[key]
    sensor.tally(finished=2)
    for _ in range(2):
        assert sensor.read(NOW, NOW).losses.handshakes_evicted == 0
    assert sensor["handshakes"].entries == {}


def test_a_loss_is_not_forgotten(sensor: Tables) -> None:
    sensor.tally(tracked=3)
    assert sensor.read(NOW, NOW).losses.handshakes_evicted == 3
    sensor.tally(finished=3)  # read in the middle of a change: never a smaller number
    assert sensor.read(NOW, NOW).losses.handshakes_evicted == 3


def test_tallies_are_summed_over_the_cpus(sensor: Tables) -> None:
    sensor.tally(records_limited=3, records_dropped=5, totals_full=7)
    assert sensor.losses() == Losses(records_limited=3, records_dropped=5, totals_full=7)


# Peers


def peer_key(port: int) -> bytes:
    return layout.PEER_KEY.pack(1, FLOW.peer, 9, port, 1)


def test_only_peers_that_changed_are_read(sensor: Tables) -> None:
    for port in range(3):
        sensor["peers"].put(peer_key(port), bytes(layout.PEER_SIZE))
    sensor._rings["changes"].arrives = [peer_key(2), peer_key(0), peer_key(2)]
    assert [p.port for p in sensor.read(NOW, NOW).peers] == [2, 0]
    assert sensor.read(NOW, NOW).peers == ()


def test_a_peer_evicted_meanwhile_is_silent(sensor: Tables) -> None:
    sensor._rings["changes"].arrives = [peer_key(1)]
    assert sensor.read(NOW, NOW).peers == ()


def test_when_changes_were_dropped_all_peers_are_read_once(sensor: Tables) -> None:
    for port in range(3):
        sensor["peers"].put(peer_key(port), bytes(layout.PEER_SIZE))
    sensor.tally(changes_dropped=1)
    assert len(sensor.read(NOW, NOW).peers) == 3
    assert sensor.read(NOW, NOW).peers == ()


def test_too_many_changes_wait_for_the_next_reading(sensor: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MOST_PEERS_READ", 2)
    for port in range(3):
        sensor["peers"].put(peer_key(port), bytes(layout.PEER_SIZE))
    sensor._rings["changes"].arrives = [peer_key(port) for port in range(3)]
    assert [p.port for p in sensor.read(NOW, NOW).peers] == [0, 1]
    assert sensor.losses().peers_unread == 1
    assert [p.port for p in sensor.read(NOW, NOW).peers] == [2]


def test_each_reading_begins_a_new_epoch(sensor: Tables) -> None:
    seen = []
    for _ in range(2):
        sensor.read(NOW, NOW)
        seen += [int.from_bytes(value, sys.byteorder) for value in sensor["epoch"].entries.values()]
    assert seen == [1, 2]


def test_the_first_reading_says_since_when(sensor: Tables) -> None:
    assert [sensor.read(NOW + i, NOW).attached_ns for i in range(2)] == [NOW, NOW]
    assert sensor.read(NOW, NOW).btf is True
    sensor.missing = "no BTF"
    assert sensor.read(NOW, NOW).btf is False


def test_closing_frees_the_rings(sensor: Tables) -> None:
    sensor.close()
    assert all(ring.closed for ring in sensor._rings.values())


# Starting


class Child:
    """A child that sends an answer, writes a complaint, and ends."""

    def __init__(self, answer: object = None, complaint: bytes = b"") -> None:
        self.answer, self.complaint = answer, complaint

    def __call__(self, _command: list[str], pass_fds: list[int], stderr: IO[bytes], **_given: object) -> "Child":
        if self.answer is not None:
            os.write(pass_fds[0], json.dumps(self.answer).encode())
        stderr.write(self.complaint)
        return self

    def wait(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("child", "problem"),
    [
        pytest.param(
            Child({"refused": "bcc is not installed", "remedy": "install it"}),
            Problem(source="sensor", text="bcc is not installed", remedy="install it"),
            id="refused",
        ),
        pytest.param(
            Child(complaint=b"Traceback\n  File x\nMemoryError: none\n"),
            Problem(source="sensor", text="MemoryError: none"),
            id="crashed",
        ),
        pytest.param(Child(), Problem(source="sensor", text="the compiler ended without a word"), id="killed"),
        pytest.param(
            Child({"refused": "line\n  two\t" + "x" * 300, "remedy": None}),
            Problem(source="sensor", text=("line two " + "x" * 300)[:200]),
            id="many lines",
        ),
    ],
)
def test_a_sensor_that_cannot_start_says_why(child: Child, problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes.subprocess, "Popen", child)
    with pytest.raises(SensorFailed) as failed:
        Starting(200).finish()
    assert failed.value.problem == problem
