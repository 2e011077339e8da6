"""Whether Fast Open works with a server, and if not, why: the first rule that fits names the cause. Pure."""

from collections.abc import Callable
from typing import Final

from tfotop.probe import cookies, records
from tfotop.probe.facts import Facts
from tfotop.probe.records import CANNOT_TELL, DOES_NOT, WITHOUT, WORKS, Plan, Report, Series, Verdict
from tfotop.probe.refusals import ASK_THE_SERVER, REFUSALS, some
from tfotop.probe.summary import summary

OFTEN: Final = 0.8  # of the SYN data acknowledged: what is missing is loss, not a refusal
NOT_REACHED: Final = {
    records.REFUSED: ("closed_port", "the port is closed (connection refused)", "check that the server runs"),
    records.RESET: ("reset", "the server reset the connection", "check that it is the right port and protocol"),
    records.UNREACHABLE: ("unreachable", "the address cannot be reached: {}", "check the route and local filters"),
    records.NO_SYN_ACK: ("no_syn_ack", "no SYN-ACK came in time, with Fast Open or without", "check address and port"),
    records.NO_ANSWER: (
        "no_answer",
        "the server takes the connection, but never answers",
        "it may wait for another request (try --http, --tls or --send), or for more --timeout",
    ),
    records.CLOSED: (
        "closed",
        "the server closes the connection without a byte",
        "it may expect another request: try --http, --tls or --send",
    ),
    records.FAILED: ("failed", "connecting fails: {}", None),
}  # fmt: skip


def judge(series: Series) -> Verdict:
    """The verdict on one address."""
    facts = Facts(series)
    for rule in RULES:
        if (verdict := rule(facts)) is not None:
            return verdict
    return some(facts)


def conclude(plan: Plan, series: tuple[Series, ...]) -> Report:
    """The report on a target: over both families where it has both."""
    verdicts = tuple(map(judge, series))
    return Report(plan=plan, series=series, verdicts=verdicts, verdict=_overall(series, verdicts))


def _overall(series: tuple[Series, ...], verdicts: tuple[Verdict, ...]) -> Verdict:
    if not verdicts:
        return Verdict(status=CANNOT_TELL, cause="interrupted", text="the probe was ended before anything was measured")
    names = [s.conditions.family for s in series]
    by_status = {v.status: (name, v) for name, v in reversed(list(zip(names, verdicts, strict=True)))}
    if WORKS in by_status and DOES_NOT in by_status:
        return _one_family(by_status[WORKS][0], *by_status[DOES_NOT])
    return next(by_status[status][1] for status in (WORKS, DOES_NOT, CANNOT_TELL) if status in by_status)


def _one_family(good: str, bad: str, why: Verdict) -> Verdict:
    """The same name, and Fast Open only over one family: with the server's own reason, or with what may explain it."""
    guess = ""
    if why.cause in ("none_granted", "data_not_acked"):
        guess = f" (stripped on the {bad} path, or the server's {bad} listener does not do it)"
    return Verdict(
        status=DOES_NOT,
        cause="one_family",
        text=f"it works over {good}, but not over {bad}{guess}: {why.text}",
        evidence=why.evidence,
        advice=why.advice,
    )


def exit_status(verdict: Verdict) -> int:
    """0: Fast Open works; 1: it does not; 2: cannot tell."""
    return {WORKS: 0, DOES_NOT: 1, CANNOT_TELL: 2}[verdict.status]


def _client_off(facts: Facts) -> Verdict | None:
    refused = any(e.error == records.BIT_OFF for e in facts.series.exchanges)
    if not (facts.conditions.client_off or refused):
        return None
    mode = facts.conditions.tcp_fastopen
    return Verdict(
        status=DOES_NOT,
        cause="client_bit_off",
        text="this host may not use Fast Open as a client: the client bit 0x1 of net.ipv4.tcp_fastopen is off",
        evidence=(f"net.ipv4.tcp_fastopen is {mode:#x} (sysctl)" if mode is not None else "sendto gave EOPNOTSUPP",),
        advice=f"sysctl -w net.ipv4.tcp_fastopen={(mode or 0) | 1}",
    )


def _nothing_answered(facts: Facts) -> Verdict | None:
    if facts.series.completed:
        return None
    if not facts.series.exchanges:
        return Verdict(status=CANNOT_TELL, cause="interrupted", text="the probe was ended before anything was measured")
    # What stopped the exchange without Fast Open stops others too; if there was none, what stopped the first contact.
    last = next((e for e in facts.series.exchanges if not e.fast_open), facts.series.exchanges[0])
    cause, text, advice = NOT_REACHED[last.error or records.FAILED]
    text = text.format(last.error_text or "no reason given")
    evidence = facts.evidence() if facts.contacts else ()
    return Verdict(status=CANNOT_TELL, cause=cause, text=text, evidence=evidence, advice=advice)


