"""Without eBPF: what the kernel's counters say, and what they cannot tell apart. Never one cause by guess."""

from collections.abc import Iterator
from typing import Final

from tfotop.diagnosis import places
from tfotop.diagnosis.finding import DEGRADED, Evidence, Finding, Fix
from tfotop.diagnosis.scene import Scene
from tfotop.model.state import Model

CHECK: Final = "eBPF tells which: sudo tfotop doctor, without --no-bpf, sees the reason of each handshake"
FAILS: Final = {1: "no cookie", 2: "data not acknowledged", 3: "SYN sent again"}  # tcpi_fastopen_client_fail


def disagreements(model: Model) -> Iterator[Finding]:
    """Totals that differ from the kernel's: nothing else that is said may be trusted then."""
    for state in model.namespaces:
        for check in state.checks:
            if not check.agrees:
                cause = f"totals and kernel differ: {check.counter} {check.kernel:+d}, tfotop {check.tfotop:+d}"
                where = f" (netns {state.reading.inum})"
                evidence = (
                    Evidence(what=check.counter, value=f"{check.kernel:+d}", source="/proc/net/netstat", tier=0),
                    Evidence(what="tfotop's total", value=f"{check.tfotop:+d}", source="eBPF", tier=2),
                )
                yield Finding(
                    id="totals_differ",
                    severity="unsure",
                    cause=cause + where,
                    evidence=evidence,
                    fix=None,
                    verify=None,
                    unknown="which of the two is right",
                    netns=state.reading.inum,
                )


def server_rejected(scene: Scene) -> Iterator[Finding]:
    """PassiveFail: a rotated key and a child that failed look alike."""
    moved = scene.moved("TCPFastOpenPassiveFail")
    if scene.model.attached or not moved:
        return
    evidence = [scene.moved_evidence("TCPFastOpenPassiveFail")]
    before = scene.state.keys_before if scene.state else None
    if before and scene.place and scene.place.keys:
        value = f"from {before.primary} to {scene.place.keys.primary}"
        source = "/proc/sys/net/ipv4/tcp_fastopen_key"
        evidence.append(Evidence(what="the key changed", value=value, source=source, tier=1))
    yield Finding(
        id="rejected_unknown",
        severity=DEGRADED,
        cause=f"cookies are rejected{places.within(scene.place)}: another key, a changed address, or a child that"
        " failed",
        evidence=tuple(evidence),
        fix=Fix(text="eBPF tells which"),
        verify="TCPFastOpenPassiveFail no longer moves: nstat TcpExtTCPFastOpenPassiveFail",
        unknown="which peers, and which of the candidates",
        candidates=("key_rotated", "keys_differ_servers", "client_address_changes", "failed_child"),
        check=CHECK,
        role="server",
        netns=scene.inum,
        count=moved,
    )


def client_failed(scene: Scene) -> Iterator[Finding]:
    """ActiveFail: whatever the server's reason, the client sees its SYN data not acknowledged, or its SYN lost."""
    moved = scene.moved("TCPFastOpenActiveFail")
    if scene.model.attached or not moved or scene.place is None:
        return
    live = [c for c in scene.place.connections or () if c.client_fail in (2, 3)]
    evidence = [scene.moved_evidence("TCPFastOpenActiveFail")]
    for connection in live[:3]:
        value = f"{FAILS[connection.client_fail]} (tcpi_fastopen_client_fail {connection.client_fail})"
        evidence.append(Evidence(what=connection.peer, value=value, source="sock_diag", tier=scene.tier()))
    lost = {c.client_fail for c in live} == {3}
    refused = ("server_bit_off", "no_queue", "bad_cookie", "failed_child", "queue_full", "syn_cookies")
    yield Finding(
        id="client_failed_unknown",
        severity=DEGRADED,
        cause=f"Fast Open of this host's own connections fails{places.within(scene.place)}: "
        + (
            "the SYN with data is dropped on the way"
            if lost
            else "the server does not take the SYN data, or it is lost"
        ),
        evidence=tuple(evidence),
        fix=Fix(text="run `tfotop doctor` on the server: it knows why"),
        verify="nstat TcpExtTCPFastOpenActive TcpExtTCPFastOpenActiveFail: Active moves, ActiveFail does not",
        unknown="which of the candidates; the third timeout in a row of any connection moves this counter too",
        candidates=("syn_dropped",) if lost else (*refused, "syn_dropped"),
        check=CHECK if not live else "`tfotop doctor` on the server separates the reasons of a refusal",
        role="client",
        netns=scene.inum,
        count=moved,
    )
