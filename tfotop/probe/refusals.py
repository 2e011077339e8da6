"""Why SYN data is not taken although server and client can be reached: one rule for each cause. Pure.

Where the client's side cannot tell two causes apart, the text names both, and the advice the check that separates them.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from tfotop.probe import cookies
from tfotop.probe.facts import Facts
from tfotop.probe.records import DOES_NOT, Verdict
from tfotop.sample import Handshake
from tfotop.words import CLIENT_NO_COOKIE_BIT, REASON_WORDS

ASK_THE_SERVER: Final = (
    "on the server, `tfotop events --role server` says whether the SYN arrives, and why it is refused"
)
# What mends a server that said why: REASONS of words.py, as its own kernel recorded them.
REMEDIES: Final = {
    "server_bit_off": "on the server: sysctl -w net.ipv4.tcp_fastopen=3",
    "no_queue": "on the server: set TCP_FASTOPEN on the listener (nginx: listen ... fastopen=64), and restart it",
    "queue_full": "on the server: a larger TCP_FASTOPEN value on the listener",
    "no_key": "on the server: sysctl -w net.ipv4.tcp_fastopen_key=... with four groups of 8 hexadecimal digits",
    "bad_cookie": "give all servers behind this address one net.ipv4.tcp_fastopen_key",
    "syn_cookies": "on the server: a larger backlog, or an end of the flood",
    "accept_queue_full": "on the server: a larger backlog, or a program that accepts faster",
    "syn_queue_full": "on the server: sysctl -w net.ipv4.tcp_syncookies=1, or a larger backlog",
}


def _keys_differ(facts: Facts) -> Verdict | None:
    if len(facts.renewed) < 2:
        return None
    ids = {cookies.cookie_id(e.after) for e in facts.contacts} - {None}
    return Verdict(
        status=DOES_NOT,
        cause="keys_differ",
        text=f"the cookie changes again and again ({len(ids)} different ones): the servers behind this address do not "
        "share one key",
        evidence=facts.evidence(),
        advice=REMEDIES["bad_cookie"],
    )


def _without_cookies(facts: Facts) -> Verdict | None:
    if facts.acked or not facts.conditions.without_cookies or not facts.rejected:
        return None
    bit = (facts.conditions.tcp_fastopen or 0) & CLIENT_NO_COOKIE_BIT
    where = "the bit 0x4 of net.ipv4.tcp_fastopen" if bit else "the route (fastopen_no_cookie 1)"
    mend = f"sysctl -w net.ipv4.tcp_fastopen={(facts.conditions.tcp_fastopen or 0) & ~CLIENT_NO_COOKIE_BIT:#x}"
    route = (
        f"ip route change ... fastopen_no_cookie 0, for the route that `ip route get {facts.conditions.address}` shows"
    )
    return Verdict(
        status=DOES_NOT,
        cause="no_cookie_route",
        text=f"{where} says that no cookie is used, so SYN data leaves without one, and this server wants one",
        evidence=facts.evidence(),
        advice=mend if bit else route,
    )


def _dropped(facts: Facts) -> Verdict | None:
    if facts.acked or not facts.dropped:
        return None
    return Verdict(
        status=DOES_NOT,
        cause="syn_dropped",
        text=f"in {len(facts.dropped)} of {len(facts.contacts)} connections the SYN with Fast Open was dropped on the "
        "way: only the SYN sent again without it was answered",
        evidence=facts.evidence(),
        advice="look for a firewall or load balancer that drops SYNs with the option or with data",
    )


def _stripped(facts: Facts) -> Verdict | None:
    """Both ends were seen, and an option or data that left one did not arrive at the other."""
    if facts.acked:
        return None
    seen = [_lost_on_the_way(e.client, e.server) for e in facts.contacts if e.client and e.server]
    cause, text = next(filter(None, seen), (None, ""))
    if cause is None:
        return None
    return Verdict(
        status=DOES_NOT,
        cause=cause,
        text=f"{text} on the way",
        evidence=(*facts.evidence(), "what left one end and what arrived at the other differ (eBPF at both ends)"),
        advice="look for a firewall, NAT or load balancer that rewrites TCP options or SYNs",
    )


def _lost_on_the_way(client: Handshake, server: Handshake) -> tuple[str, str] | None:
    if client.option is not None and server.option is None:
        return "option_stripped", "the option is stripped from the SYN"
    if server.new_cookie_len and not client.new_cookie_len:
        return "option_stripped", "the option is stripped from the SYN-ACK"
    if client.syn_data_bytes and not server.syn_data_bytes:
        return "data_stripped", "the data is stripped from the SYN"
    return None


def _server_says(facts: Facts) -> Verdict | None:
    """The server is on this machine too, and its kernel said why."""
    reasons = Counter(e.server.reason for e in facts.contacts if e.server and e.server.reason)
    if facts.acked or not reasons:
        return None
    reason, number = reasons.most_common(1)[0]
    return Verdict(
        status=DOES_NOT,
        cause=reason,
        text=f"the server refuses: {REASON_WORDS[reason]}",
        evidence=(*facts.evidence(), f"the server's kernel gave this reason {number} times (eBPF)"),
        advice=REMEDIES.get(reason),
    )


def _none_granted(facts: Facts) -> Verdict | None:
    if facts.tries:
        return None
    before = ", although a cookie of an earlier visit was cached" if facts.conditions.has_cookie else ""
    return Verdict(
        status=DOES_NOT,
        cause="none_granted",
        text="the server grants no cookie: the SYN-ACK comes without the option. Either the server does not do Fast "
        f"Open, or the option is stripped on the way{before}",
        evidence=facts.evidence(),
        advice=ASK_THE_SERVER,
    )


def _not_acked(facts: Facts) -> Verdict | None:
    if facts.acked or len(facts.rejected) < len(facts.tries):
        return None
    return Verdict(
        status=DOES_NOT,
        cause="data_not_acked",
        text="the server has given a cookie, but does not take the SYN data that comes with it, and gives no new one: "
        "its server bit is off now, its Fast Open queue is 0 or full, SYN cookies are in force, or the option or the "
        "data is stripped from the SYN",
        evidence=facts.evidence(),
        advice=ASK_THE_SERVER,
    )


def some(facts: Facts) -> Verdict:
    """Neither always nor never."""
    return Verdict(
        status=DOES_NOT,
        cause="sometimes",
        text=f"it works only sometimes: the SYN data was acknowledged in {facts.acked} of {len(facts.tries)} "
        "connections",
        evidence=facts.evidence(),
        advice="a full Fast Open queue, SYN cookies, loss, or several servers of which not all do it; "
        + ASK_THE_SERVER,
    )


REFUSALS: Final[tuple[Callable[[Facts], Verdict | None], ...]] = (
    _keys_differ,
    _without_cookies,
    _dropped,
    _stripped,
    _server_says,
    _none_granted,
    _not_acked,
)
