"""What else makes a server refuse: SYN cookies, full queues of a listener, no key, a child that could not be made."""

from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places, programs
from tfotop.diagnosis.finding import BROKEN, DEGRADED, PAST, Evidence, Finding, Fix
from tfotop.diagnosis.scene import Scene, Seen
from tfotop.sample import Listener
from tfotop.words import SERVER_BIT

SYNCOOKIES: Final = "net.ipv4.tcp_syncookies"
MAX_SYN_BACKLOG: Final = "net.ipv4.tcp_max_syn_backlog"
# A key straight from the kernel's random numbers into the setting: on no command line, in no file.
NEW_KEY: Final = "sh -c \"od -An -tx4 -N16 /dev/urandom | sed 's/^ *//; s/ /-/g' >/proc/sys/net/ipv4/tcp_fastopen_key\""


def syn_cookies(scene: Scene) -> Iterator[Finding]:
    """In force by setting (2: always), or because a queue of requests overflows."""
    seen = scene.seen("syn_cookies")
    mode = scene.syncookies
    queues = [x for x in scene.listeners if programs.asked(x) and not places.loopback(x.address)]
    sent = scene.moved("SyncookiesSent") if queues and not scene.model.attached else 0
    always = mode == 2 and bool(queues) and bool((scene.mode or 0) & SERVER_BIT)
    if not seen.handshakes and not sent and not always:
        return
    evidence = [] if mode is None else [scene.setting(SYNCOOKIES, mode)]
    if seen.handshakes:
        evidence.append(scene.seen_evidence("refused: syn_cookies", seen))
    if sent:
        evidence.append(scene.moved_evidence("SyncookiesSent"))
    what = f"{seen.words}: " if seen.handshakes else ""
    why = " by setting (tcp_syncookies is 2)" if mode == 2 else ": a listener's queue of requests overflows"
    yield Finding(
        id="syn_cookies",
        severity=BROKEN if mode == 2 else DEGRADED,
        cause=f"{what}SYN cookies are in force{why}{places.within(scene.place)}, and with them Fast Open is not",
        evidence=tuple(evidence),
        fix=places.set_sysctl(scene.place, SYNCOOKIES, 1, mode) if mode == 2 else _more_room(scene),
        verify="SyncookiesSent no longer moves: nstat TcpExtSyncookiesSent",
        unknown=None if mode == 2 else "whether the load is genuine or a SYN flood",
        role="server",
        netns=scene.inum,
        count=seen.handshakes,
        now=always or bool(sent) or bool(seen.now),
    )


def _more_room(scene: Scene) -> Fix:
    backlog = max((x.backlog for x in scene.listeners), default=0)
    return Fix(
        text=f"a larger backlog in listen() (the largest here is {backlog}) and somaxconn, or an end of the flood"
    )


def accept_queue(scene: Scene) -> Iterator[Finding]:
    """The application is slower than its clients: their SYNs are dropped, with Fast Open or without.

    eBPF calls a SYN unanswered only after seconds; the counter and the queue itself tell at once.
    """
    seen = scene.seen("accept_queue_full")
    ports = set(scene.ports_of("accept_queue_full")) if seen.handshakes else set()
    overfull = [x for x in scene.listeners if x.accept_queue > x.backlog and (x.port in ports or not ports)]
    if not seen.handshakes:
        overfull = [x for x in overfull if x.max_qlen]
        if not scene.moved("ListenOverflows") or not overfull:
            return
    yield _accept_queue(scene, overfull, seen, ports or {x.port for x in overfull})


def _accept_queue(scene: Scene, overfull: list[Listener], seen: Seen, ports: set[int]) -> Finding:
    port = next(iter(ports)) if len(ports) == 1 else None
    where = f" of port {port}" if port else f" of ports {', '.join(map(str, sorted(ports)[:8]))}" if ports else ""
    evidence = [
        Evidence(
            what=f"accept queue of port {x.port}",
            value=f"{x.accept_queue} wait, backlog {x.backlog}",
            source="sock_diag",
            tier=scene.tier(),
        )
        for x in overfull[:3]
    ]
    if seen.handshakes:
        evidence.append(scene.seen_evidence("dropped: accept_queue_full", seen))
    if scene.moved("ListenOverflows"):
        evidence.append(scene.moved_evidence("ListenOverflows"))
    what = f"{seen.words}: " if seen.handshakes else ""
    who = f" ({places.owner(overfull[0])})" if overfull and port else ""
    return Finding(
        id="accept_queue_full",
        severity=BROKEN,
        cause=f"{what}the accept queue{where} is full{places.within(scene.place)}: the application{who} is too slow"
        " to accept, and SYNs are dropped",
        evidence=tuple(evidence),
        fix=Fix(
            text="a faster accept() (is the process stuck?), or a larger backlog in listen() and net.core.somaxconn"
        ),
        verify="ss -ltn: Recv-Q of the listener is below its Send-Q; ListenOverflows no longer moves",
        unknown="why the application does not accept",
        role="server",
        netns=scene.inum,
        port=port,
        count=seen.handshakes,
        now=bool(overfull) or bool(seen.now),
    )


