"""The two bits of net.ipv4.tcp_fastopen, in each namespace."""

from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places, programs
from tfotop.diagnosis.finding import ADVICE, BROKEN, PAST, Evidence, Finding, Fix
from tfotop.diagnosis.scene import Scene
from tfotop.model.state import Model
from tfotop.sample import Listener, Namespace
from tfotop.words import CLIENT_BIT, SERVER_BIT

NAME: Final = "net.ipv4.tcp_fastopen"
DEFAULT: Final = 1
SERVER_OFF: Final = f"the server bit 0x2 of {NAME} is off"


def server_bit(scene: Scene, model: Model) -> Iterator[Finding]:
    """Off although somebody wants it: clients that ask, or an application that asked for a queue."""
    seen, mode = scene.seen("server_bit_off"), scene.mode
    if mode is not None and mode & SERVER_BIT:
        if seen.handshakes:
            yield _server_finding(
                scene, f"{seen.words}: {SERVER_OFF}{places.within(scene.place)}", None, PAST, seen.handshakes
            )
        return
    if seen.handshakes:
        cause = f"{seen.words}: {SERVER_OFF}"
    elif mode is not None and scene.moved("TCPFastOpenCookieReqd"):
        cause = f"cookies are asked for, but {SERVER_OFF}"
    elif mode is not None and (waiting := _waiting(scene)):
        cause = f"{places.owner(waiting[0])} listens on port {waiting[0].port} with a Fast Open queue, but {SERVER_OFF}"
    else:
        yield from _unlike_the_host(scene, model)
        return
    cause += places.within(scene.place)
    if _inherits_nothing(scene, model):
        cause += ": a new network namespace starts with 1, whatever the host has"
    yield _server_finding(scene, cause, server_fix(scene.place, mode), BROKEN, seen.handshakes, model)


def server_fix(place: Namespace | None, mode: int | None) -> Fix:
    """Add the server bit to what the namespace has; the client's stands where nothing is known."""
    return places.set_sysctl(place, NAME, SERVER_BIT | (CLIENT_BIT if mode is None else mode), mode)


def _server_finding(
    scene: Scene, cause: str, fix: Fix | None, severity: str, count: int, model: Model | None = None
) -> Finding:
    default = model is not None and _inherits_nothing(scene, model)
    evidence = [scene.mode_evidence(), *map(scene.queue_evidence, _waiting(scene)[:3])]
    if count:
        evidence.append(scene.seen_evidence("refused: server_bit_off", scene.seen("server_bit_off")))
    elif scene.moved("TCPFastOpenCookieReqd"):
        evidence.append(scene.moved_evidence("TCPFastOpenCookieReqd"))
    return Finding(
        id="namespace_default" if default else "server_bit_off",
        severity=severity,
        cause=cause,
        evidence=tuple(evidence),
        fix=fix,
        verify=_verify(scene, "accepted"),
        unknown="whether clients ask for Fast Open at all" if not count else None,
        role="server",
        netns=scene.inum,
        count=count,
        now=severity == BROKEN,
    )


def _verify(scene: Scene, what: str) -> str:
    netns = f" --netns {scene.inum}" if scene.place is not None and not scene.place.own else ""
    return f"tfotop events{netns}: the second visit of a client is {what}"


def _waiting(scene: Scene) -> list[Listener]:
    """Listeners that were told to do Fast Open, for others than this host."""
    return [x for x in scene.listeners if programs.asked(x) and not places.loopback(x.address)]


def _inherits_nothing(scene: Scene, model: Model) -> bool:
    """Another namespace has the default although ours, the host's, says more."""
    host = model.own.reading.sysctls if model.own else None
    ours = host.tcp_fastopen if host else None
    other = scene.place is not None and not scene.place.own
    return other and scene.mode == DEFAULT and ours is not None and bool(ours & SERVER_BIT)


def _unlike_the_host(scene: Scene, model: Model) -> Iterator[Finding]:
    """Nobody asked yet, so nothing is wrong yet; but what listens there cannot do what the host was set to do."""
    open_ones = [x for x in scene.listeners if not places.loopback(x.address)]
    if not _inherits_nothing(scene, model) or not open_ones or model.own is None or model.own.reading.sysctls is None:
        return
    host = model.own.reading.sysctls.tcp_fastopen or 0
    what = f"{NAME} is the default 1{places.within(scene.place)} although the host says {host:#x}"
    host_evidence = Evidence(what=f"{NAME} of the host", value=f"{host:#x}", source=f"/proc/sys/{NAME}", tier=0)
    yield Finding(
        id="namespace_default",
        severity=ADVICE,
        cause=f"{what}: a new network namespace starts with 1, whatever the host has",
        evidence=(scene.mode_evidence(), host_evidence, *map(scene.queue_evidence, open_ones[:3])),
        fix=places.set_sysctl(scene.place, NAME, DEFAULT | host, scene.mode),
        verify=_verify(scene, "accepted, once its listener has a queue"),
        unknown="whether Fast Open is wanted there: no listener in it asked for a queue, no client for a cookie",
        role="server",
        netns=scene.inum,
    )


def client_bit(scene: Scene) -> Iterator[Finding]:
    """Off although cookies are cached (something here used Fast Open), or although the server's half is on."""
    mode = scene.mode
    if mode is None or mode & CLIENT_BIT or scene.place is None:
        return
    cached = [m for m in scene.place.metrics or () if m.fo_cookie_len]
    plain = scene.seen("client_bit_off", outcomes=("plain",))
    if not cached and not (mode & SERVER_BIT and plain.handshakes):
        return
    why = (
        "cookies are cached"
        if cached
        else f"{plain.words} of this host could not use it, while the server's half is on"
    )
    off = f"the client bit 0x1 of {NAME} is off{places.within(scene.place)}"
    evidence = [scene.mode_evidence()]
    if cached:
        source = "tcp_metrics (generic netlink)"
        evidence.append(Evidence(what="destinations with a cookie", value=str(len(cached)), source=source, tier=0))
    if plain.handshakes:
        evidence.append(scene.seen_evidence("plain connections while it is off", plain))
    yield Finding(
        id="client_bit_off",
        severity=BROKEN if cached else ADVICE,
        cause=f"{off}: sendto(MSG_FASTOPEN) and TCP_FASTOPEN_CONNECT fail; {why}",
        evidence=tuple(evidence),
        fix=_client_fix(scene, mode),
        verify=f"sysctl net.ipv4.tcp_fastopen is {mode | CLIENT_BIT}; tfotop events --role client",
        unknown="which applications wanted Fast Open: a refused call sends no packet that could be seen",
        role="client",
        netns=scene.inum,
        count=plain.handshakes,
    )


def _client_fix(scene: Scene, mode: int) -> Fix:
    return places.set_sysctl(scene.place, NAME, mode | CLIENT_BIT, mode)
