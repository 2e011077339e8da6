"""What is wrong, worst first, each with its evidence and what mends it. Pure: a Model in, findings out."""

from collections.abc import Iterator, Sequence
from typing import Final

from tfotop.diagnosis import (
    answers,
    blackhole,
    candidates,
    clients,
    cookies,
    flood,
    keys,
    missed,
    queues,
    refusals,
    settings,
    unused,
)
from tfotop.diagnosis.finding import UNSURE, WRONG, Finding, rank
from tfotop.diagnosis.scene import Scene, scenes
from tfotop.model.state import Model, NamespaceState

__all__ = ["Finding", "findings", "gaps", "status"]

# Every finding of a namespace, but for those that compare it with others.
CHECKS: Final = (
    settings.client_bit,
    queues.missing,
    queues.full,
    queues.small,
    refusals.accept_queue,
    refusals.syn_queue,
    flood.syn_flood,
    refusals.syn_cookies,
    refusals.no_key,
    refusals.failed_child,
    keys.siblings,
    keys.backup,
    unused.never_used,
    candidates.server_rejected,
    candidates.client_failed,
    blackhole.active,
    answers.reset,
    answers.silence,
    answers.stripped,
    clients.dropped,
    clients.dropped_before,
    clients.refused,
    missed.cookie_unused,
    missed.proxy_leg,
)
HEALTHY, SOMETHING_WRONG, CANNOT_TELL = 0, 1, 2


def findings(model: Model) -> list[Finding]:
    """All findings, worst first; empty when nothing is wrong, or nothing can be told."""
    found = [*candidates.disagreements(model), *(f for scene in scenes(model) for f in _of(scene, model))]
    return sorted(found, key=rank)


def _of(scene: Scene, model: Model) -> Iterator[Finding]:
    yield from settings.server_bit(scene, model)
    yield from cookies.bad_cookies(scene, model)
    for check in CHECKS:
        yield from check(scene)


def gaps(model: Model) -> list[str]:
    """What must be known to call a host healthy, and is not."""
    place = model.place.reading if model.place else None
    if place is None:
        return ["no network namespace could be read"]
    missing = []
    if place.sysctls is None or place.sysctls.tcp_fastopen is None:
        missing.append("net.ipv4.tcp_fastopen could not be read")
    if place.counters is None:
        missing.append("the kernel's counters could not be read")
    if place.listeners is None:
        missing.append("the listening sockets could not be read")
    if not model.attached and any(map(_asked_of_some, model.namespaces)):
        missing.append(
            "cookies are asked for, and some listeners have no queue: only eBPF sees which of them was asked"
        )
    if model.tier == 0:
        missing.append("not root: Fast Open queues, keys and other namespaces are not known")
    return missing


def _asked_of_some(state: NamespaceState) -> bool:
    queues = [x.max_qlen for x in state.reading.listeners or ()]
    return bool((state.moved or {}).get("TCPFastOpenCookieReqd")) and 0 in queues and any(queues)


def status(found: Sequence[Finding], missing: Sequence[str]) -> int:
    """The exit status: 0 healthy, 1 something is wrong, 2 cannot tell. Advice and what has ended are not wrong.

    ``missing``: the gaps of the model that was judged.
    """
    if any(finding.severity in WRONG for finding in found):
        return SOMETHING_WRONG
    unsure = any(finding.severity == UNSURE for finding in found)
    return CANNOT_TELL if unsure or missing else HEALTHY
