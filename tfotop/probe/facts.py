"""What the exchanges of a series come to: the counts that a verdict looks at, and the evidence in words. Pure."""

from collections import Counter
from collections.abc import Iterator

from tfotop.probe import cookies, records
from tfotop.probe.records import SYN_RETRANSMITTED, Exchange, Series
from tfotop.probe.summary import acknowledged


class Facts:
    """What the rules look at: the SYNs that asked for a cookie, those that carried data, and what became of them."""

    def __init__(self, series: Series) -> None:
        self.series, self.conditions = series, series.conditions
        self.contacts = tuple(e for e in series.exchanges if e.fast_open and e.connect_us is not None)
        self.asked = tuple(filter(cookies.asked, self.contacts))
        self.tries = tuple(e for e in self.contacts if e not in self.asked)
        self.acked = acknowledged(self.tries)
        self.rejected = tuple(filter(cookies.rejected, self.tries))
        self.renewed = tuple(e for e in self.rejected if self.change(e) == cookies.RENEWED)
        self.dropped = tuple(filter(syn_lost, self.contacts))

    def change(self, exchange: Exchange) -> str | None:
        """What became of the cookie in one exchange."""
        return cookies.change(exchange, self.conditions.metrics)

    def evidence(self) -> tuple[str, ...]:
        """What was counted, and where it was read."""
        return tuple(_evidence(self))


def syn_lost(exchange: Exchange) -> bool:
    """Whether the SYN with Fast Open was lost, and the one without it that followed came through."""
    if exchange.client_fail == SYN_RETRANSMITTED:
        return True
    return bool(cookies.asked(exchange) and exchange.syn_retransmits)


def _evidence(facts: Facts) -> Iterator[str]:
    if facts.tries:
        yield f"SYN data acknowledged in {facts.acked} of {len(facts.tries)} (TCP_INFO)"
    changes = Counter(filter(None, map(facts.change, facts.contacts)))
    if changes:
        names = (cookies.GOT, cookies.KEPT, cookies.RENEWED, cookies.GONE, cookies.NONE)
        yield "cookie " + ", ".join(f"{name} {changes[name]}" for name in names if changes[name]) + " (tcp_metrics)"
    yield f"cookie asked for in {len(facts.asked)} of {len(facts.contacts)} (TCP_INFO)"
    fails = Counter(e.client_fail for e in facts.contacts if e.client_fail)
    if fails:
        yield "client_fail " + ", ".join(f"{records.CLIENT_FAILS[n]} {fails[n]}" for n in sorted(fails)) + " (TCP_INFO)"
    outcomes = Counter(e.client.outcome for e in facts.contacts if e.client)
    if outcomes:
        yield "handshakes " + ", ".join(f"{o.replace('_', ' ')} {n}" for o, n in outcomes.items()) + " (eBPF)"
