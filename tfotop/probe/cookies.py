"""What became of the cookie in one exchange, from tcp_metrics before and after it and from TCP_INFO. Pure."""

from tfotop.probe.records import COOKIE_UNAVAILABLE, DATA_NOT_ACKED, SYN_RETRANSMITTED, Exchange, Series
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


def granted(exchange: Exchange) -> bool:
    """Whether the server has just shown that it grants cookies: it took one, or gave one."""
    gave = change(exchange, metrics=True) in (GOT, RENEWED)
    return exchange.first_byte_us is not None and (exchange.syn_data_acked is True or gave)


def state(series: Series) -> str | None:
    """What became of the cookie that was cached before the probe, in words; ``None`` if none was."""
    before, now = cookie_id(series.conditions.cached), cookie_id(series.last)
    if not series.conditions.has_cookie or not series.exchanges:
        return None
    if not series.removed:
        what = f"cookie {before} was not removed ({series.kept_because})"
        return what if now == before else f"{what}; cookie {now or '-'} is cached now"
    if now == before:
        return f"the entry was removed for the first contact; the same cookie {now} is cached again"
    if now is not None:
        return f"the entry was removed for the first contact; cookie {now} is cached in place of {before}"
    return (
        f"the entry was removed for the first contact; cookie {before} is gone: the next connection asks for a new one"
    )
