"""Whether tfotop's totals and the kernel's own counters agree: the kernel's are the oracle.

The counters are read before and after the totals, so the truth at the moment of the totals lies between. Where nothing
moves in between, totals and counters must be equal; under load a few handshakes are between hook and counter at any
moment. ActiveFail alone counts something else too: the third timeout in a row of a connection that had tried Fast
Open, also after its handshake (tcp_fastopen_active_detect_blackhole), so it may be ahead by as many as TCPTimeouts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tfotop.model.state import Check
from tfotop.sample import Namespace, Total

IN_BETWEEN: Final = 4
PRESENTED: Final = {"bad_cookie", "failed_child", "no_key"}
NOT_LOOKED_AT: Final = {"syn_cookies", "accept_queue_full", "syn_queue_full"}

# What net/ipv4/tcp_fastopen.c and tcp_input.c count, said in tfotop's words.
COUNTERS: Final[Mapping[str, Callable[[Total], bool]]] = {
    "TCPFastOpenActive": lambda t: t.role == "client" and t.outcome == "accepted" and t.data,
    "TCPFastOpenActiveFail": lambda t: t.role == "client" and t.outcome in ("rejected", "lost") and t.data,
    "TCPFastOpenPassive": lambda t: t.role == "server" and t.outcome == "accepted",
    "TCPFastOpenPassiveAltKey": lambda t: t.role == "server" and t.variant == "backup_key",
    "TCPFastOpenPassiveFail": lambda t: t.role == "server" and t.outcome == "rejected" and t.reason in PRESENTED,
    "TCPFastOpenListenOverflow": lambda t: t.role == "server" and t.reason == "queue_full",
    # Without a SYN-ACK the SYN was most likely dropped before its option was looked at (tcp_conn_request).
    "TCPFastOpenCookieReqd": lambda t: (
        t.role == "server" and t.request and t.outcome != "unanswered" and t.reason not in NOT_LOOKED_AT
    ),
}


def counted(totals: Iterable[Total]) -> dict[str, int]:
    """What each of the kernel's counters must have moved by, if the totals are true."""
    rows = list(totals)
    return {name: sum(t.handshakes for t in rows if belongs(t)) for name, belongs in COUNTERS.items()}


def checks(
    now: Namespace, before: Namespace, ours: Mapping[str, int], ours_before: Mapping[str, int]
) -> tuple[Check, ...]:
    """One Check for each counter that this kernel has, over the interval between two samples of one namespace."""
    if now.counters is None or before.counters is None:
        return ()
    after, after_before = now.counters_after or now.counters, before.counters_after or before.counters
    result = []
    for name in COUNTERS:
        if name in now.counters and name in before.counters:
            low, high = now.counters[name] - after_before[name], after[name] - before.counters[name]
            seen = ours.get(name, 0) - ours_before.get(name, 0)
            slack = IN_BETWEEN if low != high else 0
            ahead = _timeouts(after, before.counters) if name == "TCPFastOpenActiveFail" else 0
            agrees = low - ahead - slack <= seen <= high + slack
            result.append(Check(counter=name, kernel=low, tfotop=seen, agrees=agrees))
    return tuple(result)


def _timeouts(now: Mapping[str, int], before: Mapping[str, int]) -> int:
    return now.get("TCPTimeouts", 0) - before.get("TCPTimeouts", 0)
