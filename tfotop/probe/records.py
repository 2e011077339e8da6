"""What a probe asked for and what it saw: frozen records, nothing concluded. ``None`` means not known."""

from typing import Final

from tfotop.sample import Handshake, Metric, Record
from tfotop.words import CLIENT_BIT, CLIENT_NO_COOKIE_BIT

# What a verdict comes to.
WORKS, DOES_NOT, CANNOT_TELL = "works", "does_not_work", "cannot_tell"

# How an exchange is made.
CACHED, FIRST, WITHOUT, WITH = "as cached", "first contact", "without", "with"

# Why an exchange was not completed, as in JSON.
BIT_OFF, REFUSED, RESET, UNREACHABLE = "client_bit_off", "refused", "reset", "unreachable"
NO_SYN_ACK, NO_ANSWER, CLOSED, FAILED = "no_syn_ack", "no_answer", "closed", "failed"
IN_HANDSHAKE: Final = (REFUSED, UNREACHABLE, NO_SYN_ACK, FAILED)

# tcpi_fastopen_client_fail (enum tcp_fastopen_client_fail in include/uapi/linux/tcp.h)
COOKIE_UNAVAILABLE, DATA_NOT_ACKED, SYN_RETRANSMITTED = 1, 2, 3
CLIENT_FAILS: Final = ("none", "cookie unavailable", "data not acked", "SYN retransmitted")


class Plan(Record, frozen=True, kw_only=True):
    """What is going to be sent to each address, and never more.

    One exchange with the cookie that is cached, if one is; the first contact; then ``pairs`` of two exchanges.
    """

    target: str
    port: int
    request: str  # in words
    request_bytes: int
    pairs: int
    interval_s: float
    timeout_s: float
    keep_cookie: bool = False

    @property
    def exchanges(self) -> int:
        """Connections to one address, at most."""
        return 2 + 2 * self.pairs


class Conditions(Record, frozen=True, kw_only=True):
    """What this host knew of one address before the first contact.

    ``cached``: the tcp_metrics entry; ``kept_because``: why its cookie is not to be removed for a cold start.
    ``metrics``: whether tcp_metrics can be read.
    """

    family: str  # IPv4, IPv6
    address: str
    port: int
    source: str | None = None
    tcp_fastopen: int | None = None
    blackhole_timeout_s: int | None = None
    no_cookie_route: bool | None = None
    metrics: bool = True
    cached: Metric | None = None
    kept_because: str | None = None

    @property
    def has_cookie(self) -> bool:
        """Whether a cookie is cached."""
        return self.cached is not None and self.cached.fo_cookie_len is not None

    @property
    def contacts(self) -> int:
        """How many exchanges come before the pairs, at most."""
        return 2 if self.has_cookie and self.kept_because is None else 1

    @property
    def client_off(self) -> bool:
        """Whether this host may not use Fast Open as a client."""
        return self.tcp_fastopen is not None and not self.tcp_fastopen & CLIENT_BIT

    @property
    def without_cookies(self) -> bool:
        """Whether SYN data leaves without a cookie, by the route or by the sysctl's bit 0x4."""
        return bool(self.no_cookie_route or (self.tcp_fastopen or 0) & CLIENT_NO_COOKIE_BIT)


class Exchange(Record, frozen=True, kw_only=True):
    """One connection: request, first byte of the answer, end.

    Times count from just before connect() or sendto(). ``connect_us``: until the SYN-ACK. ``syn_data_bytes``: what the
    kernel put into the SYN; ``syn_data_acked``: TCPI_OPT_SYN_DATA. ``syn_retransmits``: where they can be told from
    those of data. ``client`` and ``server``: the sensor's records of this very handshake, if it saw it.
    """

    number: int
    how: str
    ts_ns: int
    local: str | None = None
    request_bytes: int
    connect_us: int | None = None
    first_byte_us: int | None = None
    syn_data_bytes: int | None = None
    syn_data_acked: bool | None = None
    client_fail: int | None = None
    syn_retransmits: int | None = None
    rtt_us: int | None = None
    before: Metric | None = None
    after: Metric | None = None
    error: str | None = None
    error_text: str | None = None
    answer: str | None = None
    socket_cookie: int | None = None
    client: Handshake | None = None
    server: Handshake | None = None

    @property
    def fast_open(self) -> bool:
        """Whether Fast Open was asked for."""
        return self.how != WITHOUT


class Series(Record, frozen=True, kw_only=True):
    """All exchanges with one address. ``last``: its tcp_metrics entry when all was over.

    ``removed``: the cached cookie was removed for the first contact; ``kept_because``: why it was not.
    """

    conditions: Conditions
    exchanges: tuple[Exchange, ...] = ()
    last: Metric | None = None
    removed: bool = False
    kept_because: str | None = None
    interrupted: bool = False

    @property
    def completed(self) -> tuple[Exchange, ...]:
        """The exchanges that brought an answer."""
        return tuple(e for e in self.exchanges if e.first_byte_us is not None)

    def of(self, how: str) -> tuple[Exchange, ...]:
        """The completed exchanges made in one way."""
        return tuple(e for e in self.completed if e.how == how)


class Verdict(Record, frozen=True, kw_only=True):
    """``cause`` is an identifier, ``text`` one sentence, ``evidence`` what it rests on and where that was read."""

    status: str
    cause: str | None = None
    text: str
    evidence: tuple[str, ...] = ()
    advice: str | None = None


class Report(Record, frozen=True, kw_only=True):
    """A whole probe: each address with its verdict, and the verdict on the target."""

    plan: Plan
    series: tuple[Series, ...]
    verdicts: tuple[Verdict, ...]
    verdict: Verdict
