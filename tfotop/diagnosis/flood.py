"""SYNs that nothing follows: most likely their addresses are forged."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import DEGRADED, Evidence, Finding, Fix
from tfotop.diagnosis.refusals import SYNCOOKIES
from tfotop.diagnosis.scene import SENSOR, Scene, Seen
from tfotop.model.selection import split_endpoint

LEAST_PER_S: Final = 100
NEWEST: Final = 200  # handshakes that are asked which port it is


def syn_flood(scene: Scene) -> Iterator[Finding]:
    """More than half of the SYNs of the last interval never became a connection, by the kernel's count (PassiveOpens).

    What the accept queue had no room for is the application's doing: SYNs are left out by their reason, and where the
    newest handshakes show that ACKs come, it had no room for those.
    """
    moved, interval_s = (scene.state.moved if scene.state else None) or {}, scene.model.interval_s
    if "PassiveOpens" not in moved or not interval_s:
        return
    came = sum(t.handshakes for t in scene.interval if t.role == "server" and t.reason != "accept_queue_full")
    alone = came - moved["PassiveOpens"]
    if alone / interval_s >= LEAST_PER_S and 2 * alone > came and not _acknowledged(scene):
        yield _finding(scene, came, Seen(alone, alone, alone / interval_s))


def _acknowledged(scene: Scene) -> bool:
    """Whether most of the newest handshakes were: then somebody is there."""
    newest = [h for h in scene.handshakes if h.role == "server"][-NEWEST:]
    return bool(newest) and 2 * sum(h.ack_us is not None for h in newest) > len(newest)


def _finding(scene: Scene, came: int, alone: Seen) -> Finding:
    port = _port(scene)
    to = f" to port {port}" if port else ""
    evidence = [Evidence(what="SYNs that came in", value=f"{came} in the same time", source=SENSOR, tier=2)]
    evidence += [scene.moved_evidence("PassiveOpens")]
    evidence += [scene.moved_evidence(name) for name in ("SyncookiesSent", "ListenDrops") if scene.moved(name)]
    return Finding(
        id="syn_flood",
        severity=DEGRADED,
        cause=f"{alone.words}: no ACK follows the SYN{to}{places.within(scene.place)}: a SYN flood, or answers that get"
        " lost on their way back",
        evidence=tuple(evidence),
        fix=_fix(scene),
        verify="nstat TcpPassiveOpens TcpExtListenDrops TcpExtTCPReqQFullDoCookies: only the first moves",
        unknown="who sends them: their addresses may be forged",
        role="server",
        netns=scene.inum,
        port=port,
        count=alone.handshakes,
    )


def _port(scene: Scene) -> int | None:
    """The port that most of the newest of them came to, if there is one; where there is one listener, its port."""
    listening = {listener.port for listener in scene.listeners}
    if len(listening) == 1:
        return listening.pop()
    unproven = (h for h in scene.handshakes[-NEWEST:] if h.role == "server" and h.ack_us is None)
    ports = Counter(split_endpoint(h.local)[1] for h in unproven)
    most = ports.most_common(1)
    return most[0][0] if most and 2 * most[0][1] > ports.total() else None


def _fix(scene: Scene) -> Fix:
    """SYN cookies let real clients in, though without Fast Open for as long as the queue overflows."""
    if scene.syncookies == 0:
        return places.set_sysctl(scene.place, SYNCOOKIES, 1, 0)
    return Fix(
        text="stop it upstream; until then SYN cookies let real clients in, without Fast Open while the queue overflows"
    )
