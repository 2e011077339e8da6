"""Listeners: without a Fast Open queue, with one that is too small or full, and what else turns their clients away."""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import Final

from tfotop.diagnosis import places, programs
from tfotop.diagnosis.finding import BROKEN, DEGRADED, PAST, Evidence, Finding, Fix, Queue
from tfotop.diagnosis.scene import Scene, Seen
from tfotop.model.latency import rtt_us
from tfotop.sample import Listener
from tfotop.words import SERVER_BIT, SERVER_WITHOUT_SOCKOPT_BIT

SOMAXCONN: Final = "net.core.somaxconn"
EVERYONE: Final = SERVER_BIT | SERVER_WITHOUT_SOCKOPT_BIT
NEVER_ASKED: Final = "the application never asked for a Fast Open queue"
TOO_EARLY: Final = "it began to listen before bit 0x400 was set, which acts only at listen()"


def missing(scene: Scene) -> Iterator[Finding]:
    """Listeners without a queue whose clients are refused; with bit 0x400 all that began to listen too early."""
    seen, asked = scene.seen("no_queue"), scene.moved("TCPFastOpenCookieReqd")
    mute = [x for x in scene.listeners if x.max_qlen == 0]
    server_on = bool(scene.mode is not None and scene.mode & SERVER_BIT)
    if seen.handshakes:
        ports = scene.ports_of("no_queue")
        named = [x for x in mute if x.port in ports] or ([] if ports else mute)
        yield _missing(scene, named, f"{seen.words}: the listener has no Fast Open queue", seen)
    elif scene.mode is not None and scene.mode & EVERYONE == EVERYONE and (early := [x for x in mute if _public(x)]):
        yield _missing(scene, early, "a listener has no Fast Open queue, although bit 0x400 gives one to all", seen)
    elif server_on and asked and mute and len(mute) == len(scene.listeners):
        yield _missing(scene, mute, "cookies are asked for, but no listener has a Fast Open queue", seen)


def _public(listener: Listener) -> bool:
    return not places.loopback(listener.address)


def _missing(scene: Scene, mute: list[Listener], what: str, seen: Seen) -> Finding:
    early = bool((scene.mode or 0) & SERVER_WITHOUT_SOCKOPT_BIT)
    first = mute[0] if mute else None
    who = f" ({places.owner(first)}, port {first.port})" if first and len(mute) == 1 else ""
    ended = seen.handshakes > 0 and not mute and _have_one_now(scene, seen)
    evidence = [scene.mode_evidence(), *map(scene.queue_evidence, mute[:8])]
    if seen.handshakes:
        evidence.append(scene.seen_evidence("refused: no_queue", seen))
    if scene.moved("TCPFastOpenCookieReqd"):
        evidence.append(scene.moved_evidence("TCPFastOpenCookieReqd"))
    several = len(mute) > 1
    return Finding(
        id="listened_before_0x400" if early else "no_queue",
        severity=PAST if ended else BROKEN,
        cause=f"{what}{who}{places.within(scene.place)}: {TOO_EARLY if early else NEVER_ASKED}",
        evidence=tuple(evidence),
        fix=None if ended else _give_queue(scene, mute, early),
        verify="tfotop stream -n 1 shows its Fast Open queue; tfotop events: the next request is granted",
        unknown="which of these listeners was asked" if several else None,
        candidates=tuple(f"port {x.port} of {places.owner(x)}" for x in mute) if several else (),
        check="run with eBPF, which sees the port of each request" if several and not scene.model.attached else None,
        role="server",
        netns=scene.inum,
        port=first.port if first and len({x.port for x in mute}) == 1 else None,
        count=seen.handshakes,
        now=not ended,
    )


def _have_one_now(scene: Scene, seen: Seen) -> bool:
    """Whether the listeners that refused are known to have a queue by now; or they are gone, and nobody is refused."""
    if scene.place is None or scene.place.listeners is None:
        return False
    ports = scene.ports_of("no_queue")
    asked = [x for x in scene.listeners if x.port in ports or not ports]
    return all(x.max_qlen for x in asked) if asked else not seen.now


def _give_queue(scene: Scene, mute: list[Listener], early: bool) -> Fix:
    """Its own directive and a restart, or the restart alone where bit 0x400 would then do."""
    listener = mute[0] if mute else None
    restart = programs.restart(listener) if listener else None
    config = None if early else programs.server_config(listener) if listener else programs.ANY_SERVER
    words = "restart the program that listens" if early else "configure it, then restart the program that listens"
    return Fix(
        command=places.inside(scene.place, restart) if restart and scene.place and scene.place.own else None,
        config=config,
        text=f"{words}; where it cannot be configured: {_for_all(scene)}, and restart it",
        queues=queues_of(scene, mute, programs.QUEUE) if len({x.port for x in mute}) == 1 else (),
    )


def _for_all(scene: Scene) -> str:
    value = (scene.mode if scene.mode is not None else 3) | EVERYONE
    command = f"sysctl -w net.ipv4.tcp_fastopen={value:#x}"
    return places.inside(scene.place, command) or command


def queues_of(scene: Scene, listeners: Sequence[Listener], max_qlen: int) -> tuple[Queue, ...]:
    """What the running listeners should have."""
    inum = scene.inum
    return () if inum is None else tuple(Queue(netns=inum, cookie=x.cookie, max_qlen=max_qlen) for x in listeners)


