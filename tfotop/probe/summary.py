"""The numbers of a series: medians of each way, the round trip, and what Fast Open saves of it. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from tfotop.probe.records import FIRST, WITH, WITHOUT, Exchange, Series
from tfotop.probe.statistics import Median, median


class Summary(NamedTuple):
    """In microseconds. ``delta``: without minus with, over the pairs: positive means sooner."""

    first_contact_us: int | None
    with_us: Median | None
    without_us: Median | None
    rtt_us: Median | None
    delta_us: Median | None

    @property
    def delta_rtts(self) -> float | None:
        """The delta in round trips: RFC 7413 promises 1."""
        return self.delta_us.value / self.rtt_us.value if self.delta_us and self.rtt_us and self.rtt_us.value else None


def summary(series: Series) -> Summary:
    """The numbers of the exchanges that were completed."""
    first = series.of(FIRST)
    return Summary(
        first_contact_us=first[0].first_byte_us if first else None,
        with_us=median(first_bytes(series, WITH)),
        without_us=median(first_bytes(series, WITHOUT)),
        rtt_us=median(_round_trips(series)),
        delta_us=median(a - b for a, b in pairs(series)),
    )


def first_bytes(series: Series, how: str) -> list[int]:
    """Times to the first byte of one way, in the order of the exchanges."""
    return [e.first_byte_us for e in series.of(how) if e.first_byte_us is not None]


def pairs(series: Series) -> Iterator[tuple[int, int]]:
    """First bytes without Fast Open and with it, of each pair in which both were answered."""
    by_number = {e.number: e for e in series.exchanges}
    for number, with_it in by_number.items():
        without = by_number.get(number - 1)
        if with_it.how != WITH or without is None or without.how != WITHOUT:
            continue
        if with_it.first_byte_us is not None and without.first_byte_us is not None:
            yield without.first_byte_us, with_it.first_byte_us


def _round_trips(series: Series) -> Iterator[int]:
    """SYN to SYN-ACK, where the SYN was sent once."""
    for exchange in series.exchanges:
        if exchange.how == WITHOUT and exchange.connect_us is not None and not exchange.syn_retransmits:
            yield exchange.connect_us


def acknowledged(exchanges: tuple[Exchange, ...]) -> int:
    """In how many the SYN data was acknowledged."""
    return sum(e.syn_data_acked is True for e in exchanges)
