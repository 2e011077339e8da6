"""The scenarios of ``tfotop doctor``, two samples each, 3 s apart. ``python -m tests.scenarios.doctor`` makes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from tests.scenarios.build import (
    COUNTERS,
    NGINX,
    NO_EBPF,
    OWN,
    SECOND,
    START_WALL_NS,
    connection,
    counters,
    handshake,
    listener,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tests.scenarios.make import HEADER
from tfotop import recording
from tfotop.sample import Handshake, Keys, Metric, Micros, Namespace, Peer, Process, Sample, Sysctls, Total

HERE: Final = Path(__file__).parent / "doctor"
WINDOW_S: Final = 3
WEB: Final = OWN + 9
CURL: Final = Process(pid=4711, comm="curl")
HAPROXY: Final = Process(pid=900, comm="haproxy")
PYTHON: Final = Process(pid=55, comm="python3")
MUTE: Final = listener(max_qlen=0)

Case = tuple[Sample, Sample]


def sysctls(tcp_fastopen: int = 3, **given: Any) -> Sysctls:
    fields = {"blackhole_timeout_s": 0, "tcp_syncookies": 1, "somaxconn": 4096}
    return Sysctls(tcp_fastopen=tcp_fastopen, **{**fields, **given})


def watched(*totals: Total, peers: tuple[Peer, ...] = (), handshakes: tuple[Handshake, ...] = (), **of: Any) -> Case:
    """With eBPF: nothing before, then these. The kernel's counters are left out, for they would have to agree."""
    others = of.pop("others", ())
    places = (namespace(**{"counters": None, **of}), *others)
    end = sensor(*totals, peers=peers, handshakes=handshakes)
    return sample(sensor=sensor(), namespaces=places), sample(WINDOW_S, sensor=end, namespaces=places)


def counted(before: dict[str, Any] | None = None, **of: Any) -> Case:
    """Without eBPF: what the namespace is made of at the end; its counters begin at 0."""
    start = namespace(**{**of, "counters": counters(), **(before or {})})
    ends = sample(WINDOW_S, namespaces=(namespace(**of),), problems=(NO_EBPF,))
    return sample(namespaces=(start,), problems=(NO_EBPF,)), ends


def flooded() -> Case:
    """900 SYNs, of which 90 became a connection."""
    start, end = ({"PassiveOpens": n, "ListenDrops": n, "SyncookiesSent": n} for n in (0, 90))
    alone = tuple(at(i / 10, f"198.51.100.{i}", outcome="plain") for i in range(20))
    before = sample(sensor=sensor(), namespaces=(namespace(counters=counters(**start)),))
    after = sensor(total("plain", 800), total("unanswered", 90), total("accepted", 10, data=True), handshakes=alone)
    there = namespace(counters=counters(**end, Passive=10), listeners=(listener(), listener(port=80)))
    return before, sample(WINDOW_S, sensor=after, namespaces=(there,))


def web(**given: Any) -> Namespace:
    """A namespace with a name, not ours."""
    fields = {"inum": WEB, "cookie": 9, "own": False, "name": "web", "pid": 321, "counters": None}
    return namespace(**{**fields, **given})


def elsewhere(*totals: Total, **of: Any) -> Case:
    """With eBPF, in the namespace `web`."""
    return watched(*totals, others=(web(**of),))


def in_web(row: Total) -> Total:
    return replace(row, netns=WEB, netns_cookie=9)


def visitor(address: str, **outcomes: int) -> Peer:
    """A peer of the server whose last handshake is the last of these."""
    last = list(outcomes)[-1]
    reason = {"rejected": "bad_cookie"}.get(last)
    return peer(
        address, outcomes=outcomes, last_outcome=last, last_reason=reason, rtt_us=Micros((22_000,)), process=NGINX
    )


def destination(address: str, process: Process = CURL, reason: str | None = None, **outcomes: int) -> Peer:
    """A server that this host connects to."""
    last = list(outcomes)[-1]
    fields: dict[str, Any] = {"outcomes": outcomes, "last_outcome": last, "last_reason": reason, "process": process}
    return peer(address, role="client", rtt_us=Micros((31_000,)), **fields)


