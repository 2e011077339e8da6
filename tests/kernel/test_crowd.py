"""Many handshakes: exact totals whatever is lost on the way to the screen, and each instance counts for itself."""

import time
from contextlib import ExitStack, closing

import pytest

from tfotop.sample import Total
from tfotop.sources.handshakes import Sensor, Starting

from .bed import Bed, Server, burst, bursting, exchange
from .bed.polling import PATIENCE, until
from .watching import Events, Sight, shows

pytestmark = pytest.mark.sensor

BURST = int(20_000 / PATIENCE)


def test_23_at_once(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server, 1024, backlog=1024)
    exchange(bed.client, bed.server.v4, server.port)
    sight.skip()
    assert burst(bed.client, bed.server.v4, server.port, 23, at_once=23) == 23
    for event in sight.next(bed.client, 23) + sight.next(bed.server, 23):
        shows(event, outcome="accepted", syn_data_bytes=7, syn_data_acked_bytes=7)
    sight.agrees()


def test_20000_in_a_burst(bed: Bed, sight: Sight) -> None:
    """`events` prints each of them, in both roles; the sensor that may write one record a second counts them all."""
    server = Server.start(bed.server, 1024, backlog=1024)
    exchange(bed.client, bed.server.v4, server.port)
    sight.skip()
    assert burst(bed.client, bed.server.v4, server.port, BURST, at_once=64) == BURST
    sight.agrees()
    for namespace in (bed.client, bed.server):
        totals = {(t.outcome, t.reason): t.handshakes for t in sight.totals(namespace)}
        assert totals["accepted", None] == BURST
        outcomes = {e["outcome"] for e in sight.next(namespace, BURST, timeout_s=30)}
        assert outcomes == {"accepted"}
    (peer,) = sight.peers(bed.server)
    assert peer.outcomes == {"accepted": BURST, "cookie_granted": 1}
    assert peer.with_tfo.count == BURST


def test_two_instances_count_alike(bed: Bed, sight: Sight) -> None:
    server = Server.start(bed.server)
    second, other = Starting(0).finish(), Events()
    try:
        for _ in range(3):
            exchange(bed.client, bed.server.v4, server.port)
        sight.agrees()
        mine = [
            (t.role, t.outcome, t.handshakes)
            for t in second.read(time.monotonic_ns(), time.time_ns()).totals
            if t.netns_cookie in (bed.client.net_cookie, bed.server.net_cookie)
        ]
        theirs = [(t.role, t.outcome, t.handshakes) for n in (bed.client, bed.server) for t in sight.totals(n)]
        assert sorted(mine) == sorted(theirs)
        seen = Sight(bed, other, second)
        seen._taken = 0
        assert [e["outcome"] for e in seen.next(bed.server, 3)] == ["cookie_granted", "accepted", "accepted"]
    finally:
        second.close()
        other.close()


def test_what_is_under_way_at_the_start_is_not_judged(bed: Bed) -> None:
    """Not even on a busy host: of each handshake that counts, every segment was seen."""

    def mine(sensor: Sensor) -> list[Total]:
        reading = sensor.read(time.monotonic_ns(), time.time_ns())
        return [t for t in reading.totals if t.netns_cookie in (bed.client.net_cookie, bed.server.net_cookie)]

    server = Server.start(bed.server, 1024, backlog=1024)
    exchange(bed.client, bed.server.v4, server.port)
    with ExitStack() as stack:
        with bursting(bed.client, bed.server.v4, server.port):
            sensors = [stack.enter_context(closing(Starting(0).finish())) for _ in range(2)]
            for sensor in sensors:  # it goes on until each has counted: the last one may have begun only now
                until(lambda sensor=sensor: {t.role for t in mine(sensor)} == {"client", "server"})
        time.sleep(2.5)  # what has no answer is given up after 2 s
        for sensor in sensors:
            assert {t.outcome for t in mine(sensor)} == {"accepted"}, mine(sensor)


def test_reuseport_siblings(bed: Bed, sight: Sight) -> None:
    one = Server.start(bed.server, 64, reuseport=True)
    Server.start(bed.server, 64, reuseport=True, port=one.port)
    exchange(bed.client, bed.server.v4, one.port)
    assert burst(bed.client, bed.server.v4, one.port, 40) == 40
    assert len(sight.next(bed.server, 41)) == 41
    sight.agrees()