def full(scene: Scene) -> Iterator[Finding]:
    """Seen full, with eBPF by the port, else by the counter."""
    seen, moved = scene.seen("queue_full"), scene.moved("TCPFastOpenListenOverflow")
    if seen.handshakes:
        ports = scene.ports_of("queue_full")
        yield _full(scene, [x for x in scene.listeners if x.port in ports], f"{seen.words}: ", seen)
    elif moved and not scene.model.attached:
        yield _full(scene, [x for x in scene.listeners if x.max_qlen], "", seen)


def _full(scene: Scene, listeners: list[Listener], what: str, seen: Seen) -> Finding:
    smallest = min(listeners, key=lambda x: x.max_qlen or 0, default=None)
    limit = smallest.max_qlen if smallest else None
    capped = limit is not None and limit == scene.somaxconn
    size = f" (max_qlen {limit}{', capped at somaxconn' if capped else ''})" if limit else ""
    port = smallest.port if smallest and len({x.port for x in listeners}) == 1 else None
    whose = f" of port {port} ({places.owner(smallest)})" if smallest and port else ""
    evidence = [scene.queue_evidence(x) for x in listeners[:3]]
    if capped:
        evidence.append(scene.setting(SOMAXCONN, scene.somaxconn))
    if seen.handshakes:
        evidence.append(scene.seen_evidence("refused: queue_full", seen))
    if scene.moved("TCPFastOpenListenOverflow"):
        evidence.append(scene.moved_evidence("TCPFastOpenListenOverflow"))
    return Finding(
        id="queue_capped" if capped else "queue_full",
        severity=DEGRADED,
        cause=f"{what}the Fast Open queue{whose} is full{size}{places.within(scene.place)}",
        evidence=tuple(evidence),
        fix=_larger(scene, smallest, max(programs.QUEUE, 2 * (limit or 0)), capped),
        verify="TCPFastOpenListenOverflow no longer moves: nstat TcpExtTCPFastOpenListenOverflow",
        unknown="whether a burst, slow clients or a flood of forged SYNs fills it: it holds children until their ACK",
        role="server",
        netns=scene.inum,
        port=port,
        count=seen.handshakes,
        now=bool(seen.now) or not seen.handshakes,
    )


def _larger(scene: Scene, listener: Listener | None, queue: int, capped: bool) -> Fix:
    """Where the kernel capped the queue the application has asked for more already: somaxconn first."""
    config = programs.server_config(listener, queue) if listener else programs.ANY_SERVER
    if not capped:
        restart = programs.restart(listener) if listener and scene.place and scene.place.own else None
        text = f"a larger TCP_FASTOPEN value on the listener ({queue}), then restart it"
        return Fix(
            command=restart,
            config=config,
            text=text,
            queues=queues_of(scene, [listener] if listener else [], queue),
        )
    raised = places.set_sysctl(scene.place, SOMAXCONN, max(4096, queue), scene.somaxconn)
    again = programs.restart(listener) if listener else None
    return Fix(
        command=raised.command,
        text=f"then restart the program, so that it asks again ({again or 'setsockopt TCP_FASTOPEN anew'})",
        lasting=raised.lasting,
        undo=raised.undo,
        sysctl=raised.sysctl,
        queues=queues_of(scene, [listener] if listener else [], max(4096, queue)),
    )


def small(scene: Scene) -> Iterator[Finding]:
    """By its size against the rate: on average rate x RTT wait in it (Little's law), in peaks four sigma more."""
    if scene.seen("queue_full").now or not scene.model.interval_s:
        return
    if not scene.came("server", "accepted").now:
        return
    accepted = [p for p in scene.newest if p.reading.role == "server" and p.interval.get("accepted")]
    for listener in scene.listeners:
        mine = [p for p in accepted if p.reading.port == listener.port]
        mean = sum(p.interval["accepted"] * (rtt_us(p.reading) or 0) / 1e6 for p in mine) / scene.model.interval_s
        peak = ceil(mean + 4 * sqrt(mean))
        if listener.max_qlen and peak > listener.max_qlen and mean > listener.max_qlen / 4:
            yield _small(scene, listener, mean, peak, sum(p.interval["accepted"] for p in mine))


def _small(scene: Scene, listener: Listener, mean: float, peak: int, accepted: int) -> Finding:
    capped = listener.max_qlen == scene.somaxconn
    per_s = accepted / (scene.model.interval_s or 1)
    value = f"{per_s:.0f}/s accepted, each waits its handshake RTT: {mean:.1f} at a time, peaks of {peak}"
    return Finding(
        id="queue_small",
        severity=DEGRADED,
        cause=f"the Fast Open queue of port {listener.port} ({listener.max_qlen}) is too small for the rate: peaks need"
        f" about {peak}{places.within(scene.place)}",
        evidence=(
            scene.queue_evidence(listener),
            Evidence(what="rate x RTT", value=value, source="eBPF, peers of the last interval", tier=2),
        ),
        fix=_larger(scene, listener, max(programs.QUEUE, 2 * peak), capped),
        verify="tfotop doctor, under the same load",
        unknown="what was asked for when it was capped; how the load changes",
        role="server",
        netns=scene.inum,
        port=listener.port,
        count=accepted,
    )
