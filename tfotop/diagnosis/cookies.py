"""Bad cookies, and whose keys they come from: this server's own of yesterday, another server's, another address's."""

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec.structs import replace

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import ADVICE, DEGRADED, Evidence, Finding, Fix
from tfotop.diagnosis.keys import copy_key, keep_old, siblings
from tfotop.diagnosis.scene import SENSOR, Scene, Seen
from tfotop.model.selection import split_endpoint
from tfotop.model.state import Model, PeerState
from tfotop.sample import Handshake, Namespace

FEW: Final = 3
FEW_PER_CENT: Final = 2  # clients that change their address are ordinary
GIVE: Final = {"cookie_granted", "rejected"}
SETTLED_NS: Final = 200_000_000  # a handshake that began before the last one's new cookie arrived proves nothing
VERIFY: Final = "tfotop events --role server: the next visits of these peers are accepted"


class Case(NamedTuple):
    """What is known of the bad cookies of one namespace."""

    scene: Scene
    seen: Seen
    peers: Sequence[PeerState]


def bad_cookies(scene: Scene, model: Model) -> Iterator[Finding]:
    """One finding for the bad cookies of a namespace: the cause that the evidence proves, else the candidates.

    None where sockets of one port have different keys: that is a finding of its own, and explains them.
    """
    seen = scene.seen("bad_cookie", "server")
    if not seen.handshakes or next(siblings(scene), None):
        return
    case = Case(scene, seen, scene.with_outcome("server", "rejected"))
    yield _other_namespace(case, model) or _rotated(case) or _addresses(case) or _other_server(case) or _open(case)


def _finding(case: Case, name: str, why: str, evidence: Sequence[Evidence], fix: Fix, unknown: str) -> Finding:
    scene = case.scene
    ports = {p.reading.port for p in case.peers}
    return Finding(
        id=name,
        severity=DEGRADED,
        cause=f"{case.seen.words}: bad cookie: {why}{places.within(scene.place)}",
        evidence=(scene.seen_evidence("rejected: bad_cookie", case.seen), *evidence, *_fingerprints(scene)),
        fix=fix,
        verify=VERIFY,
        unknown=unknown,
        role="server",
        netns=scene.inum,
        port=ports.pop() if len(ports) == 1 else None,
        count=case.seen.handshakes,
        now=bool(case.seen.now),
    )


def _fingerprints(scene: Scene) -> Iterator[Evidence]:
    if scene.place and scene.place.keys:
        keys = scene.place.keys
        value = f"{keys.primary or 'none'}" + (f", backup {keys.backup}" if keys.backup else "")
        source = "/proc/sys/net/ipv4/tcp_fastopen_key"
        yield Evidence(what="key (fingerprint)", value=value, source=source, tier=1)


def _other_namespace(case: Case, model: Model) -> Finding | None:
    """Another namespace of this host gave the very cookie to the very peer."""
    given = {(split_endpoint(h.peer)[0], h.new_cookie_id): h.netns for h in model.handshakes if _gives(h)}
    refused = [h for h in case.scene.handshakes if h.role == "server" and h.reason == "bad_cookie"]
    givers = Counter(given.get((split_endpoint(h.peer)[0], h.cookie_id)) for h in refused)
    other = next((netns for netns, _ in givers.most_common() if netns not in (None, case.scene.inum)), None)
    place = next((n.reading for n in model.namespaces if n.reading.inum == other), None)
    if other is None or place is None:
        return None
    value = f"{givers[other]} of {len(refused)} cookies seen were given in {places.title(place)}"
    evidence = Evidence(what="where the bad cookies came from", value=value, source=SENSOR, tier=2)
    why = f"{places.title(place)} serves the same clients with another key"
    return _finding(
        case,
        "keys_differ_namespaces",
        why,
        (evidence, *_key_of(place)),
        copy_key(place, case.scene.place),
        "which of the two keys other servers behind this address have",
    )


def _key_of(place: Namespace) -> Iterator[Evidence]:
    if place.keys:
        what = f"key of {places.title(place)} (fingerprint)"
        source = "/proc/sys/net/ipv4/tcp_fastopen_key there"
        yield Evidence(what=what, value=place.keys.primary or "none", source=source, tier=1)


def _gives(h: Handshake) -> bool:
    return h.role == "server" and h.new_cookie_id is not None


def _rotated(case: Case) -> Finding | None:
    """The key was seen to change; or all peers are rejected once, then accepted."""
    state, scene = case.scene.state, case.scene
    before, now = (state.keys_before if state else None), (scene.place.keys if scene.place else None)
    back = [p for p in case.peers if p.reading.outcomes["rejected"] == 1 and p.reading.outcomes.get("accepted")]
    if before and now and before.primary not in (now.primary, now.backup):
        value = f"from {before.primary} to {now.primary}, the old one not kept as backup"
        what = Evidence(what="the key changed", value=value, source="/proc/sys/net/ipv4/tcp_fastopen_key", tier=1)
    elif len(back) >= FEW and len(back) == len(case.peers) and len(_networks(case.peers)) >= FEW:
        value = f"{len(back)} peers of {len(_networks(back))} networks, each rejected once and then accepted"
        what = Evidence(what="who is rejected", value=value, source=SENSOR, tier=2)
    else:
        return None
    why = "the key was rotated and the old one not kept as backup, so every cookie given before is rejected once"
    return _finding(
        case, "key_rotated", why, (what,), keep_old(scene.place), "how many clients still hold an old cookie"
    )