def at(seconds: float, address: str, **given: Any) -> Handshake:
    """A handshake of the server with this peer, so many seconds after the first sample."""
    return handshake(ts_ns=START_WALL_NS + int(seconds * SECOND), peer=f"{address}:40000", **given)


def to(address: str, **given: Any) -> Handshake:
    """A handshake of a client here."""
    return handshake(role="client", local="192.0.2.1:50000", peer=f"{address}:443", **given)


BAD: Final = total("rejected", 6, "bad_cookie", data=True)
HOPPING: Final = tuple(
    at(i / 2, "10.2.4.17", outcome="rejected", reason="bad_cookie", cookie_len=8, cookie_id="aaaa", new_cookie_len=8,
       new_cookie_id="bbbb")
    for i in range(1, 5)
)  # fmt: skip
ROAMING: Final = tuple(
    at(i / 10, f"198.51.100.{i}", outcome="rejected", reason="bad_cookie", cookie_len=8, cookie_id=f"{i:04x}",
       new_cookie_len=8, new_cookie_id=f"{i + 1:04x}")
    for i in range(1, 6)
)  # fmt: skip
LOST: Final = total("lost", 2, "syn_dropped", role="client", data=True)
DARK: Final = total("plain", 7, "blackhole", role="client")


def key_changed() -> Case:
    """The key is another one at the end, and there is no backup."""
    first, last = watched(BAD, peers=(visitor("203.0.113.9", accepted=2, rejected=1),))
    return first, replace(last, namespaces=(namespace(counters=None, keys=Keys(primary="77aa")),))


def two_namespaces() -> Case:
    """What `web` gave the peer is brought here."""
    given = handshake(
        netns=WEB, peer="10.2.4.17:39999", outcome="cookie_granted", new_cookie_len=8, new_cookie_id="aaaa"
    )
    brought = at(1, "10.2.4.17", outcome="rejected", reason="bad_cookie", cookie_len=8, cookie_id="aaaa")
    web_key = web(keys=Keys(primary="beef"))
    return watched(BAD, handshakes=(given, brought), peers=(visitor("10.2.4.17", rejected=6),), others=(web_key,))


def small_queue() -> Case:
    """1,200 a second, each waiting 22 ms: about 26 at a time, in a queue of 16."""
    busy = peer("203.0.113.9", outcomes={"accepted": 3600}, rtt_us=Micros((22_000,)))
    return watched(total("accepted", 3600, data=True), peers=(busy,))


def differing() -> Case:
    """The kernel counted 5, tfotop 3."""
    rows = total("accepted", 3)
    first = sample(sensor=sensor(), namespaces=(namespace(),))
    return first, sample(WINDOW_S, sensor=sensor(rows), namespaces=(namespace(counters=counters(Passive=5)),))


def spent_backup() -> Case:
    """A backup key that nobody uses any more."""
    keys = Keys(primary="a41f", backup="77aa")
    old = counters(PassiveAltKey=40, Passive=900)
    place = namespace(keys=keys, counters=old)
    return sample(sensor=sensor(), namespaces=(place,)), sample(WINDOW_S, sensor=sensor(), namespaces=(place,))


def roaming_peers() -> tuple[Peer, ...]:
    return tuple(visitor(f"198.51.100.{i}", rejected=1) for i in range(1, 6))


def rotated_peers() -> tuple[Peer, ...]:
    return tuple(visitor(f"203.{i}.113.9", rejected=1, accepted=4) for i in range(4))


