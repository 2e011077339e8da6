"""Keys that differ between sockets of one port, and the backup key after a rotation."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import ADVICE, DEGRADED, Evidence, Finding, Fix
from tfotop.diagnosis.scene import Scene
from tfotop.sample import Keys, Listener, Namespace

FILE: Final = "/proc/sys/net/ipv4/tcp_fastopen_key"
DROP_BACKUP: Final = f"sh -c 'key=$(cut -d, -f1 {FILE}) && echo \"$key\" >{FILE}'"


def copy_key(source: Namespace, target: Namespace | None) -> Fix:
    """Give one namespace the key of another: the key itself is on no command line."""
    read = places.inside(source, f"cat {FILE}")
    write = places.inside(target, f"tee {FILE}")
    return Fix(
        command=f"{read} | {write} >/dev/null" if read and write else None,
        text=None if read and write else "set the same net.ipv4.tcp_fastopen_key in both namespaces",
        lasting="write the same key wherever these namespaces are made, from a file that only root can read",
    )


def keep_old(place: Namespace | None) -> Fix:
    """The old key is not known any more here: whoever rotated it has it."""
    words = (
        f"write NEWKEY,OLDKEY to {FILE}{places.within(place)}: the second is the backup; else wait, each client gets"
    )
    return Fix(text=f"{words} a new cookie with its rejection", lasting="rotate with the old key as backup each time")


def siblings(scene: Scene) -> Iterator[Finding]:
    """SO_REUSEPORT siblings of which one does not know the key of another, not even as backup: its cookies are bad."""
    groups: dict[tuple[str, int], list[Listener]] = defaultdict(list)
    for listener in scene.listeners:
        if listener.max_qlen:
            groups[listener.address, listener.port].append(listener)
    shared = scene.place.keys if scene.place and scene.place.keys else Keys()
    for (_, port), group in groups.items():
        keys = [(x.own_key, x.own_backup) if x.own_key else (shared.primary, shared.backup) for x in group]
        given = {primary or "not known" for primary, _ in keys}
        if any(given - {primary or "not known", backup} for primary, backup in keys):
            yield _siblings(scene, port, group, sorted(given))


def _siblings(scene: Scene, port: int, group: list[Listener], names: list[str]) -> Finding:
    evidence = tuple(
        Evidence(
            what=f"key of {places.owner(x)}, socket {x.cookie} (fingerprint)",
            value=x.own_key or "the namespace's",
            source="getsockopt(TCP_FASTOPEN_KEY) on the socket itself",
            tier=1,
        )
        for x in group[:8]
    )
    seen = scene.seen("bad_cookie", "server")
    return Finding(
        id="keys_differ_siblings",
        severity=DEGRADED,
        cause=f"{len(group)} sockets share port {port}{places.within(scene.place)} (SO_REUSEPORT), but have"
        f" {len(names)} different keys: each rejects the cookies of the others",
        evidence=(*evidence, scene.seen_evidence("rejected: bad_cookie", seen)) if seen.handshakes else evidence,
        fix=Fix(
            config="in the program: give each of the sockets the same key with setsockopt(TCP_FASTOPEN_KEY), or none",
            text=f"without a key of their own they all use the namespace's, {FILE}",
        ),
        verify=f"tfotop's view of listeners (key 2) shows one key for port {port}",
        unknown=None,
        role="server",
        netns=scene.inum,
        port=port,
        count=seen.handshakes,
    )


def backup(scene: Scene) -> Iterator[Finding]:
    """After a rotation: how much still comes with the old key, and when it can go."""
    keys = scene.place.keys if scene.place else None
    used, accepted = scene.came("server", "accepted", variant="backup_key"), scene.came("server", "accepted")
    ever = scene.counter("TCPFastOpenPassiveAltKey")
    if not keys or not keys.backup or not (used.handshakes or ever):
        return
    yield _backup(scene, keys, used.handshakes or scene.moved("TCPFastOpenPassiveAltKey"), accepted.handshakes)


def _backup(scene: Scene, keys: Keys, used: int, accepted: int) -> Finding:
    watched_s = (scene.model.mono_ns - scene.model.started_ns) / 1e9
    share = f" of {accepted} accepted ({100 * used / accepted:.0f} %)" if accepted else ""
    fact = (
        f"{used} handshakes{share} still used the backup key in {watched_s:.0f} s" if used else "nobody used the backup"
    )
    when = (
        "keep it until that stays 0 for as long as clients may stay away"
        if used
        else (f"in {watched_s:.0f} s: it can go when that stays so for as long as clients may stay away")
    )
    evidence = [Evidence(what="key (fingerprint)", value=f"{keys.primary}, backup {keys.backup}", source=FILE, tier=1)]
    if scene.counter("TCPFastOpenPassiveAltKey") is not None:
        evidence.append(scene.moved_evidence("TCPFastOpenPassiveAltKey"))
    if scene.model.attached:
        seen = scene.came("server", "accepted", variant="backup_key")
        evidence.append(scene.seen_evidence("accepted by the backup key", seen))
    return Finding(
        id="backup_key",
        severity=ADVICE,
        cause=f"a key rotation is under way{places.within(scene.place)}: {fact}{';' if used else ''} {when}",
        evidence=tuple(evidence),
        fix=None
        if used
        else Fix(command=places.inside(scene.place, DROP_BACKUP), text="drop the backup key, once it is time"),
        verify="TCPFastOpenPassiveAltKey no longer moves: nstat TcpExtTCPFastOpenPassiveAltKey",
        unknown="clients that have not come back yet: each changes to the new key at its next visit",
        role="server",
        netns=scene.inum,
        count=used,
        now=bool(used),
    )
