"""Blackhole protection: after a third timeout in a row, or a reset out of order, the kernel stops to ask for Fast Open.

net/ipv4/tcp_fastopen.c, ``tcp_fastopen_active_should_disable``: for the timeout times 2 to the power of the times
before, at most 64 times. Writing the sysctl, whatever the value, ends it (``proc_tfo_blackhole_detect_timeout``).
"""

from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import BROKEN, Evidence, Finding, Fix
from tfotop.diagnosis.scene import SENSOR, Scene
from tfotop.sample import Handshake

SECOND: Final = 1_000_000_000
NAME: Final = "net.ipv4.tcp_fastopen_blackhole_timeout_sec"
COUNTER: Final = "TCPFastOpenBlackhole"
# The third timeout is 7 s after the SYN, 3 s where the first are a second apart (tcp_syn_linear_timeouts, Linux 6.5).
THIRD_TIMEOUT_NS: Final = 8 * SECOND
NO_ANSWER: Final = {"unanswered": "gave no answer", "lost": "gave no answer at first"}
ASKED: Final = ("accepted", "rejected", "cookie_granted", "cookie_refused")


def active(scene: Scene) -> Iterator[Finding]:
    """Connections that asked and went without, or the counter that has just moved."""
    seen = scene.seen("blackhole", "client", ("plain",))
    base = scene.place.sysctls.blackhole_timeout_s if scene.place and scene.place.sysctls else None
    since_ns = scene.state.blackhole_ns if scene.state else None
    if base == 0 or not (seen.handshakes or since_ns is not None):
        return
    longest = None if base is None else base << min(max((scene.counter(COUNTER) or 1) - 1, 0), 6)
    left = _left(scene, longest, since_ns)
    if (left is not None and left <= 0 and not seen.now) or _over(scene):
        return
    starter = _started_by(scene)
    what = f"{seen.words}: " if seen.handshakes else ""
    bound = "" if left is None else f" for at most {max(left, 0):.0f} s more"
    evidence = [scene.setting(NAME, "-" if base is None else base)]
    if scene.counter(COUNTER) is not None:
        evidence.append(scene.moved_evidence(COUNTER))
    if seen.handshakes:
        evidence.append(scene.seen_evidence("sent without Fast Open: blackhole", seen))
    if starter:
        value = f"{starter.outcome}, SYN sent {starter.syn_retransmits + 1} times, {starter.syn_data_bytes} B of data"
        evidence.append(Evidence(what=f"started by a connection to {starter.peer}", value=value, source=SENSOR, tier=2))
    yield Finding(
        id="blackhole",
        severity=BROKEN,
        cause=f"{what}blackhole protection has disabled Fast Open here{bound}{places.within(scene.place)}"
        + (f", after {starter.peer} {NO_ANSWER[starter.outcome]}" if starter else ""),
        evidence=tuple(evidence),
        fix=_end(scene, base),
        verify="tfotop events --role client: no more `plain: blackhole protection active`",
        unknown=None if starter else "what started it: it was before tfotop, or no SYN (timeouts and resets count too)",
        role="client",
        netns=scene.inum,
        count=seen.handshakes,
    )


def _over(scene: Scene) -> bool:
    """A SYN with the option was answered since the last that went without, and since the counter moved."""
    mine = [h for h in scene.handshakes if h.role == "client"]
    last_ns = max((h.ts_ns for h in mine if h.reason == "blackhole"), default=None)
    since_ns = scene.state.blackhole_ns if scene.state else None
    moved_ns = since_ns + scene.model.wall_ns - scene.model.mono_ns if since_ns is not None else 0
    return last_ns is not None and any(h.ts_ns > max(last_ns, moved_ns) and h.outcome in ASKED for h in mine)


def _left(scene: Scene, longest: int | None, since_ns: int | None) -> float | None:
    """Seconds, an upper bound: a success since would have begun the doubling anew."""
    if longest is None:
        return None
    return longest - (scene.model.mono_ns - since_ns) / 1e9 if since_ns is not None else float(longest)


def _started_by(scene: Scene) -> Handshake | None:
    """The last SYN whose third timeout was as the protection began; no other outcome of a SYN starts it."""
    since_ns, until_ns = _began_ns(scene)
    mine = (h for h in reversed(scene.handshakes) if h.role == "client" and since_ns <= h.ts_ns <= until_ns)
    return next((h for h in mine if _timed_out(h)), None)


def _timed_out(h: Handshake) -> bool:
    """Whether it brought the option, and three SYNs went without an answer."""
    asked = h.syn_data_bytes or h.cookie_len is not None
    return bool(asked) and h.outcome in NO_ANSWER and h.syn_retransmits >= (3 if h.outcome == "lost" else 2)


def _began_ns(scene: Scene) -> tuple[int, int]:
    """From when to when the SYN was sent that began it, in CLOCK_REALTIME; nothing where it was before we looked."""
    model, since_ns = scene.model, scene.state.blackhole_ns if scene.state else None
    if since_ns is not None:
        seen_ns = since_ns + model.wall_ns - model.mono_ns
        return seen_ns - THIRD_TIMEOUT_NS - int((model.interval_s or 0) * SECOND), seen_ns
    without = [h.ts_ns for h in scene.handshakes if h.role == "client" and h.reason == "blackhole"]
    return 0, -1 if scene.place and scene.place.counters else min(without, default=model.wall_ns)


def _end(scene: Scene, base: int | None) -> Fix:
    """The same value again: it ends this time, and the protection stays."""
    value = 3600 if base is None else base
    fix = places.set_sysctl(scene.place, NAME, value, base)
    return Fix(
        command=fix.command,
        text="it ends now and comes again if the path is not mended; 0 switches the protection off for good",
        lasting=fix.lasting if base is None else "nothing to make last: the value is unchanged",
        undo=None,
        sysctl=fix.sysctl,
    )
