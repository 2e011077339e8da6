"""What is wrong, worst first, each in one sentence with what was counted. Pure: a Model in, findings out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from tfotop.model.state import Model, NamespaceState, State
from tfotop.sample import Total
from tfotop.words import SERVER_BIT


class Finding(State, frozen=True, kw_only=True):
    """A cause, and the command or setting that mends it where one is known. ``tier``: the evidence it rests on."""

    cause: str
    remedy: str | None
    tier: int


# Reason -> what it means on this host, and what to do. Worst first.
CAUSES: Final = {
    "server_bit_off": ("the server bit 0x2 of net.ipv4.tcp_fastopen is off", "sysctl -w net.ipv4.tcp_fastopen=3"),
    "no_queue": ("the listener has no Fast Open queue", "set TCP_FASTOPEN on it, or bit 0x400, and restart it"),
    "no_key": ("there is no Fast Open key", "sysctl -w net.ipv4.tcp_fastopen_key=..."),
    "accept_queue_full": ("the accept queue is full", "a larger backlog, or a faster accept"),
    "queue_full": ("the Fast Open queue is full", "a larger TCP_FASTOPEN value on the listener"),
    "bad_cookie": ("bad cookie", "do all servers behind this address share one key?"),
    "syn_cookies": ("SYN cookies are in force", "a larger backlog, or an end of the flood"),
    "failed_child": ("the cookie was valid, but no socket could be made", None),
    "blackhole": (
        "blackhole protection has disabled Fast Open here",
        "sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=0",
    ),
    "syn_dropped": ("SYNs with the option are dropped on the way", "look for a middlebox between here and the peer"),
    "data_not_acked": ("the server does not take the SYN data", "run tfotop on the server: it knows why"),
    "none_granted": ("the server grants no cookie", "run tfotop on the server: it knows why"),
}


def findings(model: Model) -> list[Finding]:
    """All findings, worst first; empty when nothing is wrong, or nothing can be told."""
    return [*_disagreements(model), *_refusals(model), *_without_sensor(model)]


def _disagreements(model: Model) -> Iterator[Finding]:
    for state in model.namespaces:
        for check in state.checks:
            if not check.agrees:
                cause = f"totals and kernel differ: {check.counter} {check.kernel:+d}, tfotop {check.tfotop:+d}"
                yield Finding(cause=f"{cause} (netns {state.reading.inum})", remedy=None, tier=2)


def _refusals(model: Model) -> Iterator[Finding]:
    """Each reason with its sum since the start; what happens now comes before what has ended."""
    counts, now = _refused_by_reason(model.totals), _refused_by_reason(model.interval)
    for reason in sorted(filter(counts.get, CAUSES), key=lambda reason: not now[reason]):
        cause, remedy = CAUSES[reason]
        number = counts[reason]
        what = f"{number} handshake{'' if number == 1 else 's'}{_rate(now[reason], model.interval_s)}"
        yield Finding(cause=f"{what}: {cause}", remedy=remedy, tier=2)


def _refused_by_reason(rows: Iterable[Total]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for total in rows:
        if total.reason in CAUSES and _refused(total):
            counts[total.reason] += total.handshakes
    return counts


def _rate(handshakes: int, interval_s: float | None) -> str:
    if interval_s is None:
        return ""
    per_s = handshakes / interval_s
    return " (none now)" if not handshakes else " (<1/s)" if per_s < 1 else f" ({per_s:.0f}/s)"


def _refused(total: Total) -> bool:
    return total.outcome in ("cookie_refused", "rejected", "lost", "unanswered") or total.reason == "blackhole"


def _without_sensor(model: Model) -> Iterator[Finding]:
    """What the counters alone can tell: candidates, never one cause by guess."""
    for state in () if model.attached else model.namespaces:
        moved = state.moved or {}
        if moved.get("TCPFastOpenListenOverflow"):
            yield Finding(cause="the Fast Open queue is full", remedy=CAUSES["queue_full"][1], tier=0)
        if moved.get("TCPFastOpenPassiveFail"):
            cause = "cookies are rejected: another key, a changed address, or a child that failed"
            yield Finding(cause=cause, remedy="eBPF tells which", tier=0)
        if moved.get("TCPFastOpenCookieReqd"):
            yield from _asked_in_vain(state)


def _asked_in_vain(state: NamespaceState) -> Iterator[Finding]:
    """Why no cookie can have been granted, as far as settings and listeners tell."""
    sysctls, listeners = state.reading.sysctls, state.reading.listeners
    cause, remedy = CAUSES["server_bit_off"]
    if sysctls and sysctls.tcp_fastopen is not None and not sysctls.tcp_fastopen & SERVER_BIT:
        yield Finding(cause=f"cookies are asked for, but {cause}", remedy=remedy, tier=0)
    elif listeners is not None and all(listener.max_qlen == 0 for listener in listeners):
        cause = "cookies are asked for, but no listener has a Fast Open queue"
        yield Finding(cause=cause, remedy=CAUSES["no_queue"][1], tier=1)
