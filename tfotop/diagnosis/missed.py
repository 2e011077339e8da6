"""Round trips that could be saved: nothing is wrong, nobody asked. And an estimate of what Fast Open would save."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places, programs
from tfotop.diagnosis.finding import ADVICE, Evidence, Finding, Fix
from tfotop.diagnosis.scene import SENSOR, Scene, changed_peers, grouped
from tfotop.model.latency import median, rtt_us
from tfotop.model.state import Model, PeerState, State
from tfotop.words import ROLES

OFTEN: Final = 3
TFO: Final = ("cookie_granted", "cookie_refused", "accepted", "rejected", "lost")
BAD: Final = ("lost", "reset", "unanswered")  # whoever had these may well go without


class Saving(State, frozen=True, kw_only=True):
    """An estimate for one role: plain handshakes of the last interval, and those that Fast Open would have shortened.

    ``from_known_peers``: not the first of their peer, which could only fetch a cookie. ``saved_ms`` is their RTTs.
    """

    role: str
    handshakes: int
    from_known_peers: int
    median_rtt_us: float | None
    saved_ms: float

    @property
    def share(self) -> float:
        """Of all these handshakes, 0 to 1."""
        return self.from_known_peers / self.handshakes


def savings(model: Model) -> list[Saving]:
    """What enabling Fast Open would save, from the peers of the last interval; empty without eBPF, or nothing came."""
    return [saving for role in ROLES if (saving := _saving(model, role)) is not None]


def _saving(model: Model, role: str) -> Saving | None:
    mine = (p for _, p in changed_peers(model) if p.reading.role == role and p.interval.get("plain"))
    plain = [p for p in mine if not places.loopback(p.reading.address)]
    handshakes = sum(p.interval["plain"] for p in plain)
    if not handshakes:
        return None
    known = [(p, _known(p)) for p in plain]
    return Saving(
        role=role,
        handshakes=handshakes,
        from_known_peers=sum(number for _, number in known),
        median_rtt_us=median([us for p in plain if (us := rtt_us(p.reading)) is not None]),
        saved_ms=sum(number * (rtt_us(p.reading) or 0) for p, number in known) / 1000,
    )


def _known(peer: PeerState) -> int:
    """Its plain handshakes of the interval but for the very first of all, which would fetch the cookie."""
    before = sum(peer.reading.outcomes.values()) - sum(peer.interval.values())
    first = 0 if before or any(peer.interval.get(name) for name in TFO) else 1
    return max(0, peer.interval["plain"] - first)


def cookie_unused(scene: Scene) -> Iterator[Finding]:
    """Connections without Fast Open to a destination whose cookie the kernel holds."""
    cached = {m.destination for m in (scene.place.metrics if scene.place else None) or () if m.fo_cookie_len}
    if not cached or not scene.came("client", "plain").now:
        return
    plain = [p for p in scene.newest if p.reading.role == "client" and p.reading.address in cached and _only_plain(p)]
    plain = [p for p in plain if p.reading.last_reason not in ("blackhole", "client_bit_off")]
    plain = [p for p in plain if not any(p.reading.outcomes.get(name) for name in BAD)]
    if not plain:
        return
    processes = {p.reading.process.comm: p.reading.process for p in plain if p.reading.process}
    first = next(iter(processes.values()), None)
    who = ", ".join(list(processes)[:3]) or "a program"
    number = sum(p.interval["plain"] for p in plain)
    yield Finding(
        id="cookie_unused",
        severity=ADVICE,
        cause=f"{number} connections of {who} went without Fast Open although the cookie of the server is"
        f" cached{places.within(scene.place)}",
        evidence=(
            *(Evidence(what=p.reading.address, value=grouped(p.interval), source=SENSOR, tier=2) for p in plain[:5]),
            Evidence(what="cookies cached", value=str(len(cached)), source="tcp_metrics (generic netlink)", tier=0),
        ),
        fix=Fix(config=programs.client_config(first)),
        verify="tfotop events --role client: its next connection is accepted",
        unknown="whether its requests may be repeated, which Fast Open needs",
        role="client",
        netns=scene.inum,
        count=number,
    )


def _only_plain(peer: PeerState) -> bool:
    return peer.interval.get("plain", 0) >= OFTEN and not any(peer.interval.get(name) for name in TFO)


def proxy_leg(scene: Scene) -> Iterator[Finding]:
    """A program whose clients use Fast Open, and that itself connects onward without."""
    if not scene.came("server", "accepted").handshakes or not scene.came("client", "plain").now:
        return
    served = {p.reading.process.comm for p in scene.newest if p.reading.process and _accepts(p)}
    onward: dict[str, list[PeerState]] = defaultdict(list)
    for p in scene.newest:
        if p.reading.role == "client" and p.reading.process and p.reading.process.comm in served:
            onward[p.reading.process.comm].append(p)
    for comm, peers in onward.items():
        plain = [p for p in peers if _only_plain(p) and not places.loopback(p.reading.address)]
        if plain and not any(p.reading.outcomes.get(name) for p in peers for name in TFO):
            yield _proxy(scene, comm, plain)


def _accepts(peer: PeerState) -> bool:
    return peer.reading.role == "server" and bool(peer.reading.outcomes.get("accepted"))


def _proxy(scene: Scene, comm: str, plain: list[PeerState]) -> Finding:
    number = sum(p.interval["plain"] for p in plain)
    rtt = median([us for p in plain if (us := rtt_us(p.reading)) is not None])
    each = "" if rtt is None else f", {rtt / 1000:.2f} ms each"
    return Finding(
        id="proxy_leg",
        severity=ADVICE,
        cause=f"{comm} takes Fast Open from its clients, but connects onward without{places.within(scene.place)}:"
        f" {number} connections{each}",
        evidence=tuple(
            Evidence(what=f"{p.reading.address}:{p.reading.port}", value=grouped(p.interval), source=SENSOR, tier=2)
            for p in plain[:5]
        ),
        fix=Fix(config=programs.client_config(plain[0].reading.process)),
        verify=f"tfotop events --role client: connections of {comm} are accepted",
        unknown="whether the servers behind it take Fast Open: tfotop probe HOST:PORT",
        role="client",
        netns=scene.inum,
        count=number,
    )