def _networks(peers: Sequence[PeerState]) -> dict[str, list[PeerState]]:
    """Peers by their network: a /24, or a /48 of IPv6."""
    result: dict[str, list[PeerState]] = defaultdict(list)
    for peer in peers:
        result[_network(peer.reading.address)].append(peer)
    return result


@lru_cache(4096)
def _network(address: str) -> str:
    return str(ipaddress.ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


def _addresses(case: Case) -> Finding | None:
    """Many addresses of one network, each rejected once or twice: a cookie is bound to the address it was given to."""
    networks = _networks(case.peers)
    network, members = max(networks.items(), key=lambda item: len(item[1]), default=("", []))
    seldom = [p for p in members if p.reading.outcomes["rejected"] < FEW]
    moved = _presented_elsewhere(case.scene)
    if len(seldom) < FEW or 3 * len(seldom) < 2 * len(case.peers) or not (moved or _well_elsewhere(case, network)):
        return None
    value = f"{len(seldom)} of {len(case.peers)} rejected peers are in {network}, each rejected once or twice"
    evidence = [Evidence(what="who is rejected", value=value, source=SENSOR, tier=2)]
    if moved:
        what = "cookies presented by another address than they were given to"
        evidence.append(Evidence(what=what, value=str(moved), source=SENSOR, tier=2))
    why = f"clients in {network} come from changing addresses (carrier NAT?), and a cookie is good for one address only"
    fix = Fix(
        text="nothing on this server; a carrier that keeps an address for each subscriber, or IPv6, would mend it."
        " Within one network that you trust, bit 0x200 (no cookie needed) would do"
    )
    unknown = "which client stands behind an address"
    if not moved:
        unknown += "; a key that changed before tfotop looked leaves the same traces in a network that comes seldom"
    return _finding(case, "client_address_changes", why, evidence, fix, unknown)


def _presented_elsewhere(scene: Scene) -> int:
    """How many bad cookies were given to a neighbour of the one who brings them."""
    given = {h.new_cookie_id: split_endpoint(h.peer)[0] for h in scene.handshakes if _gives(h)}
    bad = (h for h in scene.handshakes if h.role == "server" and h.reason == "bad_cookie")
    owners = ((given.get(h.cookie_id), split_endpoint(h.peer)[0]) for h in bad)
    return sum(owner is not None and owner != bringer for owner, bringer in owners)


def _well_elsewhere(case: Case, network: str) -> bool:
    """Peers of other networks are accepted with cookies that they had before we looked: the key is the old one."""
    wanted = ipaddress.ip_network(network)
    servers = (p.reading for p in case.scene.peers if p.reading.role == "server")
    had = (p for p in servers if p.outcomes.get("accepted") and not (GIVE & p.outcomes.keys()))
    return any(ipaddress.ip_address(p.address) not in wanted for p in had)


def _other_server(case: Case) -> Finding | None:
    """A peer that got a cookie here comes back with another one: somebody else behind this address gave it that."""
    again = [p for p in case.peers if time_and_again(p)]
    proof = _back_with_another(case.scene)
    if not again and not proof:
        return None
    evidence = []
    if again:
        worst = max(again, key=lambda p: p.reading.outcomes["rejected"]).reading
        value = f"{worst.address} {worst.outcomes['rejected']} times, {len(again)} peers more than twice"
        evidence.append(Evidence(what="rejected again and again", value=value, source=SENSOR, tier=2))
    if proof:
        what = "came back with another cookie than the one given here"
        evidence.append(Evidence(what=what, value=f"{proof} handshakes", source=SENSOR, tier=2))
    why = "rejected right after a grant, so another server behind this address has another key"
    fix = Fix(
        text="do all servers behind this address share one key? Set the same on each, from a file that only root can"
        " read: tr -d '\\n' <KEYFILE >/proc/sys/net/ipv4/tcp_fastopen_key"
    )
    unknown = (
        "the other servers: compare the key's fingerprint there; many hosts behind one NAT look the same for a while"
    )
    return _finding(case, "keys_differ_servers", why, evidence, fix, f"{unknown} after a rotation")


def time_and_again(peer: PeerState) -> bool:
    """Rejected more than twice, and not seldom: a rotated key rejects a cookie once."""
    outcomes = peer.reading.outcomes
    return outcomes["rejected"] >= FEW and 4 * outcomes["rejected"] >= outcomes.get("accepted", 0)


def _back_with_another(scene: Scene) -> int:
    """Handshakes of the model that bring another cookie than this server gave the peer before."""
    latest: dict[str, Handshake] = {}
    found = 0
    for h in scene.handshakes:
        address = split_endpoint(h.peer)[0]
        before = latest.get(address)
        late = before is not None and h.ts_ns - before.ts_ns > SETTLED_NS
        if h.reason == "bad_cookie" and before and late and before.new_cookie_id not in (None, h.cookie_id):
            found += 1
        if _gives(h):
            latest[address] = h
    return found


def _open(case: Case) -> Finding:
    """Too little was seen to tell: the candidates, and what separates them."""
    candidates = ("key_rotated", "keys_differ_servers", "client_address_changes")
    why = "made with another key, or for another address of the client"
    fix = Fix(
        text="do all servers behind this address share one key? Was it changed without keeping the old as backup?"
    )
    found = _finding(case, "bad_cookie", why, (), fix, "which of the candidates it is: too few were seen")
    if FEW_PER_CENT * case.scene.came("server", "accepted").handshakes > 100 * case.seen.handshakes:
        found = replace(found, severity=ADVICE, cause=f"{found.cause}: few enough for clients that move about")
    check = "tfotop doctor --for 60: one rejection for each peer is a rotation, again and again another server's key"
    return replace(found, candidates=candidates, check=check)