def syn_queue(scene: Scene) -> Iterator[Finding]:
    """Half-open connections fill a listener's queue, and SYN cookies may not be used: SYNs are dropped.

    At the backlog (TCPReqQFullDrop), or at three quarters of tcp_max_syn_backlog (ListenDrops, as other drops).
    """
    seen, dropped = scene.seen("syn_queue_full"), scene.moved("TCPReqQFullDrop")
    mode = scene.syncookies
    if not seen.handshakes and not (dropped and any(x.max_qlen for x in scene.listeners)):
        return
    settings = (SYNCOOKIES, mode), (MAX_SYN_BACKLOG, scene.max_syn_backlog)
    evidence = [scene.setting(name, value) for name, value in settings if value is not None]
    if seen.handshakes:
        evidence.append(scene.seen_evidence("dropped: syn_queue_full", seen))
    if dropped:
        evidence.append(scene.moved_evidence("TCPReqQFullDrop"))
    yield Finding(
        id="syn_queue_full",
        severity=BROKEN if not mode else PAST,
        cause=(f"{seen.words}: " if seen.handshakes else "") + "half-open connections fill the SYN queue of a listener"
        f"{places.within(scene.place)}, and SYN cookies {'were' if mode else 'are'} off: SYNs are dropped",
        evidence=tuple(evidence),
        fix=None if mode else places.set_sysctl(scene.place, SYNCOOKIES, 1, mode),
        verify="neither counter moves any more: nstat TcpExtTCPReqQFullDrop TcpExtListenDrops",
        unknown="whether the load is genuine or a SYN flood; if it is genuine, a larger backlog (the application's, and"
        " tcp_max_syn_backlog) keeps Fast Open too",
        role="server",
        netns=scene.inum,
        count=seen.handshakes,
        now=not mode and (bool(dropped) or bool(seen.now)),
    )


def no_key(scene: Scene) -> Iterator[Finding]:
    """Without a key no cookie is made: seen, or by the settings of a namespace whose listeners wait for requests."""
    seen, keys = scene.seen("no_key"), scene.place.keys if scene.place else None
    waiting = [x for x in scene.listeners if x.max_qlen and x.own_key is None]
    absent = bool(keys and not keys.primary and waiting and (scene.mode or 0) & SERVER_BIT)
    if not seen.handshakes and not absent:
        return
    evidence = [scene.mode_evidence()]
    if keys:
        evidence.append(scene.setting("net.ipv4.tcp_fastopen_key", keys.primary or "none", at_root=True))
    if seen.handshakes:
        evidence.append(scene.seen_evidence("refused: no_key", seen))
    yield Finding(
        id="no_key",
        severity=BROKEN,
        cause=(f"{seen.words}: " if seen.handshakes else "") + f"there is no Fast Open key{places.within(scene.place)}",
        evidence=tuple(evidence),
        fix=Fix(
            command=places.inside(scene.place, NEW_KEY),
            text="several servers behind one address need the same key",
            lasting="write the same key at each boot, from a file that only root can read",
        ),
        verify="tfotop stream -n 1 shows a key; tfotop events: the next request is granted",
        unknown="why it is missing: the kernel makes one when a listener asks for a queue, unless it is out of memory",
        role="server",
        netns=scene.inum,
        count=seen.handshakes,
        now=absent or bool(seen.now),
    )


def failed_child(scene: Scene) -> Iterator[Finding]:
    """A valid cookie, and yet no socket."""
    seen = scene.seen("failed_child")
    if not seen.handshakes:
        return
    yield Finding(
        id="failed_child",
        severity=DEGRADED,
        cause=f"{seen.words}: the cookie was valid, but no socket could be made{places.within(scene.place)}",
        evidence=(scene.seen_evidence("rejected: failed_child", seen), scene.moved_evidence("TCPFastOpenPassiveFail")),
        fix=Fix(
            text="look for memory pressure: dmesg, /proc/net/sockstat against net.ipv4.tcp_mem, the cgroup's limit"
        ),
        verify="TCPFastOpenPassiveFail no longer moves: nstat TcpExtTCPFastOpenPassiveFail",
        unknown="what the kernel ran out of",
        role="server",
        netns=scene.inum,
        count=seen.handshakes,
        now=bool(seen.now),
    )
