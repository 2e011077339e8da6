"""Parts of samples with what does not matter filled in: a test names only what it is about."""

from collections import Counter
from typing import Any, Final

from msgspec.structs import replace

from tfotop.model.fold import fold
from tfotop.model.latency import BUCKETS, FEW, bounds_us
from tfotop.model.state import Model
from tfotop.sample import (
    Buckets,
    Connection,
    Cost,
    Handshake,
    Keys,
    Latency,
    Listener,
    Losses,
    Micros,
    Namespace,
    Peer,
    Problem,
    Process,
    Sample,
    SensorReading,
    Sysctls,
    Total,
)

SECOND: Final = 1_000_000_000
START_WALL_NS: Final = 1_790_000_000 * SECOND  # 2026-09-21 14:13:20 UTC
START_MONO_NS: Final = 5_000 * SECOND
OWN: Final = 4026531833
COUNTERS: Final = {
    "TCPFastOpenActive": 0,
    "TCPFastOpenActiveFail": 0,
    "TCPFastOpenPassive": 0,
    "TCPFastOpenPassiveFail": 0,
    "TCPFastOpenListenOverflow": 0,
    "TCPFastOpenCookieReqd": 0,
    "TCPFastOpenBlackhole": 0,
    "TCPFastOpenPassiveAltKey": 0,
    "SyncookiesSent": 0,
    "ListenOverflows": 0,
    "TCPSynRetrans": 0,
    "TCPTimeouts": 0,
}
NGINX: Final = Process(pid=812, comm="nginx")
NO_EBPF: Final = Problem(source="sensor", text="bcc is not installed", remedy="install python3-bpfcc")


def counters(**moved: int) -> dict[str, int]:
    """Every counter at 0 but those given, without their common prefix TCPFastOpen."""
    return COUNTERS | {
        f"TCPFastOpen{name}" if name[0].isupper() and f"TCPFastOpen{name}" in COUNTERS else name: n
        for name, n in moved.items()
    }


def total(outcome: str, handshakes: int, reason: str | None = None, **given: Any) -> Total:
    fields: dict[str, Any] = {
        "netns": OWN,
        "netns_cookie": 1,
        "role": "server",
        "variant": None,
        "data": False,
        "request": False,
    }
    return Total(outcome=outcome, reason=reason, handshakes=handshakes, **(fields | given))


def peer(address: str = "10.2.4.17", **given: Any) -> Peer:
    fields: dict[str, Any] = {
        "netns": OWN,
        "netns_cookie": 1,
        "role": "server",
        "port": 443,
        "first_ns": START_MONO_NS,
        "last_ns": START_MONO_NS,
        "outcomes": {"accepted": 1},
        "last_outcome": "accepted",
    }
    return Peer(address=address, **(fields | given))


def latency(*us: int) -> Latency:
    return Latency(count=len(us), recent_us=Micros(us))


def measured(*us: int) -> Latency:
    """Values as the kernel keeps them: the newest 16, and a histogram of all."""
    found = Counter(next(b for b in range(BUCKETS) if bounds_us(b)[1] > value or b == BUCKETS - 1) for value in us)
    return Latency(count=len(us), recent_us=Micros(us[-FEW:]), buckets=Buckets(dict(sorted(found.items()))))


def handshake(**given: Any) -> Handshake:
    fields: dict[str, Any] = {
        "ts_ns": START_WALL_NS,
        "role": "server",
        "netns": OWN,
        "local": "192.0.2.1:443",
        "peer": "[2001:db8::7]:51234",
        "outcome": "accepted",
    }
    return Handshake(**(fields | given))


def listener(**given: Any) -> Listener:
    fields: dict[str, Any] = {
        "cookie": 77,
        "address": "::",
        "port": 443,
        "inode": 100,
        "backlog": 511,
        "accept_queue": 0,
        "max_qlen": 16,
        "process": NGINX,
    }
    return Listener(**(fields | given))


def connection(**given: Any) -> Connection:
    fields: dict[str, Any] = {
        "local": "192.0.2.1:443",
        "peer": "10.2.4.17:40000",
        "cookie": 5,
        "syn_data": True,
        "client_fail": 0,
    }
    return Connection(**(fields | given))


def namespace(**given: Any) -> Namespace:
    fields: dict[str, Any] = {
        "inum": OWN,
        "cookie": 1,
        "own": True,
        "processes": 90,
        "counters": counters(),
        "sysctls": Sysctls(tcp_fastopen=3, blackhole_timeout_s=0, tcp_syncookies=1, somaxconn=4096),
        "keys": Keys(primary="a41f"),
        "listeners": (listener(),),
        "metrics": (),
        "connections": (),
    }
    return Namespace(**(fields | given))


def sensor(*totals: Total, **given: Any) -> SensorReading:
    fields: dict[str, Any] = {
        "attached_ns": START_MONO_NS,
        "btf": True,
        "peers": (),
        "handshakes": (),
        "losses": Losses(),
    }
    return SensorReading(totals=totals, **(fields | given))


def sample(at_s: float = 0, **given: Any) -> Sample:
    """The sample so many seconds after the first."""
    passed = int(at_s * SECOND)
    fields: dict[str, Any] = {
        "wall_ns": START_WALL_NS + passed,
        "mono_ns": START_MONO_NS + passed,
        "namespaces": (namespace(),),
        "cost": Cost(cpu_ns=50_000_000 + passed // 200, rss_bytes=41_000_000),
        "tier": 2 if given.get("sensor") else 1,
    }
    return Sample(**(fields | given))


def later(of: Sample, seconds: float) -> Sample:
    """The same sample again, so many seconds later."""
    passed = int(seconds * SECOND)
    return replace(of, wall_ns=of.wall_ns + passed, mono_ns=of.mono_ns + passed)


def folded(*samples: Sample) -> Model:
    """The model after some samples."""
    model = None
    for one in samples:
        model = fold(model, one)
    assert model is not None
    return model