def healthy() -> Case:
    """All that a healthy server and client do."""
    rows = (
        total("plain", 50),
        total("cookie_granted", 10, request=True),
        total("accepted", 400, data=True),
        total("unanswered", 4),
        total("reset", 2, "reset", role="client"),
        total("cookie_granted", 2, "no_cookie_cached", role="client", request=True),
        total("accepted", 8, role="client", data=True),
        total("plain", 5, role="client"),
        total("rejected", 1, "no_data_no_cookie", data=True),
    )
    peers = (
        visitor("203.0.113.9", cookie_granted=1, accepted=400),
        visitor("198.51.100.20", plain=50),
        destination("2001:db8::7", accepted=8),
        destination("192.0.2.77", plain=5),
    )
    kernel = counters(Passive=400, CookieReqd=10, Active=8)
    place = namespace(counters=kernel, listeners=(listener(max_qlen=256), listener(port=22, max_qlen=0, cookie=78)))
    start = sample(sensor=sensor(), namespaces=(replace(place, counters=counters()),))
    return start, sample(WINDOW_S, sensor=sensor(*rows, peers=peers), namespaces=(place,))


def busy(attached: bool) -> Case:
    """Much traffic, SYN cookies and overflows among it, and nobody that knows of Fast Open."""
    kernel = COUNTERS | {"SyncookiesSent": 9, "ListenOverflows": 5, "TCPSynRetrans": 70, "TCPTimeouts": 90}
    place = namespace(counters=kernel, sysctls=sysctls(1), listeners=(MUTE,), keys=Keys())
    start = replace(place, counters=counters())
    rows = (total("plain", 90_000), total("plain", 20_000, role="client"), total("unanswered", 300))
    peers = (visitor("203.0.113.9", plain=80_000), visitor("203.0.113.10", plain=10_000))
    ends = sensor(*rows, peers=peers) if attached else None
    return (
        sample(sensor=sensor() if attached else None, namespaces=(start,)),
        sample(WINDOW_S, sensor=ends, namespaces=(place,)),
    )


def without_btf() -> Case:
    """eBPF that cannot tell namespaces apart."""
    first, last = watched(total("rejected", 4, "bad_cookie", netns=None, netns_cookie=None))
    return replace(first, sensor=sensor(btf=False)), replace(last, sensor=replace(last.sensor, btf=False))


RESOLVED: Final = listener(address="0.0.0.0", port=5355, max_qlen=5, process=Process(pid=7, comm="systemd-resolve"))
COOKIE: Final = Metric(destination="192.0.2.77", fo_cookie_len=8, fo_cookie_id="aaaa")
DROPS: Final = Metric(destination="192.0.2.77", fo_syn_drops=2, fo_syn_drop_age_ms=60_000)
REFUSED: Final = total("cookie_refused", 4, "server_bit_off", request=True)
NO_QUEUE: Final = total("rejected", 4, "no_queue")
SILENT: Final = to("192.0.2.77", outcome="unanswered", cookie_len=8, syn_data_bytes=70, syn_retransmits=3)
ROTATING: Final = Keys(primary="a41f", backup="77aa")

