"""What answers to SYNs with the option say of the way: resets, silence, and SYN data whose cookie is gone."""

from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import BROKEN, DEGRADED, Finding, Fix
from tfotop.diagnosis.scene import Scene, outcomes_of
from tfotop.model.state import PeerState
from tfotop.sample import Handshake

ANSWERED: Final = ("plain", "cookie_granted", "cookie_refused", "accepted", "rejected", "lost")
WELL: Final = ("cookie_granted", "cookie_refused", "accepted", "rejected")
WITHOUT: Final = "until it is mended, connect there without: the option of the application, or"


def reset(scene: Scene) -> Iterator[Finding]:
    """Every SYN with the option is reset, and plain ones to the same server are not: who dislikes it is on the way."""
    if not scene.came("client", "reset").handshakes:
        return
    peers = [p for p in scene.with_outcome("client", "reset") if _dislikes(scene, p)]
    if not peers:
        return
    seen, where = scene.came("client", "reset", tried=True), ", ".join(places.of_peer(p) for p in peers[:3])
    yield Finding(
        id="syn_reset",
        severity=BROKEN,
        cause=f"{seen.words}: SYNs with the option to {where} are reset, those without it are answered"
        f"{places.within(scene.place)}: a middlebox or the server's filter does not let the option pass",
        evidence=(scene.seen_evidence("reset, with the option", seen), *outcomes_of(peers)),
        fix=Fix(text=f"look for a filter on the server and on the way; {WITHOUT} net.ipv4.tcp_fastopen without 0x1"),
        verify="tfotop events --role client: no more resets there",
        unknown="which box resets them, and whether it is the option or the data that it does not like",
        check="tfotop probe HOST:PORT from another network",
        role="client",
        netns=scene.inum,
        port=places.one_port(peers),
        count=seen.handshakes,
        now=bool(seen.now),
    )


def _dislikes(scene: Scene, peer: PeerState) -> bool:
    """By the handshakes that are kept: since the first reset nothing with the option came through, a plain one did."""
    mine = [h for h in scene.handshakes if h.role == "client" and h.peer == places.of_peer(peer)]
    resets = [h for h in mine if h.outcome == "reset"]
    if not resets or not all(map(_tried, resets)):
        return False
    later = {h.outcome for h in mine if h.ts_ns > resets[0].ts_ns}
    return "plain" in later and later.isdisjoint(WELL)


def _tried(h: Handshake) -> bool:
    return h.cookie_len is not None or h.syn_data_bytes > 0


def silence(scene: Scene) -> Iterator[Finding]:
    """Servers that answered nothing at all: the SYN is sent again without the option, so it is not for that."""
    seen = scene.came("client", "unanswered", tried=True)
    if not seen.handshakes:
        return
    had = scene.with_outcome("client", "unanswered")
    peers = [p for p in had if not any(p.reading.outcomes.get(name) for name in ANSWERED)]
    if not peers:
        return
    where = ", ".join(places.of_peer(p) for p in peers[:3]) + (
        f" and {len(peers) - 3} others" if len(peers) > 3 else ""
    )
    yield Finding(
        id="unanswered",
        severity=DEGRADED,
        cause=f"{seen.words}: no answer from {where}{places.within(scene.place)}, nor to the SYN that is sent again"
        " without the option",
        evidence=(scene.seen_evidence("unanswered, with the option", seen), *outcomes_of(peers)),
        fix=Fix(text="it is not Fast Open: look for the server, its route, and filters that drop all SYNs to it"),
        verify="tfotop events --role client: handshakes there have another outcome",
        unknown="where the SYN or its answer is lost",
        role="client",
        netns=scene.inum,
        port=places.one_port(peers),
        count=seen.handshakes,
        now=bool(seen.now),
    )


def stripped(scene: Scene) -> Iterator[Finding]:
    """SYN data without a cookie where one is needed; a few among many good ones are clients of their own kind."""
    seen = scene.seen("no_data_no_cookie", "server")
    if not seen.handshakes or scene.came("server", "accepted").handshakes >= 9 * seen.handshakes:
        return
    peers = [p for p in scene.with_outcome("server", "rejected") if p.reading.last_reason == "no_data_no_cookie"]
    yield Finding(
        id="option_stripped",
        severity=DEGRADED,
        cause=f"{seen.words}: the SYN brings data and no cookie{places.within(scene.place)}: a middlebox takes the"
        " option out of it, or the client sends none",
        evidence=(scene.seen_evidence("rejected: no_data_no_cookie", seen), *outcomes_of(peers)),
        fix=Fix(text="look for a middlebox between these clients and here, the filters of this host too"),
        verify="tfotop events --role server: their next visits are accepted",
        unknown="what the SYN had when it left the client",
        candidates=("a middlebox strips the option", "a client with 0x4 or TCP_FASTOPEN_NO_COOKIE"),
        check="tfotop on the client, or a capture at both ends: does the SYN leave with the option?",
        role="server",
        netns=scene.inum,
        port=places.one_port(peers),
        count=seen.handshakes,
        now=bool(seen.now),
    )
