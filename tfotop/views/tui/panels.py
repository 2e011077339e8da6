"""The lines of the screen above and below the table, as text: pure functions of a Model."""

from datetime import datetime
from typing import Final

from tfotop.diagnosis.findings import findings
from tfotop.model.state import Model, NamespaceState
from tfotop.views import format as show
from tfotop.words import CLIENT_BIT, SERVER_BIT

BARS: Final = "▁▂▃▄▅▆▇█"
SPARK_WIDTH: Final = 8
TIERS: Final = {0: "no privileges", 1: "no eBPF", 2: "eBPF"}
SHOWN_COUNTERS: Final = (
    ("Active", "TCPFastOpenActive"),
    ("ActiveFail", "TCPFastOpenActiveFail"),
    ("Passive", "TCPFastOpenPassive"),
    ("PassiveAltKey", "TCPFastOpenPassiveAltKey"),
    ("PassiveFail", "TCPFastOpenPassiveFail"),
    ("ListenOverflow", "TCPFastOpenListenOverflow"),
    ("CookieReqd", "TCPFastOpenCookieReqd"),
    ("Blackhole", "TCPFastOpenBlackhole"),
    ("SyncookiesSent", "SyncookiesSent"),
    ("ListenOverflows", "ListenOverflows"),
    ("SynRetrans", "TCPSynRetrans"),
)


def header(model: Model | None, host: str, kernel: str, interval_s: float, paused: bool) -> str:
    """Host, modes, key, tier and time."""
    if model is None:
        return f"tfotop  {host}  {kernel}  starting"
    clock = datetime.fromtimestamp(model.wall_ns / 1e9).astimezone().strftime("%H:%M:%S")
    parts = [f"tfotop  {host}", kernel, *_modes(model.own), _tier(model), f"{interval_s:g}s"]
    return "  ".join([*parts, "PAUSED" if paused else "LIVE", clock])


def _modes(own: NamespaceState | None) -> list[str]:
    sysctls = own.reading.sysctls if own else None
    keys = own.reading.keys if own else None
    mode = sysctls.tcp_fastopen if sysctls else None
    key = "-" if keys is None else (keys.primary or "none") + ("+backup" if keys.backup else "")
    return [f"server {show.switch(mode, SERVER_BIT)}", f"client {show.switch(mode, CLIENT_BIT)}", f"key {key}"]


def _tier(model: Model) -> str:
    return TIERS[model.tier] + {True: " exact", False: " DIFFERS", None: ""}[model.agrees]


def trouble(model: Model | None) -> str:
    """The worst finding, or what is missing, in one line; empty when nothing is wrong."""
    if model is None:
        return ""
    found = findings(model)
    if found:
        remedy = f": {found[0].remedy}" if found[0].remedy else ""
        return f"! {found[0].cause}{remedy}"
    return f"! {show.problem(model.problems[0])}" if model.problems else ""


def sparkline(values: list[float | None]) -> str:
    """The newest values as bars, the highest of them full; unknown is a gap."""
    newest = values[-SPARK_WIDTH:]
    top = max((v for v in newest if v), default=0.0)
    return "".join(" " if v is None else BARS[round(7 * v / top) if top else 0] for v in newest).rjust(SPARK_WIDTH)


def headline(model: Model | None) -> str:
    """The rates of this moment, each with its last few values."""
    if model is None:
        return ""
    parts = []
    for title, name in (
        ("accepted", "accepted_per_s"),
        ("requests", "requests_per_s"),
        ("rejected", "rejected_per_s"),
        ("queue full", "queue_full_per_s"),
    ):
        values = [getattr(rates, name) for rates in model.history[-SPARK_WIDTH:]]
        parts.append(f"{title} {show.count(values[-1])}/s {sparkline(values)}")
    saved = model.rates.saved_s_per_s
    return "  ".join([*parts, "saved " + ("-" if saved is None else f"~{saved:.2f} s/s")])


def counters(model: Model | None) -> str:
    """The kernel's counters, summed over the namespaces, with what moved in the interval."""
    rows = [n for n in (model.namespaces if model else ()) if n.reading.counters is not None]
    parts = []
    for title, name in SHOWN_COUNTERS:
        known = [n for n in rows if name in (n.reading.counters or {})]
        total = sum((n.reading.counters or {})[name] for n in known) if known else None
        moved = sum((n.moved or {}).get(name, 0) for n in known)
        parts.append(f"{title} {show.count(total)}" + (f" ({moved:+d})" if moved else ""))
    return "   ".join(parts)


def cost(model: Model | None) -> str:
    """What tfotop costs and what it could not keep."""
    if model is None or model.cost is None:
        return ""
    share = "-" if model.cpu_share is None else f"{model.cpu_share * 100:.1f}"
    parts = [f"cpu {share} %", f"rss {model.cost.rss_bytes / 1e6:.0f} MB", f"peers {len(model.peers)}"]
    return "  ".join([*parts, *show.losses(model)])
