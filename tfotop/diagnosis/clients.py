"""This host as a client: servers that refuse, SYNs that are lost, and connections that do not even try."""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.cookies import time_and_again
from tfotop.diagnosis.finding import ADVICE, DEGRADED, Evidence, Finding, Fix
from tfotop.diagnosis.scene import SENSOR, Scene, Seen, outcomes_of
from tfotop.model.state import PeerState
from tfotop.sample import Handshake, Namespace

OUTCOME: Final = {"data_not_acked": "rejected", "none_granted": "cookie_refused"}
ON_THE_SERVER: Final = "run tfotop on the server: it knows why"
NO_COOKIE: Final = ("server_bit_off", "no_queue", "syn_cookies", "no_key", "a middlebox strips the option")
NOT_TAKEN: Final = ("server_bit_off", "no_queue", "queue_full", "syn_cookies", "a middlebox strips the option")


def refused(scene: Scene) -> Iterator[Finding]:
    """What servers do not give; only they know why, except that a new cookie each time means many keys."""
    data, cookie = scene.seen("data_not_acked", "client"), scene.seen("none_granted", "client")
    if data.handshakes:
        rejected = [h for h in scene.handshakes if h.reason == "data_not_acked"]
        renewed = [h for h in rejected if h.new_cookie_id]
        renewing = _most(rejected, renewed)
        peers = scene.with_outcome("client", "rejected")
        again = [p for p in peers if time_and_again(p) and places.of_peer(p) in renewing]
        if again:
            yield _many_keys(scene, data, renewed, again)
        else:
            yield _not_acked(scene, data, renewed)
    if cookie.handshakes:
        what = f"{cookie.words}: the server grants no cookie"
        yield _refusal(scene, "none_granted", what, cookie, NO_COOKIE, _of(scene, "cookie_refused"))


def _of(scene: Scene, outcome: str) -> tuple[Evidence, ...]:
    """The peers that had it most often."""
    return outcomes_of(sorted(scene.with_outcome("client", outcome), key=lambda p: -p.reading.outcomes[outcome]))


def _most(rejected: Sequence[Handshake], renewed: Sequence[Handshake]) -> set[str]:
    """The peers most of whose rejections that are kept came with a new cookie: a full queue gives none."""
    came = Counter(h.peer for h in rejected)
    return {peer for peer, number in Counter(h.peer for h in renewed).items() if 2 * number > came[peer]}


def _not_acked(scene: Scene, seen: Seen, renewed: Sequence[Handshake]) -> Finding:
    what = f"{seen.words}: the server does not take the SYN data"
    if not renewed:
        return _refusal(scene, "data_not_acked", what, seen, NOT_TAKEN, _of(scene, "rejected"))
    new = Evidence(what="answered with a new cookie", value=f"{len(renewed)} handshakes", source=SENSOR, tier=2)
    candidates = ("key_rotated", "keys_differ_servers", "failed_child")
    words = f"{what}, and answers with a new cookie: its key is another one by now"
    return _refusal(scene, "data_not_acked", words, seen, candidates, (new, *_of(scene, "rejected")))