def _only_without(facts: Facts) -> Verdict | None:
    """An exchange without Fast Open is answered, none with it is."""
    with_it = [e for e in facts.series.exchanges if e.fast_open]
    if any(e.first_byte_us is not None for e in with_it) or not facts.series.of(WITHOUT):
        return None
    error = with_it[-1].error
    what = {
        records.NO_SYN_ACK: "get no SYN-ACK",
        records.NO_ANSWER: "are answered by a SYN-ACK, but by nothing more",
    }.get(error or "", "are reset")
    return Verdict(
        status=DOES_NOT,
        cause="syn_dropped" if error == records.NO_SYN_ACK else "connection_lost",
        text=f"SYNs with Fast Open {what}, those without it work: the server, or something on the way, dislikes it",
        evidence=facts.evidence(),
        advice="look for a firewall or load balancer on the way; " + ASK_THE_SERVER,
    )


def _too_few(facts: Facts) -> Verdict | None:
    if facts.tries or len(facts.asked) > 1:
        return None
    text = "too few connections were made: none could carry data in its SYN"
    return Verdict(status=CANNOT_TELL, cause="too_few", text=text, evidence=facts.evidence())


def _blackhole(facts: Facts) -> Verdict | None:
    if not facts.tries or not all(map(cookies.kept_out, facts.tries)):
        return None
    after = facts.conditions.blackhole_timeout_s
    shown = f"; net.ipv4.tcp_fastopen_blackhole_timeout_sec is {after}" if after is not None else ""
    return Verdict(
        status=DOES_NOT,
        cause="blackhole",
        text="blackhole protection is active: after failures this host has turned Fast Open off for a while",
        evidence=(*facts.evidence(), f"the kernel sent neither cookie request nor SYN data{shown}"),
        advice="find the failing path; sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=0 ends it at once",
    )


def _works(facts: Facts) -> Verdict | None:
    """All SYN data was acknowledged; or nearly all, and what was not is not a refusal that comes again."""
    tries = len(facts.tries)
    if not facts.acked:
        return None
    nearly = facts.acked >= OFTEN * tries and len(facts.renewed) < 2
    if facts.acked < tries and not nearly and not _stale_at_first(facts):
        return None
    text = f"the SYN data was acknowledged in {facts.acked} of {tries} connections"
    cause = "experimental_only" if _experimental_only(facts) else None
    return Verdict(
        status=WORKS, cause=cause, text=text + _gain(facts), evidence=facts.evidence(), advice=_remark(facts)
    )


def _experimental_only(facts: Facts) -> bool:
    """A request brought no cookie, the next one did: Linux asks with option 34 and the experimental 254 in turn."""
    options = {e.client.option for e in facts.tries if e.client and e.client.outcome == "accepted"}
    if options:
        return options == {"experimental"}
    brought = [facts.change(e) == cookies.GOT for e in facts.asked]
    return len(brought) > 1 and not brought[0] and brought[-1]


def _stale_at_first(facts: Facts) -> bool:
    """A cached cookie was refused once, the new one was good from then on."""
    return facts.acked == len(facts.tries) - 1 and facts.acked > 0 and facts.renewed == facts.tries[:1]


def _gain(facts: Facts) -> str:
    numbers = summary(facts.series)
    delta, rtts = numbers.delta_us, numbers.delta_rtts
    if delta is None or rtts is None:
        return ""
    how = "sooner" if delta.value >= 0 else "later"
    return f"; the first byte came {abs(delta.value) / 1000:.2f} ms ({abs(rtts):.2f} RTT) {how}"


def _remark(facts: Facts) -> str | None:
    """What is worth knowing of a server with which Fast Open works."""
    last = facts.tries[-1]
    if last.syn_data_bytes is not None and last.syn_data_bytes < last.request_bytes:
        return (
            f"only {last.syn_data_bytes} of {last.request_bytes} bytes fit into the SYN: a shorter request gains more"
        )
    if facts.renewed:
        return "a cached cookie was refused once and renewed: the server's key has been changed"
    if _experimental_only(facts):
        return "only by the experimental option 254: option 34 is stripped on the way, or the server does not know it"
    return None


RULES: Final[tuple[Callable[[Facts], Verdict | None], ...]] = (
    _client_off,
    _nothing_answered,
    _only_without,
    _too_few,
    _blackhole,
    _works,
    *REFUSALS,
)
