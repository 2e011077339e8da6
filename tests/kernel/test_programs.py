"""Programs that nobody here wrote, over a link with 11 ms each way: what an engineer would do by hand."""

import json
import subprocess
import sys
from typing import Any

import pytest

from .bed import Bed, until
from .bed.capture import capturing, dissect
from .nginx import PORT, need, nginx
from .watching import Events, Sight, shows

pytestmark = pytest.mark.programs


class Stream:
    """A running `tfotop stream --json --interval 0.5`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tfotop", "stream", "--json", "--interval", "0.5"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.last = self.next()

    def next(self) -> dict[str, Any]:
        """The next snapshot."""
        assert self.process.stdout
        self.last = json.loads(self.process.stdout.readline())
        return self.last

    def peer(self, netns: int, role: str) -> dict[str, Any] | None:
        """The peer of that role in the newest snapshot."""
        return next((p for p in self.next()["peers"] if (p["netns"], p["role"]) == (netns, role)), None)

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(5)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.mark.parametrize("six", [False, True], ids=["v4", "v6"])
def test_curl_and_nginx(slow_bed: Bed, slow_sight: Sight, six: bool, tshark: None) -> None:
    need("nginx", "curl")
    master = nginx(slow_bed)
    host = f"[{slow_bed.server.v6}]" if six else slow_bed.server.v4
    with capturing(slow_bed.client, slow_bed.path / "curl.pcap") as capture:
        for _ in range(2):
            url = f"http://{host}:{PORT}/"
            assert slow_bed.client.command("curl", "-s", "--tcp-fastopen", "--noproxy", "*", url).strip() == "hello"
        asked, granted = slow_sight.pair()
        hit, accepted = slow_sight.pair()
    for event in (granted, accepted):
        shows(event, comm="nginx", pid=master, max_qlen=64, role="server")
    for event in (asked, hit):
        shows(event, comm="curl", role="client")
        assert event["pid"]
    shows(asked, outcome="cookie_granted", cookie_len=0, new_cookie_len=8)
    shows(granted, outcome="cookie_granted", cookie_len=0, new_cookie_len=8)
    shows(hit, outcome="accepted", cookie_len=8, reason=None)
    shows(accepted, outcome="accepted", cookie_len=8, reason=None)
    assert hit["syn_data_bytes"] == hit["syn_data_acked_bytes"] > 50
    assert on_the_wire(dissect(capture.file)) == [in_the_event(asked), in_the_event(hit)]
    rtts = [event["handshake_rtt_us"] for event in (asked, hit)]
    assert min(rtts) > 21_000
    assert min(rtts) < 40_000
    slow_sight.agrees()


def on_the_wire(rows: list[Any]) -> list[tuple[Any, ...]]:
    """SYN and SYN-ACK of each connection by tshark: option, cookie, data, what was acknowledged, new cookie."""
    syns = [row for row in rows if not row.ack_flag and not row.reset]
    answers = [row for row in rows if row.ack_flag and not row.reset]
    return [
        (s.option, s.cookie_len, s.payload_bytes, a.ack - 1, a.cookie_len) for s, a in zip(syns, answers, strict=True)
    ]


def in_the_event(event: dict[str, Any]) -> tuple[Any, ...]:
    names = ("option", "cookie_len", "syn_data_bytes", "syn_data_acked_bytes", "new_cookie_len")
    return tuple(event[name] for name in names)


def test_httping_saves_one_round_trip(slow_bed: Bed, slow_sight: Sight) -> None:
    """The write-up that the project began with: 45.6 ms become 23.4 ms; tfotop shows the delta as one handshake RTT."""
    need("nginx", "httping")
    nginx(slow_bed)
    stream = slow_bed.client.closing(Stream())
    url = f"http://{slow_bed.server.v4}:{PORT}/"
    slow_bed.client.command("httping", "-g", url, "-c", "4", "-i", "0.1")
    assert {e["outcome"] for e in slow_sight.next(slow_bed.client, 4)} == {"plain"}
    slow_bed.client.command("httping", "-F", "-g", url, "-c", "6", "-i", "0.2")
    events = slow_sight.next(slow_bed.client, 6)
    assert [e["outcome"] for e in events] == ["cookie_granted"] + ["accepted"] * 5
    assert {e["comm"] for e in events} == {"httping"}
    seen: list[dict[str, Any] | None] = []
    until(lambda: _both_classes(seen, stream, slow_bed.client.inode), 10, "both classes of first bytes")
    peer = seen[-1]
    assert peer
    assert 0.8 < peer["rtt_delta_rtts"] < 1.2, peer
    assert 0.8 < peer["rtt_delta_us"] / 22_000 < 1.3, peer
    slow_sight.agrees()


def _both_classes(seen: list[dict[str, Any] | None], stream: Stream, netns: int) -> bool:
    seen.append(peer := stream.peer(netns, "client"))
    return bool(peer and peer["with_tfo"]["handshakes"] >= 5 and peer["without_tfo"]["handshakes"] >= 5)


def test_httping_text(slow_bed: Bed, events: Events) -> None:
    """`tfotop events` as text tells the same story."""
    need("nginx", "httping")
    nginx(slow_bed)
    command = [sys.executable, "-m", "tfotop", "events", "--netns", str(slow_bed.client.inode), "-n", "2"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert watching.stderr
    assert "watching" in watching.stderr.readline()
    slow_bed.client.command("httping", "-F", "-g", f"http://{slow_bed.server.v4}:{PORT}/", "-c", "2", "-i", "0.2")
    printed, _ = watching.communicate(timeout=20)
    first, second = printed.splitlines()
    assert "cookie granted: no cookie cached yet, cookie request, new cookie 8 B" in first
    assert " accepted, cookie 8 B " in second
    assert "SYN data" in second
    assert "httping[" in second