def _refusal(
    scene: Scene, name: str, cause: str, seen: Seen, candidates: tuple[str, ...], evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding(
        id=name,
        severity=DEGRADED,
        cause=cause + places.within(scene.place),
        evidence=(scene.seen_evidence(f"refused: {name}", seen), *evidence),
        fix=Fix(text=ON_THE_SERVER),
        verify="tfotop events --role client: the second visit is accepted",
        unknown="the server's reason: it is not on the wire",
        candidates=candidates,
        check="`tfotop doctor` on the server; `tfotop probe HOST` from another network tells a middlebox",
        role="client",
        netns=scene.inum,
        port=places.one_port(scene.with_outcome("client", OUTCOME[name])),
        count=seen.handshakes,
        now=bool(seen.now),
    )


def _many_keys(scene: Scene, seen: Seen, renewed: Sequence[Handshake], again: Sequence[PeerState]) -> Finding:
    who = ", ".join(places.of_peer(p) for p in again[:3])
    value = f"{len(renewed)} of the last handshakes: rejected, with a new cookie"
    renewals = Evidence(what="answered with a new cookie", value=value, source=SENSOR, tier=2)
    return Finding(
        id="keys_differ_servers",
        severity=DEGRADED,
        cause=f"{seen.words}: {who} gives a new cookie and rejects it again{places.within(scene.place)}: several"
        " servers behind one address have different keys",
        evidence=(scene.seen_evidence("refused: data_not_acked", seen), renewals, *_of(scene, "rejected")),
        fix=Fix(text="the servers behind this address need one key in common (net.ipv4.tcp_fastopen_key)"),
        verify="tfotop events --role client: visits are accepted again",
        unknown="how many servers there are",
        role="client",
        netns=scene.inum,
        count=seen.handshakes,
        now=bool(seen.now),
    )


def dropped(scene: Scene) -> Iterator[Finding]:
    """The SYN had to be sent again without option and data; the network that these peers have in common."""
    seen = scene.seen("syn_dropped", "client")
    if not seen.handshakes:
        return
    peers = scene.with_outcome("client", "lost")
    where = common_network([p.reading.address for p in peers])
    well = [p for p in scene.with_outcome("client", "accepted") if not p.reading.outcomes.get("lost")]
    if where is None:
        path = "to peers in many networks, so look near this host"
    else:
        path = f"to {where}" + (", while others are reached" if well else "")
    ordinary = bool(peers) and all(_mostly_accepted(p) for p in peers)
    why = ": few enough for ordinary packet loss" if ordinary else ""
    yield Finding(
        id="syn_dropped",
        severity=ADVICE if ordinary else DEGRADED,
        cause=f"{seen.words}: SYNs with the option are dropped on the way {path}{places.within(scene.place)}{why}",
        evidence=(
            scene.seen_evidence("lost: syn_dropped", seen),
            *_of(scene, "lost"),
            *_dropped_before(scene.place),
        ),
        fix=Fix(
            text="look for a middlebox between here and the peer; where it cannot be mended, connect there without"
        ),
        verify="tfotop events --role client: the second visit is accepted",
        unknown="which box drops them, and whether it is the option or the data that it does not like",
        candidates=("the option is dropped", "data in a SYN is dropped"),
        check="tfotop probe HOST: does a SYN with the option but without data pass?",
        role="client",
        netns=scene.inum,
        count=seen.handshakes,
        now=bool(seen.now),
    )


def _mostly_accepted(peer: PeerState) -> bool:
    """What loses one packet in ten or fewer is a bad path, no middlebox."""
    return peer.reading.outcomes.get("accepted", 0) >= 9 * peer.reading.outcomes["lost"]


def common_network(addresses: Sequence[str]) -> str | None:
    """The smallest network of all these addresses of one family; ``None`` if they have little in common."""
    parsed = [ipaddress.ip_address(address) for address in addresses]
    if not parsed or len({a.version for a in parsed}) > 1:
        return None
    size = parsed[0].max_prefixlen
    low, high = min(map(int, parsed)), max(map(int, parsed))
    prefix = size - (low ^ high).bit_length()
    if prefix == size:
        return str(parsed[0])
    return str(ipaddress.ip_network((min(parsed, key=int), prefix), strict=False)) if prefix >= size // 4 else None


def _dropped_before(place: Namespace | None) -> Iterator[Evidence]:
    for metric in (place.metrics if place else None) or ():
        if metric.fo_syn_drops:
            ago = (
                "" if metric.fo_syn_drop_age_ms is None else f", the last {metric.fo_syn_drop_age_ms / 1000:.0f} s ago"
            )
            value = f"{metric.fo_syn_drops} SYN drops in a row{ago}"
            yield Evidence(what=metric.destination, value=value, source="tcp_metrics (generic netlink)", tier=0)


def dropped_before(scene: Scene) -> Iterator[Finding]:
    """tcp_metrics remembers drops, of which the last Fast Open to that destination was one: a success clears it."""
    if scene.place is None or scene.seen("syn_dropped", "client").handshakes:
        return
    metrics = [m for m in scene.place.metrics or () if m.fo_syn_drops]
    if not metrics:
        return
    where = common_network([m.destination for m in metrics])
    forget = places.inside(scene.place, f"ip tcp_metrics delete {metrics[0].destination}")
    path = f" ({where})" if where else ""
    number = f"{len(metrics)} destination{'s' if len(metrics) > 1 else ''}{path}"
    again = any((m.fo_syn_drops or 0) > 1 for m in metrics)
    yield Finding(
        id="syn_drops_cached",
        severity=DEGRADED if again else ADVICE,  # once may be ordinary loss
        cause=f"the last SYN with data to {number} was dropped on the way{places.within(scene.place)}",
        evidence=tuple(_dropped_before(scene.place))[:8],
        fix=Fix(
            command=forget if len(metrics) == 1 else None,
            text="look for a middlebox on the way; when it is mended, the next success clears the count, or forget it:"
            f" {forget or 'ip tcp_metrics delete ADDRESS'}",
        ),
        verify="ip tcp_metrics show: no fo_syn_drops there; tfotop probe HOST",
        unknown="whether it still happens: nothing was sent there while tfotop watched",
        role="client",
        netns=scene.inum,
        count=sum(m.fo_syn_drops or 0 for m in metrics),
        now=False,
    )
