"""Make the scenarios of this folder anew: ``python -m tests.scenarios.make``. A test compares them with their files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from tests.scenarios.build import (
    NGINX,
    NO_EBPF,
    OWN,
    SECOND,
    START_MONO_NS,
    START_WALL_NS,
    counters,
    handshake,
    latency,
    listener,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tests.scenarios.incident import incident
from tfotop import recording
from tfotop.sample import Keys, Latency, Losses, Peer, Process, Sample, Sysctls

HERE: Final = Path(__file__).parent
HEADER: Final = recording.header("web-3", "6.18.44")
CURL: Final = Process(pid=4711, comm="curl")
SECONDS: Final = 12


def around(us: int, number: int = 16) -> Latency:
    """So many values close to one."""
    return latency(*(us + 40 * (i % 5) for i in range(number)))


def user(address: str, at_s: int, rtt_us: int, **given: object) -> Peer:
    """A peer of the server with a history: with Fast Open the request comes in the SYN."""
    fields: dict[str, object] = {
        "last_ns": START_MONO_NS + at_s * SECOND,
        "rtt_us": around(rtt_us).recent_us,
        "with_tfo": latency(0, 0, 0),
        "without_tfo": around(rtt_us + 200),
        "process": NGINX,
    }
    return peer(address, **{**fields, **given})


def healthy() -> Iterator[Sample]:
    """A server whose peers use Fast Open, and a client of its own."""
    for t in range(SECONDS):
        accepted, granted, plain, asked = 12 * t, 3 * t, 7 * t, t
        peers = [
            user("203.0.113.9", t, 22_300, outcomes={"cookie_granted": 1, "accepted": 8 * t, "plain": 2}),
            user("2001:db8:85a3:8d3:1319:8a2e:370:7348", t, 31_000, outcomes={"accepted": 4 * t + 1}),
            user("198.51.100.20", t, 90_000, outcomes={"plain": 7 * t + 1}, last_outcome="plain", with_tfo=Latency()),
            peer(
                "2001:db8::7",
                role="client",
                port=8443,
                last_ns=START_MONO_NS + t * SECOND,
                outcomes={"cookie_granted": 1, "accepted": t},
                process=CURL,
                rtt_us=around(31_000).recent_us,
                with_tfo=around(31_900),
                without_tfo=latency(62_700),
            ),
        ]
        rows = (
            total("accepted", accepted, data=True),
            total("cookie_granted", granted, request=True),
            total("plain", plain),
            total("accepted", asked, role="client", data=True),
        )
        yield sample(
            t,
            namespaces=(
                namespace(
                    counters=counters(Passive=1000 + accepted, CookieReqd=200 + granted, Active=40 + asked),
                    keys=Keys(primary="a41f", backup="77aa"),
                ),
            ),
            sensor=sensor(
                *(row for row in rows if row.handshakes),
                peers=tuple(p for p in peers if t or p.role == "server"),
                handshakes=(handshake(ts_ns=START_WALL_NS + t * SECOND, comm="nginx", pid=812),),
                in_progress=2,
            ),
        )


def rejected() -> Iterator[Sample]:
    """A load balancer in front of servers with different keys: from the fifth second on their cookies are bad."""
    for t in range(SECONDS):
        bad = max(0, t - 5) * 412
        rows = [total("accepted", 1200 * t, data=True)] if t else []
        rows += [total("rejected", bad, "bad_cookie", data=True)] if bad else []
        peers = [user("203.0.113.9", t, 22_300, outcomes={"accepted": 1200 * t + 1})]
        if bad:
            peers.append(
                user(
                    "10.2.4.17",
                    t,
                    22_100,
                    outcomes={"rejected": bad, "accepted": 3},
                    last_outcome="rejected",
                    last_reason="bad_cookie",
                    with_tfo=Latency(),
                )
            )
        yield sample(
            t,
            namespaces=(
                namespace(counters=counters(Passive=1200 * t, PassiveFail=bad), listeners=(listener(max_qlen=256),)),
            ),
            sensor=sensor(*rows, peers=tuple(peers), losses=Losses(records_limited=1012 * t)),
        )


def server_bit_off() -> Iterator[Sample]:
    """Clients ask for cookies; net.ipv4.tcp_fastopen lacks 0x2 until somebody sets it."""
    for t in range(SECONDS):
        refused, granted = min(t, 6) * 5, max(0, t - 6) * 5
        rows = [total("cookie_refused", refused, "server_bit_off", request=True)] if refused else []
        rows += [total("cookie_granted", granted, request=True)] if granted else []
        outcomes = {"cookie_refused": refused + 1} | ({"cookie_granted": granted} if granted else {})
        mode = Sysctls(tcp_fastopen=3 if granted else 1)
        one = user(
            "10.2.4.17",
            t,
            22_100,
            outcomes=outcomes,
            last_outcome="cookie_granted" if granted else "cookie_refused",
            last_reason=None if granted else "server_bit_off",
            with_tfo=Latency(),
        )
        yield sample(
            t,
            namespaces=(namespace(counters=counters(CookieReqd=refused + granted), sysctls=mode),),
            sensor=sensor(*rows, peers=(one,)),
        )


def tier_0() -> Iterator[Sample]:
    """An ordinary user without eBPF: counters and settings, no queues, no keys, no peers."""
    for t in range(SECONDS):
        yield sample(
            t,
            tier=0,
            namespaces=(
                namespace(
                    cookie=None,
                    counters=counters(Passive=10 * t, CookieReqd=2 * t, PassiveFail=t // 4),
                    keys=None,
                    listeners=(listener(max_qlen=None, process=None),),
                ),
            ),
            problems=(NO_EBPF,),
        )


def empty() -> Iterator[Sample]:
    """Nothing happens, in two namespaces; everything can be read."""
    for t in range(3):
        other = namespace(inum=OWN + 9, cookie=9, own=False, name="blue", listeners=(), keys=Keys())
        yield replace(sample(t, sensor=sensor()), namespaces=(namespace(listeners=()), other))


SCENARIOS: Final[Mapping[str, tuple[Sample, ...]]] = {
    made.__name__: tuple(made()) for made in (healthy, rejected, server_bit_off, tier_0, empty, incident)
}


def path(name: str) -> Path:
    """Where a scenario is."""
    return HERE / f"{name}.jsonl"


def load(name: str) -> list[Sample]:
    """The samples of a scenario, as recorded."""
    with path(name).open("rb") as file:
        recording.read_header(file)
        return list(recording.read_samples(file))


if __name__ == "__main__":
    for name, samples in SCENARIOS.items():
        with path(name).open("wb") as file:
            recording.write(file, HEADER, samples)
