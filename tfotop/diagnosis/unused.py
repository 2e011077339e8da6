"""Cookies that were given, and never came back with data."""

from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import ADVICE, DEGRADED, Evidence, Finding, Fix
from tfotop.diagnosis.scene import SENSOR, Scene, grouped
from tfotop.model.state import PeerState

OFTEN: Final = 3
MANY: Final = 100
TRIED: Final = ("accepted", "rejected", "lost")


def never_used(scene: Scene) -> Iterator[Finding]:
    """Peers that ask again and again, or ask once and then come without; without eBPF by the counters of all time."""
    if scene.model.attached:
        if scene.came("server", "cookie_granted").handshakes:
            yield from _by_peer(scene)
    elif (scene.counter("TCPFastOpenCookieReqd") or 0) >= MANY and scene.moved("TCPFastOpenCookieReqd"):
        came_back = sum(scene.counter(f"TCPFastOpen{name}") or 0 for name in ("Passive", "PassiveFail"))
        if not came_back and any(x.max_qlen for x in scene.listeners):
            evidence = tuple(
                map(scene.moved_evidence, ("TCPFastOpenCookieReqd", "TCPFastOpenPassive", "TCPFastOpenPassiveFail"))
            )
            yield _finding(scene, "cookies are asked for, but no SYN ever brought one back", DEGRADED, evidence, 0)


def _by_peer(scene: Scene) -> Iterator[Finding]:
    granted = scene.with_outcome("server", "cookie_granted")
    mute = [p for p in granted if not any(p.reading.outcomes.get(name) for name in TRIED)]
    again = [p for p in mute if p.reading.outcomes["cookie_granted"] >= OFTEN]
    once = [p for p in mute if p not in again and p.reading.outcomes.get("plain", 0) >= OFTEN and _ended_plain(p)]
    if not again and not once:
        return
    asks = "asks for a cookie at every visit and never brings it back"
    what = asks if again else "got a cookie and came without it since"
    peers = again or once
    shown = sorted(peers, key=lambda p: -sum(p.reading.outcomes.values()))[:5]
    evidence = tuple(
        Evidence(what=p.reading.address, value=grouped(p.reading.outcomes), source=SENSOR, tier=2) for p in shown
    )
    number = "a peer" if len(peers) == 1 else f"each of {len(peers)} peers"
    count = sum(p.reading.outcomes["cookie_granted"] for p in peers)
    yield _finding(scene, f"{number} {what}", DEGRADED if again else ADVICE, evidence, count)


def _ended_plain(peer: PeerState) -> bool:
    return peer.reading.last_outcome == "plain"


def _finding(scene: Scene, cause: str, severity: str, evidence: tuple[Evidence, ...], count: int) -> Finding:
    return Finding(
        id="cookies_never_used",
        severity=severity,
        cause=f"{cause}{places.within(scene.place)}: the client cannot send idempotent data, or a middlebox strips the"
        " option or drops the SYN data",
        evidence=evidence,
        fix=Fix(
            text="run `tfotop doctor` on such a client: it sees whether its SYN is dropped or its cookie never comes"
        ),
        verify="tfotop events --role server: the next visits of these peers are accepted",
        unknown="what the client does; one address may be many hosts, each of which asks once",
        candidates=("the client sends no data with its SYN", "a middlebox strips the option", "syn_dropped"),
        check="tfotop on the client, or a capture at both ends: does the SYN-ACK arrive with the cookie?",
        role="server",
        netns=scene.inum,
        count=count,
    )