CASES: Final[Mapping[str, Case]] = {
    "healthy": healthy(),
    "busy_without_fast_open": busy(attached=True),
    "busy_without_fast_open_or_ebpf": busy(attached=False),
    "always_asking_programs": counted(sysctls=sysctls(1), listeners=(RESOLVED,)),
    "loopback_only": counted(sysctls=sysctls(1), listeners=(listener(address="127.0.0.1"),)),
    "totals_differ": differing(),
    "server_bit_off": watched(REFUSED, sysctls=sysctls(0x401)),
    "server_bit_off_in_web": elsewhere(in_web(REFUSED), sysctls=sysctls(0)),
    "server_bit_off_asked": counted(counters=counters(CookieReqd=3), sysctls=sysctls(1)),
    "server_bit_off_unasked": counted(sysctls=sysctls(1)),
    "server_bit_was_off": watched(REFUSED),
    "namespace_default": elsewhere(in_web(REFUSED), sysctls=sysctls(1)),
    "namespace_default_unasked": elsewhere(sysctls=sysctls(1), listeners=(MUTE,)),
    "client_bit_off": counted(sysctls=sysctls(2), metrics=(COOKIE,)),
    "client_bit_off_unasked": watched(total("plain", 9, "client_bit_off", role="client"), sysctls=sysctls(2)),
    "no_queue": watched(NO_QUEUE, listeners=(MUTE,), peers=(
        peer(outcomes={"rejected": 4}, last_outcome="rejected", last_reason="no_queue"),)),
    "no_queue_asked": counted(counters=counters(CookieReqd=3), listeners=(listener(max_qlen=0, process=PYTHON),)),
    "no_queue_which": counted(counters=counters(CookieReqd=3), listeners=(MUTE, listener(max_qlen=0, port=80))),
    "listened_before_0x400": counted(sysctls=sysctls(0x403), listeners=(MUTE, listener(port=80))),
    "no_key": watched(total("cookie_refused", 4, "no_key"), keys=Keys()),
    "no_key_unasked": counted(keys=Keys()),
    "accept_queue_full": watched(total("unanswered", 4, "accept_queue_full"), listeners=(listener(accept_queue=512),)),
    "accept_queue_full_counted": counted(counters=counters(ListenOverflows=4), listeners=(listener(accept_queue=512),)),
    "syn_queue_full": watched(total("unanswered", 4, "syn_queue_full"), sysctls=sysctls(tcp_syncookies=0)),
    "syn_queue_full_counted": counted(before={"counters": counters(TCPReqQFullDrop=0)},
                                      counters=counters(TCPReqQFullDrop=4), sysctls=sysctls(tcp_syncookies=0)),
    "syn_flood": flooded(),
    "queue_full": watched(total("rejected", 4, "queue_full"), peers=(
        peer(outcomes={"rejected": 4}, last_outcome="rejected", last_reason="queue_full"),)),
    "queue_full_counted": counted(counters=counters(ListenOverflow=4)),
    "queue_capped": counted(counters=counters(ListenOverflow=4), sysctls=sysctls(somaxconn=16)),
    "queue_small": small_queue(),
    "keys_differ_siblings": counted(listeners=(listener(own_key="beef"), listener(cookie=78, own_key="cafe"))),
    "keys_differ_namespaces": two_namespaces(),
    "keys_differ_servers": watched(BAD, peers=(visitor("10.2.4.17", accepted=1, rejected=6),)),
    "keys_differ_servers_proved": watched(BAD, handshakes=HOPPING, peers=(visitor("10.2.4.17", rejected=2),)),
    "key_rotated": key_changed(),
    "key_rotated_by_peers": watched(BAD, peers=rotated_peers()),
    "client_address_changes": watched(BAD, handshakes=ROAMING, peers=roaming_peers()),
    "bad_cookie": watched(total("rejected", 1, "bad_cookie"), peers=(visitor("203.0.113.9", rejected=1),)),
    "failed_child": watched(total("rejected", 4, "failed_child")),
    "rejected_unknown": counted(counters=counters(PassiveFail=4)),
    "syn_cookies": watched(total("rejected", 4, "syn_cookies")),
    "syn_cookies_always": counted(sysctls=sysctls(tcp_syncookies=2)),
    "syn_cookies_counted": counted(counters=counters(SyncookiesSent=9)),
    "blackhole": watched(DARK, sysctls=sysctls(blackhole_timeout_s=600), handshakes=(SILENT,)),
    "blackhole_counted": counted(counters=counters(Blackhole=2), sysctls=sysctls(blackhole_timeout_s=600)),
    "syn_dropped": watched(LOST, peers=(destination("192.0.2.77", lost=1), destination("192.0.2.78", lost=1),
                                        destination("203.0.113.5", accepted=3))),
    "syn_reset": watched(
        total("reset", 3, "reset", role="client", data=True), total("plain", 3, role="client"), metrics=(COOKIE,),
        peers=(destination("192.0.2.77", reset=3, plain=3),),
        handshakes=tuple(to("192.0.2.77", ts_ns=START_WALL_NS + n * SECOND, **given) for n, given in enumerate(2 * (
            {"outcome": "reset", "reason": "reset", "cookie_len": 8, "syn_data_bytes": 7}, {"outcome": "plain"})))),
    "restarted": watched(
        total("reset", 1, "reset", role="client", data=True), total("plain", 1, role="client"), counters=counters(),
        peers=(destination("192.0.2.77", reset=1, plain=1),),
        handshakes=(to("192.0.2.77", ts_ns=START_WALL_NS, outcome="reset", reason="reset", cookie_len=8),
                    to("192.0.2.77", ts_ns=START_WALL_NS + 1, outcome="plain"))),
    "slower_family": watched(
        total("unanswered", 4, role="client", request=True), total("unanswered", 1, "icmp_unreachable", role="client",
                                                                   request=True), counters=counters(),
        peers=(destination("2001:db8::7", unanswered=4),
               destination("2001:db8::8", reason="icmp_unreachable", unanswered=1))),
    "forged_syn": watched(total("rejected", 1, "no_data_no_cookie", data=True), counters=counters()),
    "closed_port": watched(
        total("reset", 3, "reset", role="client", data=True), counters=counters(),
        peers=(destination("192.0.2.77", reset=3),),
        handshakes=(to("192.0.2.77", outcome="reset", reason="reset", cookie_len=8),)),
    "option_stripped": watched(total("rejected", 4, "no_data_no_cookie", data=True), peers=(
        peer(outcomes={"rejected": 4}, last_outcome="rejected", last_reason="no_data_no_cookie"),)),
    "unanswered": watched(total("unanswered", 4, role="client", request=True),
                          peers=(replace(destination("192.0.2.77", unanswered=4), syn_retransmits=4),)),
    "syn_dropped_everywhere": watched(LOST, peers=(destination("192.0.2.77", lost=1), destination("8.8.8.8", lost=1))),
    "syn_drops_cached": counted(metrics=(DROPS,)),
    "data_not_acked": watched(total("rejected", 4, "data_not_acked", role="client"),
                              peers=(destination("192.0.2.77", rejected=2),)),
    "many_keys_of_a_server": watched(
        total("rejected", 4, "data_not_acked", role="client"),
        peers=(destination("192.0.2.77", rejected=4),),
        handshakes=(to("192.0.2.77", outcome="rejected", reason="data_not_acked", new_cookie_len=8,
                       new_cookie_id="abcd"),)),
    "none_granted": watched(total("cookie_refused", 4, "none_granted", role="client", request=True)),
    "client_failed_unknown": counted(counters=counters(ActiveFail=2)),
    "client_failed_lost": counted(counters=counters(ActiveFail=2), connections=(connection(client_fail=3),)),
    "cookies_never_used": watched(total("cookie_granted", 5, request=True), peers=(visitor("10.2.4.17",
                                  cookie_granted=5),)),
    "cookies_used_no_more": watched(total("cookie_granted", 1, request=True), peers=(visitor("10.2.4.17",
                                    cookie_granted=1, plain=9),)),
    "cookies_never_used_counted": counted(before={"counters": counters(CookieReqd=400)},
                                          counters=counters(CookieReqd=404)),
    "backup_key": watched(total("accepted", 388), total("accepted", 12, variant="backup_key"), keys=ROTATING),
    "backup_key_spent": spent_backup(),
    "proxy_leg": watched(
        total("accepted", 9), total("plain", 8, role="client"),
        peers=(replace(visitor("203.0.113.9", accepted=9), process=HAPROXY),
               destination("10.0.0.8", HAPROXY, plain=8))),
    "cookie_unused": watched(total("plain", 8, role="client"), metrics=(COOKIE,),
                             peers=(destination("192.0.2.77", plain=8),)),
    "without_btf": without_btf(),
}  # fmt: skip


def load(name: str) -> Case:
    """The two samples of a case, as recorded."""
    with (HERE / f"{name}.jsonl").open("rb") as file:
        recording.read_header(file)
        first, last = recording.read_samples(file)
    return first, last


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for name, samples in CASES.items():
        with (HERE / f"{name}.jsonl").open("wb") as file:
            recording.write(file, HEADER, samples)
