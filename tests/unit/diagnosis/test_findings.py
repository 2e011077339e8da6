"""Every finding from the recorded scenario that must lead to it, and none where nothing is wrong."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest
from msgspec.structs import replace

from tests.scenarios import doctor
from tests.scenarios.build import COUNTERS, counters, later, listener, namespace, sample, sensor, total
from tfotop.diagnosis.finding import IDS, SEVERITIES, Finding, rank
from tfotop.diagnosis.findings import findings, gaps, status
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Sample, Sysctls, Total
from tfotop.words import REASONS


def folded(*samples: Sample) -> Model:
    model = None
    for one in samples:
        model = fold(model, one)
    assert model is not None
    return model


def found(*samples: Sample) -> list[Finding]:
    return findings(folded(*samples))


class Row(NamedTuple):
    """What a scenario leads to; the cause and the fix (configuration, command or words) begin like that."""

    scenario: str
    id: str
    severity: str
    role: str | None
    tier: int
    cause: str
    fix: str | None


EXPECTED: Final = [
    Row(
        "totals_differ", "totals_differ", "unsure", None, 2,
        "totals and kernel differ: TCPFastOpenPassive +5, tfotop +3",
        None,
    ),
    Row(
        "server_bit_off", "server_bit_off", "broken", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        "sysctl -w net.ipv4.tcp_fastopen=1027",
    ),
    Row(
        "server_bit_off_in_web", "server_bit_off", "broken", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=2",
    ),
    Row(
        "server_bit_off_asked", "server_bit_off", "broken", "server", 1,
        "cookies are asked for, but the server bit",
        "sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "server_bit_off_unasked", "server_bit_off", "broken", "server", 1,
        "nginx[812] listens on port 443 with a Fast Open",
        "sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "server_bit_was_off", "server_bit_off", "past", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        None,
    ),
    Row(
        "namespace_default", "namespace_default", "broken", "server", 2,
        "4 handshakes (1/s): the server bit 0x2 of",
        "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "namespace_default_unasked", "namespace_default", "advice", "server", 1,
        "net.ipv4.tcp_fastopen is the default 1 in",
        "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "client_bit_off", "client_bit_off", "broken", "client", 0,
        "the client bit 0x1 of net.ipv4.tcp_fastopen is off",
        "sysctl -w net.ipv4.tcp_fastopen=3",
    ),
    Row(
        "client_bit_off_unasked", "client_bit_off", "advice", "client", 2,
        "the client bit 0x1 of",
        "sysctl -w net.ipv4.tcp",
    ),
    Row(
        "no_queue", "no_queue", "broken", "server", 2,
        "4 handshakes (1/s): the listener has no Fast Open queue (nginx[812],",
        "nginx.conf, in the server block: listen [::]:443 fastopen=256;",
    ),
    Row(
        "no_queue_asked", "no_queue", "broken", "server", 1,
        "cookies are asked for, but no listener has a Fast Open queue",
        "in the program, before listen(): setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN",
    ),
    Row(
        "no_queue_which", "no_queue", "broken", "server", 1,
        "cookies are asked for, but no listener",
        "nginx.conf",
    ),
    Row(
        "listened_before_0x400", "listened_before_0x400", "broken", "server", 1,
        "a listener has no Fast Open queue, although",
        "systemctl restart nginx",
    ),
    Row(
        'no_key', 'no_key', 'broken', 'server', 2,
        '4 handshakes (1/s): there is no Fast Open key',
        'sh -c "od -An -tx4 -N16',
    ),
    Row(
        'no_key_unasked', 'no_key', 'broken', 'server', 1,
        'there is no Fast Open key',
        'sh -c "od -An -tx4 -N16',
    ),
    Row(
        "accept_queue_full", "accept_queue_full", "broken", "server", 2,
        "4 handshakes (1/s): the accept queue of port 443",
        "a faster accept()",
    ),
    Row(
        "accept_queue_full_counted", "accept_queue_full", "broken", "server", 0,
        "the accept queue of port 443 is full",
        "a faster accept()",
    ),
    Row(
        "syn_queue_full", "syn_queue_full", "broken", "server", 2,
        "4 handshakes (1/s): half-open connections fill the SYN queue of a listener",
        "sysctl -w net.ipv4.tcp_syncookies=1",
    ),
    Row(
        "syn_queue_full_counted", "syn_queue_full", "broken", "server", 0,
        "half-open connections fill the SYN queue of a listener",
        "sysctl -w net.ipv4.tcp_syncookies=1",
    ),
    Row(
        "syn_flood", "syn_flood", "degraded", "server", 2,
        "810 handshakes (270/s): no ACK follows the SYN to port 443: a SYN flood",
        "stop it upstream",
    ),
    Row(
        "queue_full", "queue_full", "degraded", "server", 2,
        "4 handshakes (1/s): the Fast Open queue is full (max_qlen 16)",
        "nginx.conf, in the server block: listen [::]:443 fastopen=256;",
    ),
    Row(
        "queue_full_counted", "queue_full", "degraded", "server", 1,
        "the Fast Open queue is full (max_qlen 16)",
        "nginx.conf",
    ),
    Row(
        "queue_capped", "queue_capped", "degraded", "server", 1,
        "the Fast Open queue is full (max_qlen 16, capped at",
        "sysctl -w net.core.somaxconn=4096",
    ),
    Row(
        "queue_small", "queue_small", "degraded", "server", 2,
        "the Fast Open queue of port 443 (16) is too small for the rate: peaks need abo",
        "nginx.conf",
    ),
    Row(
        "keys_differ_siblings", "keys_differ_siblings", "degraded", "server", 1,
        "2 sockets share port 443 (SO_REUSEPORT), but have 2 different keys",
        "in the program: give each of the sockets the same key",
    ),
    Row(
        "keys_differ_namespaces", "keys_differ_namespaces", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: network namespace web serves the same clients",
        "ip netns exec web cat /proc/sys/net/ipv4/tcp_fastopen_key | tee ",
    ),
    Row(
        "keys_differ_servers", "keys_differ_servers", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: rejected right after a grant",
        "do all servers behind this address share one key?",
    ),
    Row(
        "keys_differ_servers_proved", "keys_differ_servers", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: rejected right after a grant",
        "do all servers behind this address share one key?",
    ),
    Row(
        "key_rotated", "key_rotated", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: the key was rotated",
        "write NEWKEY,OLDKEY",
    ),
    Row(
        "key_rotated_by_peers", "key_rotated", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: the key was rotated",
        "write NEWKEY,OLDKEY",
    ),
    Row(
        "client_address_changes", "client_address_changes", "degraded", "server", 2,
        "6 handshakes (2/s): bad cookie: clients in 198.51.100.0/24 come from changing",
        "nothing on this server",
    ),
    Row(
        "bad_cookie", "bad_cookie", "degraded", "server", 2,
        "1 handshake (<1/s): bad cookie: made with another key",
        "do all",
    ),
    Row(
        "without_btf", "bad_cookie", "degraded", "server", 2,
        "4 handshakes (1/s): bad cookie: made with another key",
        "do all",
    ),
    Row(
        "failed_child", "failed_child", "degraded", "server", 2,
        "4 handshakes (1/s): the cookie was valid, but no socket",
        "look for memory pressure",
    ),
    Row(
        "rejected_unknown", "rejected_unknown", "degraded", "server", 0,
        "cookies are rejected: another key, a changed",
        "eBPF tells which",
    ),
    Row(
        'syn_cookies', 'syn_cookies', 'degraded', 'server', 2,
        "4 handshakes (1/s): SYN cookies are in force: a listener's",
        'a larger backlog',
    ),
    Row(
        "syn_cookies_always", "syn_cookies", "broken", "server", 0,
        "SYN cookies are in force by setting",
        "sysctl -w net.ipv4.tcp_syncookies=1",
    ),
    Row(
        'syn_cookies_counted', 'syn_cookies', 'degraded', 'server', 0,
        "SYN cookies are in force: a listener's",
        'a larger',
    ),
    Row(
        "blackhole", "blackhole", "broken", "client", 2,
        "7 handshakes (2/s): blackhole protection has disabled Fast Open here for at mo",
        "sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=600",
    ),
    Row(
        "blackhole_counted", "blackhole", "broken", "client", 0,
        "blackhole protection has disabled Fast Open here for at most 1200 s more",
        "sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=600",
    ),
    Row(
        "syn_dropped", "syn_dropped", "degraded", "client", 2,
        "2 handshakes (<1/s): SYNs with the option are dropped on the way to 192.0.2.76",
        "look for a middlebox",
    ),
    Row(
        "syn_dropped_everywhere", "syn_dropped", "degraded", "client", 2,
        "2 handshakes (<1/s): SYNs with the option are dropped on the way to peers in m",
        "look for a middlebox",
    ),
    Row(
        "syn_drops_cached", "syn_drops_cached", "degraded", "client", 0,
        "the last SYN with data to 1 destination (192.0.2.77)",
        "ip tcp_metrics delete 192.0.2.77",
    ),
    Row(
        "data_not_acked", "data_not_acked", "degraded", "client", 2,
        "4 handshakes (1/s): the server does not take the SYN data",
        "run tfotop on the server",
    ),
    Row(
        "many_keys_of_a_server", "keys_differ_servers", "degraded", "client", 2,
        "4 handshakes (1/s): 192.0.2.77:443 gives a new cookie and rejects it again",
        "the servers behind this address need one key",
    ),
    Row(
        "none_granted", "none_granted", "degraded", "client", 2,
        "4 handshakes (1/s): the server grants no cookie",
        "run tfotop on",
    ),
    Row(
        'client_failed_unknown', 'client_failed_unknown', 'degraded', 'client', 0,
        "Fast Open of this host's own connections fails: the server does not take",
        'run `tfotop doctor` on the server',
    ),
    Row(
        'client_failed_lost', 'client_failed_unknown', 'degraded', 'client', 0,
        "Fast Open of this host's own connections fails: the SYN with data is dropped",
        'run `tfotop doctor` on the server',
    ),
    Row(
        "cookies_never_used", "cookies_never_used", "degraded", "server", 2,
        "a peer asks for a cookie at every visit and never",
        "run `tfotop doctor` on such a client",
    ),
    Row(
        "cookies_used_no_more", "cookies_never_used", "advice", "server", 2,
        "a peer got a cookie and came without it since",
        "run `tfotop doctor` on such a client",
    ),
    Row(
        "cookies_never_used_counted", "cookies_never_used", "degraded", "server", 0,
        "cookies are asked for, but no SYN ever",
        "run `tfotop doctor` on such a client",
    ),
    Row(
        "backup_key", "backup_key", "advice", "server", 2,
        "a key rotation is under way: 12 handshakes of 400 accepted (3 %)",
        None,
    ),
    Row(
        'backup_key_spent', 'backup_key', 'advice', 'server', 2,
        'a key rotation is under way: nobody used the backup',
        "sh -c 'key=$(cut -d, -f1 /proc/sys/net/ipv4/tcp_fastopen_key)",
    ),
    Row(
        "proxy_leg", "proxy_leg", "advice", "client", 2,
        "haproxy takes Fast Open from its clients, but connects onward without",
        "haproxy.cfg, in the backend: server NAME ADDRESS:PORT tfo",
    ),
    Row(
        "cookie_unused", "cookie_unused", "advice", "client", 2,
        "8 connections of curl went without Fast Open although",
        "curl --tcp-fastopen",
    ),
]  # fmt: skip
QUIET: Final = [
    "healthy",
    "busy_without_fast_open",
    "busy_without_fast_open_or_ebpf",
    "always_asking_programs",
    "loopback_only",
]


@pytest.mark.parametrize("row", EXPECTED, ids=[row.scenario for row in EXPECTED])
def test_the_scenario_leads_to_the_finding(row: Row) -> None:
    model = folded(*doctor.load(row.scenario))
    (finding,) = findings(model)
    assert (finding.id, finding.severity, finding.role, finding.tier) == (row.id, row.severity, row.role, row.tier)
    assert finding.cause[: len(row.cause)] == row.cause
    assert (finding.fix and finding.fix.short[: len(row.fix or "")]) == row.fix
    assert finding.evidence
    assert all(piece.what and piece.value and piece.source for piece in finding.evidence)
    assert finding.unknown or finding.verify
    healthy = 2 if gaps(model) else 0
    assert status([finding], gaps(model)) == {"broken": 1, "degraded": 1, "unsure": 2}.get(row.severity, healthy)


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_wrong(name: str) -> None:
    model = folded(*doctor.load(name))
    assert findings(model) == []
    assert status([], gaps(model)) == 0


@pytest.mark.parametrize("name", list(doctor.CASES))
def test_the_file_is_what_the_script_makes(name: str) -> None:
    assert doctor.load(name) == doctor.CASES[name], "run: python -m tests.scenarios.doctor"


def test_every_scenario_is_expected_and_every_finding_has_one() -> None:
    assert {path.stem for path in doctor.HERE.glob("*.jsonl")} == set(doctor.CASES)
    assert {row.scenario for row in EXPECTED} | set(QUIET) == set(doctor.CASES)
    assert {row.id for row in EXPECTED} == set(IDS)
    assert {row.severity for row in EXPECTED} == set(SEVERITIES)


def test_every_reason_is_a_finding_or_is_known_not_to_be_one() -> None:
    no_fault = {"no_data_no_cookie", "no_cookie_cached", "icmp_unreachable", "reset"}
    assert set(REASONS) - {None} - set(IDS) == no_fault


def change(name: str, **of: Any) -> list[Finding]:
    """The findings of a scenario whose namespace is otherwise at the end."""
    first, last = doctor.load(name)
    return found(first, replace(last, namespaces=(replace(last.namespaces[0], **of), *last.namespaces[1:])))


@pytest.mark.parametrize(
    ("seconds", "opened", "row", "flood"),
    [
        pytest.param(3, 100, total("plain", 900), True, id="most of them"),
        pytest.param(3, 500, total("plain", 900), False, id="fewer than half"),
        pytest.param(9, 100, total("plain", 900), False, id="few in a second"),
        pytest.param(3, 100, total("unanswered", 900, "accept_queue_full"), False, id="the application is too slow"),
        pytest.param(3, 100, total("plain", 900, role="client"), False, id="our own"),
    ],
)
def test_what_is_a_flood(seconds: int, opened: int, row: Total, flood: bool) -> None:
    places = [namespace(counters=counters(PassiveOpens=number)) for number in (0, opened)]
    first = sample(sensor=sensor(), namespaces=places[:1])
    last = sample(seconds, sensor=sensor(row), namespaces=places[1:])
    assert ("syn_flood" in [finding.id for finding in found(first, last)]) is flood


# What mends it


@pytest.mark.parametrize("mode", [0, 1, 0x401, 0x605])
def test_the_other_bits_are_kept(mode: int) -> None:
    (finding,) = change("server_bit_off", sysctls=doctor.sysctls(mode))
    assert finding.fix is not None
    assert finding.fix.command == f"sysctl -w net.ipv4.tcp_fastopen={mode | 2}"
    assert finding.fix.undo == f"sysctl -w net.ipv4.tcp_fastopen={mode}"
    assert finding.fix.lasting is not None
    assert finding.fix.lasting.startswith(f"/etc/sysctl.d/90-tcp-fastopen.conf: net.ipv4.tcp_fastopen = {mode | 2}")


@pytest.mark.parametrize(
    ("name", "pid", "prefix"),
    [
        ("web", 321, "ip netns exec web "),
        (None, 321, "nsenter -t 321 -n "),
        ("-x; rm", 321, "nsenter -t 321 -n "),
        ("a b$(id)", None, "nsenter --net='/run/netns/a b$(id)' "),
        ("it's", None, """nsenter --net='/run/netns/it'"'"'s' """),
        (None, None, None),
    ],
)
def test_the_command_runs_in_the_namespace(name: str | None, pid: int | None, prefix: str | None) -> None:
    first, last = doctor.load("server_bit_off_in_web")
    mine, web = last.namespaces
    (finding,) = found(first, replace(last, namespaces=(mine, replace(web, name=name, pid=pid))))
    assert finding.fix is not None
    assert finding.fix.command == (prefix and f"{prefix}sysctl -w net.ipv4.tcp_fastopen=2")
    assert prefix or finding.fix.text


def test_a_backend_that_cannot() -> None:
    first, last = doctor.load("proxy_leg")
    assert last.sensor is not None
    nginx = tuple(replace(p, process=doctor.NGINX) for p in last.sensor.peers)
    (finding,) = found(first, replace(last, sensor=replace(last.sensor, peers=nginx)))
    assert finding.fix is not None
    assert finding.fix.config == "nginx cannot connect with Fast Open"


def test_two_listeners_of_one_port_both_get_a_queue() -> None:
    both = (listener(max_qlen=0), listener(address="0.0.0.0", cookie=78, max_qlen=0))
    (finding,) = change("no_queue", listeners=both)
    assert finding.fix is not None
    assert [queue.cookie for queue in finding.fix.queues] == [77, 78]
    assert finding.port == 443


def test_which_of_several_listeners_is_a_candidate() -> None:
    (finding,) = found(*doctor.load("no_queue_which"))
    assert finding.candidates == ("port 443 of nginx[812]", "port 80 of nginx[812]")
    assert "eBPF" in (finding.check or "")
    assert finding.fix is not None
    assert finding.fix.queues == ()


# Candidates, and what separates them


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("bad_cookie", {"key_rotated", "keys_differ_servers", "client_address_changes"}),
        ("rejected_unknown", {"key_rotated", "keys_differ_servers", "client_address_changes", "failed_child"}),
        ("client_failed_unknown", {"server_bit_off", "no_queue", "bad_cookie", "failed_child", "queue_full",
                                   "syn_cookies", "syn_dropped"}),
        ("client_failed_lost", {"syn_dropped"}),
        ("none_granted", {"server_bit_off", "no_queue", "syn_cookies", "no_key", "a middlebox strips the option"}),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_listed_with_the_check(name: str, candidates: set[str]) -> None:
    (finding,) = found(*doctor.load(name))
    assert set(finding.candidates) == candidates
    assert finding.check
    assert {c for c in candidates if " " not in c} <= set(IDS)


@pytest.mark.parametrize(
    "of",
    [
        pytest.param({"listeners": (doctor.MUTE, listener())}, id="one takes them"),
        pytest.param({"listeners": (doctor.MUTE, listener(max_qlen=None))}, id="one is not known"),
        pytest.param({"listeners": None}, id="none is known"),
        pytest.param({"listeners": None, "sysctls": None}, id="nothing is known"),
        pytest.param({"sysctls": Sysctls()}, id="the mode is not known"),
    ],
)
def test_what_is_not_known_is_no_finding(of: dict[str, object]) -> None:
    assert change("no_queue_asked", **of) == []


# Now and before


def test_what_happened_before_tfotop_is_no_finding() -> None:
    old = sample(namespaces=(namespace(counters=dict.fromkeys(COUNTERS, 1000), listeners=(doctor.MUTE,)),))
    assert found(old) == []
    assert found(old, later(old, 1)) == []


@pytest.mark.parametrize(
    ("handshakes", "seconds", "words"),
    [
        (1, 2, "1 handshake (<1/s): "),
        (2, 2, "2 handshakes (1/s): "),
        (9, 2, "9 handshakes (4/s): "),
        (9, 0, "9 handshakes: "),
    ],
)
def test_the_rate(handshakes: int, seconds: int, words: str) -> None:
    bare = (namespace(counters=None),)
    ends = sample(seconds, sensor=sensor(total("rejected", handshakes, "bad_cookie")), namespaces=bare)
    model = folded(*([sample(sensor=sensor(), namespaces=bare)] if seconds else []), ends)
    assert findings(model)[0].cause.startswith(words)


def test_variants_add_up_but_not_namespaces() -> None:
    rows = total("rejected", 1, "bad_cookie"), total("rejected", 2, "bad_cookie", data=True)
    elsewhere = total("rejected", 3, "bad_cookie", netns=doctor.WEB, netns_cookie=9)
    causes = [(f.netns, f.count) for f in found(*doctor.watched(*rows, elsewhere, others=(doctor.web(),)))]
    assert causes == [(doctor.OWN, 3), (doctor.WEB, 3)]


def test_a_namespace_that_is_gone_cannot_be_mended() -> None:
    gone = total("rejected", 3, "bad_cookie", netns=7, netns_cookie=7)
    first, last = doctor.watched(gone)
    assert [f.netns for f in found(first, last)] == [7]
    assert found(first, last, later(last, 1)) == []


def test_the_worst_comes_first_and_what_has_ended_last() -> None:
    rows = total("rejected", 900, "failed_child"), total("cookie_refused", 1, "server_bit_off")
    first, last = doctor.watched(*rows, sysctls=doctor.sysctls(1))
    assert [f.id for f in found(first, last)] == ["server_bit_off", "failed_child"]
    ended = replace(later(last, 1), namespaces=(namespace(counters=None),))
    assert [(f.id, f.severity, f.now) for f in found(first, last, ended)] == [
        ("failed_child", "degraded", False),
        ("server_bit_off", "past", False),
    ]


def test_the_ranks_are_a_total_order() -> None:
    found_all = [findings(folded(*case))[0] for name, case in doctor.CASES.items() if name not in QUIET]
    ranked = sorted(found_all, key=rank)
    assert [SEVERITIES.index(f.severity) for f in ranked] == sorted(SEVERITIES.index(f.severity) for f in found_all)


def test_with_the_sensor_the_counters_alone_accuse_nobody() -> None:
    after = sample(
        1,
        sensor=sensor(total("rejected", 1, "failed_child")),
        namespaces=(namespace(counters=counters(PassiveFail=1)),),
    )
    assert [f.id for f in found(sample(sensor=sensor()), after)] == ["failed_child"]


# Bad cookies


def test_siblings_explain_bad_cookies() -> None:
    two = (listener(own_key="beef"), listener(cookie=78, own_key="cafe"))
    assert [f.id for f in change("keys_differ_servers", listeners=two)] == ["keys_differ_siblings"]


def test_two_families_of_one_port_may_have_two_keys() -> None:
    two = (listener(own_key="beef"), listener(address="0.0.0.0", cookie=78, own_key="cafe"))
    assert change("keys_differ_siblings", listeners=two) == []


@pytest.mark.parametrize(("backup", "wanted"), [(None, "key_rotated"), ("a41f", "bad_cookie")])
def test_a_rotation_that_keeps_the_old_key_rejects_nobody_for_it(backup: str | None, wanted: str) -> None:
    (finding,) = change("key_rotated", keys=doctor.Keys(primary="77aa", backup=backup))
    assert finding.id == wanted


# What is ordinary on a healthy host


@pytest.mark.parametrize(
    ("accepted", "severity"), [(0, "degraded"), (199, "degraded"), (201, "advice"), (9000, "advice")]
)
def test_few_bad_cookies_among_many_good_ones_are_clients_that_move(accepted: int, severity: str) -> None:
    rows = total("rejected", 4, "bad_cookie"), *([total("accepted", accepted)] if accepted else [])
    (finding,) = found(*doctor.watched(*rows))
    assert (finding.id, finding.severity) == ("bad_cookie", severity)


@pytest.mark.parametrize(("accepted", "severity"), [(0, "degraded"), (17, "degraded"), (18, "advice")])
def test_few_lost_syns_among_many_accepted_are_packet_loss(accepted: int, severity: str) -> None:
    peers = (doctor.destination("192.0.2.77", lost=2, **({"accepted": accepted} if accepted else {})),)
    (finding,) = found(*doctor.watched(doctor.LOST, peers=peers))
    assert (finding.id, finding.severity) == ("syn_dropped", severity)


@pytest.mark.parametrize(("drops", "severity"), [(1, "advice"), (2, "degraded")])
def test_one_drop_that_is_remembered_may_be_packet_loss(drops: int, severity: str) -> None:
    (finding,) = change("syn_drops_cached", metrics=(replace(doctor.DROPS, fo_syn_drops=drops),))
    assert (finding.id, finding.severity) == ("syn_drops_cached", severity)


# What is missing


@pytest.mark.parametrize(
    ("edit", "gap"),
    [
        (lambda s: replace(s, namespaces=()), "no network namespace"),
        (lambda s: replace(s, namespaces=(namespace(sysctls=None),)), "net.ipv4.tcp_fastopen could not"),
        (lambda s: replace(s, namespaces=(namespace(counters=None),)), "the kernel's counters could not"),
        (lambda s: replace(s, namespaces=(namespace(listeners=None),)), "the listening sockets could not"),
        (lambda s: replace(s, tier=0), "not root"),
    ],
)
def test_what_is_missing_is_said_and_nothing_can_be_told(edit: Callable[[Sample], Sample], gap: str) -> None:
    model = folded(edit(sample()))
    (text,) = gaps(model)
    assert text.startswith(gap)
    assert status(findings(model), [text]) == 2
