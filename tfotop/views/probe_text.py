"""A probe as text: a line for each exchange while it runs, then the summary and the verdict."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from tfotop.probe import cookies
from tfotop.probe.records import (
    BIT_OFF,
    CLIENT_FAILS,
    CLOSED,
    FIRST,
    NO_ANSWER,
    NO_SYN_ACK,
    REFUSED,
    RESET,
    WITH,
    WITHOUT,
    Conditions,
    Exchange,
    Plan,
    Report,
    Series,
    Verdict,
)
from tfotop.probe.statistics import Bin, Median, histogram
from tfotop.probe.summary import first_bytes, summary
from tfotop.views.format import milliseconds, printable, reason_text

BAR: Final = 22
STATUS: Final = {
    "works": "Fast Open works",
    "does_not_work": "Fast Open does not work",
    "cannot_tell": "cannot tell whether Fast Open works",
}
TITLES: Final = f"{'#':>7}  {'':14}{'connect ms':>10}{'first byte ms':>15}  {'SYN data':18}cookie"
ERRORS: Final = {
    BIT_OFF: "client bit 0x1 off",
    REFUSED: "connection refused",
    RESET: "connection reset",
    NO_SYN_ACK: "no SYN-ACK in time",
    NO_ANSWER: "connected, no answer in time",
    CLOSED: "closed without an answer",
}


def opening(plan: Plan, evidence: str) -> str:
    """What is going to be sent, before it is."""
    what = f"{printable(plan.request)}, {plan.request_bytes} byte{'' if plan.request_bytes == 1 else 's'}"
    most = f"at most {plan.exchanges} connections to an address"
    pairs = f"{plan.pairs} pair{'' if plan.pairs == 1 else 's'}"
    return (
        f"probe {printable(plan.target)} port {plan.port}: {what} in each of {most}\n"
        f"first contact, then {pairs} without and with Fast Open; {printable(evidence)}"
    )


def conditions(of: Conditions) -> str:
    """One address, what was cached for it, and the titles of what follows."""
    where = f"{of.family} {of.address}" + (f" from {of.source}" if of.source else "")
    head = f"\n{where}: {_start(of)}"
    return head if of.client_off else f"{head}\n{TITLES}"


def _start(of: Conditions) -> str:
    known = cookies.cookie_id(of.cached)
    if of.client_off:
        return "nothing is sent: the client bit is off"
    if not of.metrics:
        return "tcp_metrics cannot be read: what happens to the cookie is unknown"
    if known is None:
        return "cold start: no cookie is cached"
    if of.kept_because is None:
        return f"cookie {known} is cached: used once, then removed for a cold start if the server still grants it"
    return f"no cold start: cookie {known} is cached ({of.kept_because})"


def exchange(e: Exchange, plan: Plan, of: Conditions) -> str:
    """One exchange on one line, with how far the series is."""
    metrics, total = of.metrics, of.contacts + 2 * plan.pairs
    head = f"{f'{e.number}/{total}':>7}  {e.how:14}{milliseconds(e.connect_us):>10}"
    if e.first_byte_us is None:
        why = ERRORS.get(e.error or "") or printable(e.error_text or "failed")
        return f"{head}{'-':>15}  {_syn_data(e):18}{'; '.join([why, *_cookie(e, metrics)])}".rstrip()
    return f"{head}{milliseconds(e.first_byte_us):>15}  {_syn_data(e):18}{', '.join(_cookie(e, metrics))}".rstrip()


def _syn_data(e: Exchange) -> str:
    if not e.fast_open:
        return ""
    if not e.syn_data_bytes or e.connect_us is None:
        return "-"
    return f"{e.syn_data_bytes} B {'acked' if e.syn_data_acked else 'not acked'}"


def _cookie(e: Exchange, metrics: bool) -> Iterator[str]:
    """What became of the cookie, why the data was not taken, and what else went wrong."""
    if cookies.asked(e) and e.connect_us is not None:
        yield "asked"
    change, now = cookies.change(e, metrics), cookies.cookie_id(e.after)
    if change == cookies.RENEWED:
        yield f"renewed {cookies.cookie_id(e.before)} > {now}"
    elif change is not None:
        yield f"{change} {now}" if now else change
    if cookies.rejected(e):
        yield CLIENT_FAILS[e.client_fail or 0]
    elif cookies.kept_out(e):
        yield "neither cookie request nor data sent"
    if e.syn_retransmits:
        yield f"SYN sent {e.syn_retransmits + 1} times"
    if e.server and e.server.reason and not e.syn_data_acked:
        yield f"server: {reason_text(e.server.reason, e.server.tcp_fastopen)}"


def series(of: Series) -> str:
    """The summary of one address, as far as it was answered, and what became of its cookie."""
    parts = [*_numbers(of), *_histogram(of)] if of.completed else []
    return "\n".join([*parts, *_cold(of)])


def _numbers(of: Series) -> Iterator[str]:
    numbers = summary(of)
    yield ""
    yield f"{of.conditions.family} {of.conditions.address}: median time to the first byte, 95 % confidence"
    if numbers.first_contact_us is not None:
        yield f"  {FIRST:20}{milliseconds(numbers.first_contact_us):>10} ms"
    yield _median("without Fast Open", numbers.without_us)
    yield _median("with Fast Open", numbers.with_us)
    rtts = f"   {numbers.delta_rtts:.2f} RTT" if numbers.delta_rtts is not None else ""
    yield _median("sooner by", numbers.delta_us) + rtts
    yield _median("handshake RTT", numbers.rtt_us)


def _median(name: str, of: Median | None) -> str:
    if of is None:
        return f"  {name:20}{'-':>10}"
    interval = "too few for an interval"
    if of.low is not None and of.high is not None:
        interval = f"{milliseconds(of.low)} to {milliseconds(of.high)} ms"
    return f"  {name:20}{milliseconds(of.value):>10} ms   {interval:26} n={of.size}"


def _histogram(of: Series) -> Iterator[str]:
    bins = histogram(first_bytes(of, WITHOUT), first_bytes(of, WITH))
    most = max((count for b in bins for count in b.counts), default=0)
    if not most:
        return
    yield ""
    yield f"  {'first byte ms':>20}  {'without':{BAR + 5}}with"
    for one in _without_gaps(bins):
        if one is None:
            yield f"  {'...':>14}"
            continue
        bars = (_bar(count, most) for count in one.counts)
        high = " and more" if one.high_us is None else f" to {milliseconds(one.high_us):>8}"
        yield f"  {milliseconds(one.low_us):>8}{high:12}  {'  '.join(bars)}".rstrip()


def _without_gaps(bins: tuple[Bin, ...]) -> Iterator[Bin | None]:
    """The bins; ``None`` in place of each row of three or more empty ones."""
    for empty, group in groupby(bins, lambda one: not any(one.counts)):
        members = list(group)
        yield from [None] if empty and len(members) > 2 else members


def _bar(count: int, most: int) -> str:
    drawn = "#" * -(-count * BAR // most)
    return f"{f'{drawn} {count}' if count else '':{BAR + 3}}"


def _cold(of: Series) -> Iterator[str]:
    text = cookies.state(of)
    if text:
        yield ""
        yield f"tcp_metrics of {of.conditions.address}: {text}"


def verdict(of: Report) -> str:
    """The verdict on each address where there are several, then the one on the target, and what to do."""
    lines = [""]
    if len(of.series) > 1:
        named = zip(of.series, of.verdicts, strict=True)
        lines += [f"{s.conditions.family}: {headline(v)}" for s, v in named]
    return "\n".join([*lines, *_verdict(of.verdict)])


def headline(of: Verdict) -> str:
    """The verdict in one sentence."""
    return f"{STATUS[of.status]}: {printable(of.text)}"


def _verdict(of: Verdict) -> Iterator[str]:
    yield headline(of)
    for fact in of.evidence:
        yield f"  {printable(fact)}"
    if of.advice:
        yield f"  > {printable(of.advice)}"
