"""What a probe asked for and what it saw: frozen records, nothing concluded. ``None`` means not known."""

from typing import Final

from tfotop.sample import Handshake, Metric, Record
from tfotop.words import CLIENT_BIT, CLIENT_NO_COOKIE_BIT

# How an exchange is made.
FIRST, WITHOUT, WITH = "first contact", "without", "with"

# Why an exchange was not completed, as in JSON.
BIT_OFF, REFUSED, RESET, UNREACHABLE = "client_bit_off", "refused", "reset", "unreachable"
NO_SYN_ACK, NO_ANSWER, CLOSED, FAILED = "no_syn_ack", "no_answer", "closed", "failed"
IN_HANDSHAKE: Final = (REFUSED, UNREACHABLE, NO_SYN_ACK, FAILED)

# tcpi_fastopen_client_fail (enum tcp_fastopen_client_fail in include/uapi/linux/tcp.h)
COOKIE_UNAVAILABLE, DATA_NOT_ACKED, SYN_RETRANSMITTED = 1, 2, 3


class Plan(Record, frozen=True, kw_only=True):
    """What is going to be sent to each address: one first contact, then ``pairs`` of two exchanges, and never more."""

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
        return 1 + 2 * self.pairs


class Conditions(Record, frozen=True, kw_only=True):
    """What this host knew of one address before the first contact.

    ``cached``: the tcp_metrics entry; ``removed``: it was removed for a cold start; ``kept_because``: why it was not,
    although it holds a cookie. ``metrics``: whether tcp_metrics can be read.
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
    removed: bool = False
    kept_because: str | None = None

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
    """All exchanges with one address. ``last``: its tcp_metrics entry when all was over."""

    conditions: Conditions
    exchanges: tuple[Exchange, ...] = ()
    last: Metric | None = None
    interrupted: bool = False

    @property
    def completed(self) -> tuple[Exchange, ...]:
        """The exchanges that brought an answer."""
        return tuple(e for e in self.exchanges if e.first_byte_us is not None)

    def of(self, how: str) -> tuple[Exchange, ...]:
        """The completed exchanges made in one way."""
        return tuple(e for e in self.completed if e.how == how)
