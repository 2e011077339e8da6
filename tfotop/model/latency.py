"""Medians, percentiles and the RTT delta from what the kernel keeps of a peer: the newest values, and a histogram."""

from collections.abc import Iterable, Mapping
from typing import Final

from tfotop.sample import Latency, Peer

LOWEST_US: Final = 64  # bounds as in bucket_of (bpf/peers.h): 4 buckets for each doubling
PER_DOUBLING: Final = 4
BUCKETS: Final = 74
FEW: Final = 16  # so many values the kernel keeps exactly


def median(values: Iterable[float]) -> float | None:
    """The middle value, ``None`` of nothing."""
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    if not ordered:
        return None
    return float(ordered[half]) if odd else (ordered[half - 1] + ordered[half]) / 2


def bounds_us(bucket: int) -> tuple[float, float]:
    """Lower and upper bound of a bucket, in microseconds."""
    if bucket == 0:
        return 0.0, float(LOWEST_US)
    doubling, quarter = divmod(bucket - 1, PER_DOUBLING)
    width = LOWEST_US * 2**doubling / PER_DOUBLING
    low = LOWEST_US * 2**doubling + quarter * width
    return low, low + width


def percentile_us(buckets: Mapping[int, int], share: float) -> float | None:
    """The value below which ``share`` (0 to 1) of the histogram lies, even within its bucket; ``None`` of nothing."""
    wanted, seen = share * sum(buckets.values()), 0
    for bucket in sorted(buckets):
        count = buckets[bucket]
        if count and seen + count >= wanted:
            low, high = bounds_us(bucket)
            return low + (high - low) * (wanted - seen) / count
        seen += count
    return None


def typical_us(latency: Latency) -> float | None:
    """The median time to the first byte: exact over the newest values."""
    return median(latency.recent_us)


def rtt_us(peer: Peer) -> float | None:
    """The median handshake RTT over the newest handshakes."""
    return median(peer.rtt_us)


def rtt_delta_us(peer: Peer) -> float | None:
    """How much sooner the first byte comes with Fast Open: median without minus median with it."""
    without, with_tfo = typical_us(peer.without_tfo), typical_us(peer.with_tfo)
    return None if without is None or with_tfo is None else without - with_tfo


def rtt_delta_rtts(peer: Peer) -> float | None:
    """The same in units of the peer's handshake RTT, where RFC 7413 promises 1.0."""
    delta, rtt = rtt_delta_us(peer), rtt_us(peer)
    return None if delta is None or not rtt else delta / rtt
