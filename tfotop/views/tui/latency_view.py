"""How long the first byte takes with Fast Open and without it: two distributions over the same buckets."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tfotop.model import latency
from tfotop.model.latency import BUCKETS, LOWEST_US, bounds_us, percentile_us
from tfotop.model.state import Model, PeerState
from tfotop.sample import Buckets, Peer
from tfotop.views.format import milliseconds, printable
from tfotop.views.tui.counters_view import NOTHING_YET, shortened
from tfotop.views.tui.handshake_columns import cut
from tfotop.words import ROLES

EIGHTHS: Final = " ▏▎▍▌▋▊▉"
LABEL: Final = 16
COUNT: Final = 6
FIXED_LINES: Final = 4  # of each role: what it is, titles, percentiles, the difference
PERCENTILES: Final = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
ADDING_UP: Final = "one moment: the first bytes of all peers are being added up"
NONE_OF_PEER: Final = "No first byte of this peer seen yet."
SPAN: Final = {"client": "SYN out to first response byte", "server": "SYN in to first request byte"}

Histogram = Mapping[int, int]


class Distribution(NamedTuple):
    """The times to the first byte of one role, or of one peer, and the difference of their medians where known."""

    title: str
    with_tfo: Histogram
    without_tfo: Histogram
    rtt_us: float | None
    difference: str
    basis: str


class Bin(NamedTuple):
    """One line of the picture: neighbouring buckets, ``first`` and ``last`` included."""

    first: int
    last: int


def lines(
    model: Model | None, width: int, height: int, peer: PeerState | None = None, role: str | None = None
) -> list[str]:
    """The picture of one peer, or of ``role`` (else of each) over all its peers, in at most ``height`` lines."""
    if model is None:
        return picture([], NOTHING_YET, width, height)
    if peer is not None:
        return picture(of_peer(peer), NONE_OF_PEER, width, height)
    return picture(by_role(model, ROLES if role is None else (role,)), why_none(model), width, height)


def why_none(model: Model) -> str:
    """What stands in the place of the picture of all peers."""
    return "No first byte seen yet." if model.attached else "Only eBPF sees the first byte."


def picture(shown: Sequence[Distribution], why_not: str, width: int, height: int) -> list[str]:
    """These distributions in at most ``height`` lines, or why there are none."""
    result = draw(shown, width, height) if shown else [why_not]
    return [cut(line, width) for line in result[: max(0, height)]]


def of_peer(state: PeerState) -> list[Distribution]:
    """One peer, or nothing: its difference is exact, of the newest values, the same as in the table of peers."""
    peer = state.reading
    with_tfo, without_tfo = _within(peer.with_tfo.buckets), _within(peer.without_tfo.buckets)
    if not with_tfo and not without_tfo:
        return []
    delta_us, rtts = latency.rtt_delta_us(peer), latency.rtt_delta_rtts(peer)
    title = f"{printable(peer.role)} {printable(peer.address)} port {peer.port}: {SPAN.get(peer.role, '')}"
    basis = f"newest {latency.FEW}"
    return [Distribution(title, with_tfo, without_tfo, latency.rtt_us(peer), _sooner(delta_us, rtts), basis)]


class Sums:
    """The first bytes of many peers, role by role. All peers at once take 0.1 s where there are 65,536."""

    def __init__(self, roles: Sequence[str] = ROLES) -> None:
        self._of = {role: _RoleSums() for role in roles}

    def add(self, states: Iterable[PeerState]) -> None:
        """Some more peers."""
        for state in states:
            reading = state.reading
            mine = self._of.get(reading.role)
            if mine is not None:
                mine.add(reading)

    def distributions(self) -> list[Distribution]:
        """Each role of which a first byte was seen."""
        shown = ((role, mine.distribution(role)) for role, mine in self._of.items())
        return [one for _, one in shown if one.with_tfo or one.without_tfo]


class _RoleSums:
    """The peers of a role, both histograms, and each peer's newest RTT by its first bytes.

    Each peer is compared with itself: peers with Fast Open may be near and those without it far, so the two medians of
    all of them would say nothing. Its RTT delta weighs as much as it has first bytes with Fast Open.
    """

    def __init__(self) -> None:
        self.peers = self.compared = 0
        self.with_tfo, self.without_tfo = defaultdict[int, int](int), defaultdict[int, int](int)
        self.rtts, self.deltas, self.delta_rtts = (defaultdict[float, int](int) for _ in range(3))

    def add(self, reading: Peer) -> None:
        self.peers += 1
        for histogram, latency_of in ((self.with_tfo, reading.with_tfo), (self.without_tfo, reading.without_tfo)):
            for bucket, number in latency_of.buckets.items():
                histogram[bucket] += number
        if reading.rtt_us:
            self.rtts[reading.rtt_us[-1]] += reading.with_tfo.count + reading.without_tfo.count
        delta_us, rtt_us = latency.rtt_delta_us(reading), latency.rtt_us(reading)
        if delta_us is not None:
            self.compared += 1
            self.deltas[round(delta_us, -1)] += reading.with_tfo.count
            if rtt_us:
                self.delta_rtts[round(delta_us / rtt_us, 2)] += reading.with_tfo.count

    def distribution(self, role: str) -> Distribution:
        with_tfo, without_tfo = _within(self.with_tfo), _within(self.without_tfo)
        title = f"{role}, {self.peers} peer{'' if self.peers == 1 else 's'}: {SPAN[role]}"
        difference = _sooner(_weighted_median(self.deltas), _weighted_median(self.delta_rtts))
        compared = f"median of {self.compared} peer{'' if self.compared == 1 else 's'}"
        basis = compared if self.compared else "no peer was seen both ways"
        return Distribution(title, with_tfo, without_tfo, _weighted_median(self.rtts), difference, basis)


def by_role(model: Model, roles: Sequence[str] = ROLES) -> list[Distribution]:
    """Each role of which a first byte was seen, the histograms of all its peers added up."""
    sums = Sums(roles)
    sums.add(model.peers.values())
    return sums.distributions()


def _within(buckets: Histogram | Buckets) -> Histogram:
    """Only buckets that there are, and that hold something: a recording may hold anything."""
    return {bucket: number for bucket, number in buckets.items() if 0 <= bucket < BUCKETS and number > 0}


def _weighted_median(weights: Mapping[float, int]) -> float | None:
    half, seen = sum(weights.values()) / 2, 0
    for value in sorted(weights) if half > 0 else ():
        seen += weights[value]
        if seen >= half:
            return float(value)
    return None


def _sooner(delta_us: float | None, rtts: float | None) -> str:
    return f"sooner by {milliseconds(delta_us)} ms, {'-' if rtts is None else f'{rtts:.1f}'} RTTs"


def draw(shown: Sequence[Distribution], width: int, height: int) -> list[str]:
    """One below the other; what one does not need of its share of the lines, the other gets."""
    wanted = [len(bins(one, BUCKETS)) for one in shown]
    left = height - FIXED_LINES * len(shown) - (len(shown) - 1)
    result: list[str] = []
    for number, one in enumerate(shown):
        picture = bins(one, max(left // (len(shown) - number), left - sum(wanted[number + 1 :])))
        left -= len(picture)
        result += [*([""] if number else []), *_picture(one, picture, width)]
    return result


def bins(of: Distribution, most: int) -> list[Bin]:
    """At most ``most`` lines for all buckets in use: the first alone, of the others 1, 2, 4 ... together."""
    used = of.with_tfo.keys() | of.without_tfo.keys()
    first = [Bin(0, 0)] if 0 in used else []
    others = sorted(used - {0})
    together = 1
    while together < 2 * BUCKETS:
        found = [*first, *_merged(others, together)]
        if len(found) <= most:
            return found
        together *= 2
    return []


def _merged(used: Sequence[int], together: int) -> list[Bin]:
    """Bins of so many buckets; where several are empty in a row, one for all of them."""
    found: list[Bin] = []
    for group in sorted({(bucket - 1) // together for bucket in used}):
        this = Bin(group * together + 1, min((group + 1) * together, BUCKETS - 1))
        if found and found[-1].last + 1 < this.first:
            found.append(Bin(found[-1].last + 1, this.first - 1))
        found.append(this)
    return found


def _picture(of: Distribution, picture: Sequence[Bin], width: int) -> list[str]:
    side = max(1, (width - LABEL) // 2 - 1)
    both = of.with_tfo, of.without_tfo
    counts = [[sum(one.get(bucket, 0) for bucket in range(b.first, b.last + 1)) for b in picture] for one in both]
    sums = [sum(one.values()) for one in both]
    top = max((n / total for column, total in zip(counts, sums, strict=True) if total for n in column), default=1.0)
    bars = [[_bar(n, n / (total or 1) / top, side) for n in column] for column, total in zip(counts, sums, strict=True)]
    rtt = f"handshake RTT {milliseconds(of.rtt_us)} ms"
    return [
        of.title,
        _line("first byte", f"with {'Fast Open' if side >= 24 else 'it'}: {sums[0]}", f"without: {sums[1]}", side),
        *(_line(_label(b), left, right, side) for b, left, right in zip(picture, *bars, strict=True)),
        _line("percentiles, ms", _percentiles(both[0], side), _percentiles(both[1], side), side),
        _joined([of.difference, rtt, f"({of.basis})"], width),
    ]


def _line(label: str, left: str, right: str, side: int) -> str:
    return f"{label:>{LABEL}} {cut(left, side):{side}} {cut(right, side)}".rstrip()


def _bar(number: int, share: float, width: int) -> str:
    """A count and its bar, which is never empty where something is."""
    length = width - COUNT - 1
    eighths = max(1, round(8 * length * share)) if number and length > 0 else 0
    return f"{shortened(number, COUNT):>{COUNT}} {'█' * (eighths // 8)}{EIGHTHS[eighths % 8]}".rstrip()


def _label(of: Bin) -> str:
    low, high = bounds_us(of.first)[0], bounds_us(of.last)[1]
    if of.first == 0:
        return "< 0.06 ms"
    if of.last == BUCKETS - 1:
        return f"> {_ms(low)} ms"
    return f"{_ms(low)} - {_ms(high):>5} ms"


def _ms(us: float) -> str:
    """At most 5 characters, as no bucket is above 21 s."""
    ms = us / 1000
    return f"{ms:.2f}" if ms < 99.995 else f"{ms:.1f}" if ms < 999.95 else f"{ms:.0f}"


def _percentiles(buckets: Histogram, width: int) -> str:
    values = ((name, percentile_us(buckets, share)) for name, share in PERCENTILES)
    texts = ((name, "-" if us is None else "<0.06" if us < LOWEST_US else _ms(us)) for name, us in values)
    return _joined([f"{name} {text:>5}" for name, text in texts], width)


def _joined(parts: Sequence[str], width: int) -> str:
    """As many of the parts as fit, each whole."""
    text = parts[0]
    for part in parts[1:]:
        if len(text) + 2 + len(part) > width:
            break
        text += f"  {part}"
    return text
