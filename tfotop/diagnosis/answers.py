"""What answers to SYNs with the option say of the way: resets, silence, and SYN data whose cookie is gone."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import BROKEN, DEGRADED, Finding, Fix
from tfotop.diagnosis.scene import Scene, outcomes_of
from tfotop.model.state import PeerState
from tfotop.sample import Handshake

ANSWERED: Final = ("plain", "cookie_granted", "cookie_refused", "accepted", "rejected", "lost", "reset")
WELL: Final = ("cookie_granted", "cookie_refused", "accepted", "rejected")
WITHOUT: Final = "until it is mended, connect there without: the option of the application, or"


def reset(scene: Scene) -> Iterator[Finding]:
    """SYNs with the option are reset, before and after plain ones that are answered: who dislikes it is on the way."""
    suspects = scene.with_outcome("client", "reset")
    if not suspects:
        return
    kept: dict[str, list[Handshake]] = defaultdict(list)
    for h in scene.handshakes:
        if h.role == "client":
            kept[h.peer].append(h)
    peers = [p for p in suspects if _dislikes(kept.get(places.of_peer(p), []))]
    if not peers:
        return
    seen, where = scene.of_peers(peers, "reset"), ", ".join(places.of_peer(p) for p in peers[:3])
    yield Finding(
        id="syn_reset",
        severity=BROKEN,
        cause=f"{seen.words}: SYNs with the option to {where} are reset, those without it are answered"
        f"{places.within(scene.place)}: a middlebox or the server's filter does not let the option pass",
        evidence=outcomes_of(peers),
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


def _dislikes(mine: list[Handshake]) -> bool:
    """By the handshakes that are kept. A server that was restarted resets before plain ones, but not after."""
    resets = [h.ts_ns for h in mine if h.outcome == "reset" and _tried(h)]
    if not resets or any(h.outcome == "reset" and not _tried(h) for h in mine):
        return False
    later = [h for h in mine if h.ts_ns > resets[0]]
    answered = any(h.outcome == "plain" and h.ts_ns < resets[-1] for h in later)
    return answered and not any(h.outcome in WELL for h in later)


def _tried(h: Handshake) -> bool:
    return h.cookie_len is not None or h.syn_data_bytes > 0


def silence(scene: Scene) -> Iterator[Finding]:
    """Servers that answered nothing at all: the SYN was sent again without the option, so it is not for that."""
    if not scene.came("client", "unanswered", tried=True).handshakes:
        return
    peers = [p for p in scene.with_outcome("client", "unanswered") if _silent(p)]
    if not peers:
        return
    more = f" and {len(peers) - 3} others" if len(peers) > 3 else ""
    seen, where = scene.of_peers(peers, "unanswered"), ", ".join(places.of_peer(p) for p in peers[:3]) + more
    yield Finding(
        id="unanswered",
        severity=DEGRADED,
        cause=f"{seen.words}: no answer from {where}{places.within(scene.place)}, nor to the SYN that is sent again"
        " without the option",
        evidence=outcomes_of(peers),
        fix=Fix(text="it is not Fast Open: look for the server, its route, and filters that drop all SYNs to it"),
        verify="tfotop events --role client: handshakes there have another outcome",
        unknown="where the SYN or its answer is lost",
        role="client",
        netns=scene.inum,
        port=places.one_port(peers),
        count=seen.handshakes,
        now=bool(seen.now),
    )


def _silent(peer: PeerState) -> bool:
    """Not those whose program gave up before the second SYN (the slower of two families), nor where ICMP says why."""
    had = peer.reading.outcomes
    return peer.reading.syn_retransmits > 0 and peer.reading.last_reason is None and not any(map(had.get, ANSWERED))


def stripped(scene: Scene) -> Iterator[Finding]:
    """SYN data without a cookie where one is needed; a few among many good ones are clients of their own kind."""
    seen = scene.seen("no_data_no_cookie", "server")
    if not seen.handshakes or scene.came("server", "accepted").handshakes >= 9 * seen.handshakes:
        return
    peers = [p for p in scene.with_outcome("server", "rejected") if p.reading.last_reason == "no_data_no_cookie"]
    if not peers:  # nobody who proved that he is there: forged SYNs look like this
        return
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
