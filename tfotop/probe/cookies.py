"""What became of the cookie in one exchange, from tcp_metrics before and after it and from TCP_INFO. Pure."""

from tfotop.probe.records import COOKIE_UNAVAILABLE, DATA_NOT_ACKED, SYN_RETRANSMITTED, Conditions, Exchange
from tfotop.sample import Metric

GOT, KEPT, RENEWED, NONE, GONE = "got", "kept", "renewed", "none", "gone"


def cookie_id(metric: Metric | None) -> str | None:
    """The fingerprint of the cookie in an entry; ``None`` if it has none."""
    return metric.fo_cookie_id if metric else None


def asked(exchange: Exchange) -> bool | None:
    """Whether the SYN asked for a cookie; ``None`` if nothing tells."""
    if not exchange.fast_open:
        return False
    if exchange.client is not None:
        return exchange.client.cookie_len == 0
    return None if exchange.client_fail is None else exchange.client_fail == COOKIE_UNAVAILABLE


def change(exchange: Exchange, metrics: bool) -> str | None:
    """What became of the cached cookie; ``None`` for an exchange without Fast Open, or if tcp_metrics is not there."""
    if not metrics or not exchange.fast_open or exchange.connect_us is None:
        return None
    before, after = cookie_id(exchange.before), cookie_id(exchange.after)
    if after is None:
        return NONE if before is None else GONE
    if before is None:
        return GOT
    return KEPT if before == after else RENEWED


def kept_out(exchange: Exchange) -> bool:
    """Whether the kernel sent neither data nor a cookie request although Fast Open was asked for.

    ``tcp_fastopen_cookie_check`` leaves tcpi_fastopen_client_fail alone only where blackhole protection is active.
    """
    if exchange.client is not None and exchange.client.reason is not None:
        return exchange.client.reason == "blackhole"
    nothing = not exchange.syn_data_bytes and exchange.syn_data_acked is False
    return exchange.fast_open and exchange.client_fail == 0 and nothing


def rejected(exchange: Exchange) -> bool:
    """Whether SYN data was sent and not acknowledged."""
    return exchange.client_fail in (DATA_NOT_ACKED, SYN_RETRANSMITTED)


def state(conditions: Conditions, last: Metric | None) -> str | None:
    """What became of the cookie that was removed for the cold start, in words; ``None`` if none was."""
    if not conditions.removed:
        return None
    before, now = cookie_id(conditions.cached), cookie_id(last)
    if now == before:
        return f"the same cookie {now} is cached again"
    if now is not None:
        return f"cookie {now} is cached in place of {before}"
    return f"cookie {before} is gone: the server gave none, and the kernel takes none back"
