"""One object a line; a field is never left out, and what is not known is null."""

import json

import msgspec
import pytest

from tests.scenarios.build import (
    NO_EBPF,
    OWN,
    START_WALL_NS,
    connection,
    counters,
    folded,
    handshake,
    latency,
    later,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tfotop.sample import Handshake, Losses, Metric, Process, Sample
from tfotop.views import json_lines

# DESIGN, 7, and two more
EVENT = [
    *("ts_ns", "role", "netns", "local", "peer", "pid", "comm", "outcome", "variant", "reason", "option"),
    *("cookie_len", "cookie_id", "new_cookie_len", "new_cookie_id", "syn_data_bytes", "syn_data_acked_bytes"),
    *("syn_retransmits", "handshake_rtt_us", "first_byte_us", "qlen", "max_qlen", "tcp_fastopen"),
]
STREAM = [
    *("ts_ns", "interval_s", "tier", "btf", "agrees", "rates", "totals", "namespaces", "peers", "peers_known"),
    *("peers_evicted", "in_progress", "losses", "problems", "cost"),
]


def stream(*samples: Sample) -> dict[str, object]:
    """As a reader of the line sees it."""
    return json.loads(json_lines.line(json_lines.stream(folded(*samples))))


def test_an_event_has_exactly_these_fields() -> None:
    line = json_lines.line(json_lines.event(handshake()))
    assert list(json.loads(line)) == EVENT


def test_every_field_of_an_event_is_a_field_of_the_record() -> None:
    assert set(EVENT) < set(Handshake.__struct_fields__)


def test_what_an_event_does_not_know_is_null() -> None:
    event = json.loads(json_lines.line(json_lines.event(handshake())))
    known = {name: value for name, value in event.items() if value is not None}
    assert known == {
        "ts_ns": START_WALL_NS,
        "role": "server",
        "netns": OWN,
        "local": "192.0.2.1:443",
        "peer": "[2001:db8::7]:51234",
        "outcome": "accepted",
        "syn_data_bytes": 0,
        "syn_retransmits": 0,
    }


def test_every_value_of_an_event_stands_under_its_name() -> None:
    fields = {f.name: f"<{f.name}>" for f in msgspec.structs.fields(Handshake)}
    assert json_lines.event(Handshake(**fields)) == {name: f"<{name}>" for name in EVENT}


@pytest.mark.parametrize("comm", ["\x1b[31m", 'a"b\\', "\n", "\u2028", "データ"])
def test_any_process_name_comes_through_on_one_line(comm: str) -> None:
    line = json_lines.line(json_lines.event(handshake(pid=1, comm=comm)))
    assert json.loads(line)["comm"] == comm
    assert not {"\x1b", "\n"} & set(line)


# Stream


def test_a_stream_object_has_exactly_these_fields() -> None:
    assert list(stream(sample(sensor=sensor()))) == STREAM
    assert list(stream(sample())) == STREAM


def test_without_the_sensor_what_only_it_knows_is_null() -> None:
    found = stream(sample(problems=(NO_EBPF,), cost=None))
    assert {name for name in STREAM if found[name] is None} == {
        *("interval_s", "btf", "agrees", "totals", "peers", "peers_known", "peers_evicted", "in_progress", "losses")
    }
    assert found["namespaces"][0]["totals"] is None
    assert found["cost"] == {"cpu_share": None, "rss_bytes": None}
    assert set(found["rates"].values()) == {None}
    assert found["problems"] == [
        {"source": "sensor", "text": "bcc is not installed", "remedy": "install python3-bpfcc"}
    ]


def test_what_could_not_be_read_of_a_namespace_is_null() -> None:
    bare = namespace(counters=None, sysctls=None, keys=None, listeners=None, metrics=None, connections=None)
    (found,) = stream(sample(namespaces=(bare,)))["namespaces"]
    assert found == {
        "netns": OWN,
        "name": None,
        "own": True,
        "processes": 90,
        "agrees": None,
        "totals": None,
        "checks": [],
        "counters": None,
        "interval": None,
        "sysctls": None,
        "keys": None,
        "listeners": None,
        "metrics": None,
        "connections": None,
    }


def test_without_btf_the_totals_of_a_namespace_are_null() -> None:
    row = total("accepted", 7, netns=None, netns_cookie=None)
    found = stream(sample(sensor=sensor(row, btf=False)))
    assert (found["btf"], found["agrees"], found["namespaces"][0]["totals"]) == (False, None, None)
    assert found["totals"][0]["handshakes"] == 7


def test_totals_stand_beside_the_counters_of_the_same_interval() -> None:
    before = sample(sensor=sensor(total("accepted", 1)), namespaces=(namespace(counters=counters(Passive=1)),))
    rows = (
        total("accepted", 3),
        total("accepted", 2, data=True),
        total("rejected", 4, "bad_cookie", data=True),
        total("plain", 6, netns=9, netns_cookie=9),
    )
    after = sample(2, sensor=sensor(*rows), namespaces=(namespace(counters=counters(Passive=5, PassiveFail=3)),))
    found = stream(before, after)
    own = found["namespaces"][0]
    assert found["totals"] == [
        {"role": "server", "outcome": "accepted", "reason": None, "variant": None, "handshakes": 5, "interval": 4},
        {
            "role": "server",
            "outcome": "rejected",
            "reason": "bad_cookie",
            "variant": None,
            "handshakes": 4,
            "interval": 4,
        },
        {"role": "server", "outcome": "plain", "reason": None, "variant": None, "handshakes": 6, "interval": 6},
    ]
    assert own["totals"] == found["totals"][:2]
    assert (own["interval"]["TCPFastOpenPassive"], own["counters"]["TCPFastOpenPassive"]) == (4, 5)
    assert {"counter": "TCPFastOpenPassive", "kernel": 4, "tfotop": 4, "agrees": True} in own["checks"]
    assert (own["agrees"], found["agrees"], found["interval_s"]) == (False, False, 2)


def test_a_peer() -> None:
    seen = peer(
        outcomes={"accepted": 3},
        backup_key=1,
        syn_retransmits=2,
        rtt_us=(20,),
        with_tfo=latency(30, 31),
        without_tfo=latency(50),
        process=Process(pid=1, comm="nginx"),
    )
    assert stream(sample(sensor=sensor(peers=(seen,))))["peers"] == [
        {
            "netns": OWN,
            "role": "server",
            "address": "10.2.4.17",
            "port": 443,
            "process": {"pid": 1, "comm": "nginx"},
            "outcomes": {"accepted": 3},
            "interval": {"accepted": 3},
            "last_outcome": "accepted",
            "last_reason": None,
            "backup_key": 1,
            "syn_retransmits": 2,
            "handshake_rtt_us": 20,
            "with_tfo": {"handshakes": 2, "median_us": 30.5},
            "without_tfo": {"handshakes": 1, "median_us": 50},
            "rtt_delta_us": 19.5,
            "rtt_delta_rtts": 0.975,
        }
    ]


def test_the_newest_peers_come_first_and_the_others_are_counted() -> None:
    many = tuple(peer(f"10.0.{i // 256}.{i % 256}") for i in range(json_lines.MOST_PEERS + 5))
    found = stream(sample(sensor=sensor(peers=many)))
    assert [p["address"] for p in found["peers"]] == [p.address for p in many[:4:-1]]
    assert (len(found["peers"]), found["peers_known"]) == (json_lines.MOST_PEERS, len(many))


def test_losses_are_always_there() -> None:
    found = stream(sample(sensor=sensor(losses=Losses(records_limited=3), in_progress=4)))
    assert found["losses"] == {
        "records_limited": 3,
        "records_dropped": 0,
        "handshakes_evicted": 0,
        "peers_unread": 0,
        "totals_full": 0,
    }
    assert (found["in_progress"], found["peers_evicted"]) == (4, 0)


def test_a_record_within_a_namespace_has_all_its_fields() -> None:
    place = namespace(metrics=(Metric(destination="10.0.0.1"),), connections=(connection(),))
    (found,) = stream(sample(namespaces=(place,)))["namespaces"]
    for name in ("listeners", "metrics", "connections"):
        (record,) = getattr(place, name)
        assert list(found[name][0]) == list(type(record).__struct_fields__)
    assert list(found["sysctls"]) == list(type(place.sysctls).__struct_fields__)
    assert found["keys"] == {"primary": "a41f", "backup": None}


def test_a_quiet_interval_is_0_and_not_null() -> None:
    one = sample(sensor=sensor(total("accepted", 1)), namespaces=(namespace(counters=counters(Passive=1)),))
    found = stream(one, later(one, 1))
    assert set(found["rates"].values()) == {0}
    assert found["totals"][0]["interval"] == 0
    assert found["agrees"] is True
