"""The lines of the screen above and below the table, as text: pure functions of a Model."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from tfotop.diagnosis.findings import findings
from tfotop.model.state import Model, NamespaceState
from tfotop.views import format as show
from tfotop.words import CLIENT_BIT, SERVER_BIT

BARS: Final = "▁▂▃▄▅▆▇█"
SPARK_WIDTH: Final = 8
GRID_CELL: Final = 26
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


def header(model: Model | None, host: str, kernel: str, interval_s: float, paused: bool, width: int) -> str:
    """Host, modes, key, tier and time; where it does not fit, without what changes least."""
    if model is None:
        return f"tfotop  {host}  {kernel}  starting"
    clock = datetime.fromtimestamp(model.wall_ns / 1e9).astimezone().strftime("%H:%M:%S")
    state = "PAUSED" if paused else "LIVE"
    parts = ["tfotop", host, kernel, *_modes(model.own), _tier(model), f"{interval_s:g}s"]
    for least in (kernel, parts[-1], host, "tfotop", parts[5]):
        if len("  ".join([*parts, state, clock])) <= width:
            break
        parts.remove(least)
    left, right = "  ".join(parts), f"{state}  {clock}"
    return left.ljust(width - len(right) - 2) + "  " + right


def _modes(own: NamespaceState | None) -> list[str]:
    sysctls = own.reading.sysctls if own else None
    keys = own.reading.keys if own else None
    mode = sysctls.tcp_fastopen if sysctls else None
    key = "-" if keys is None else (keys.primary or "none") + ("+backup" if keys.backup else "")
    return [f"server {show.switch(mode, SERVER_BIT)}", f"client {show.switch(mode, CLIENT_BIT)}", f"key {key}"]


def _tier(model: Model) -> str:
    return TIERS[model.tier] + {True: " exact", False: " DIFFERS", None: ""}[model.agrees]


def trouble(model: Model) -> str:
    """The worst finding, else what is missing, and how many more there are; empty when nothing is wrong."""
    found = [f.cause + (f": {f.remedy}" if f.remedy else "") for f in findings(model)]
    lines = [*found, *map(show.problem, model.problems)]
    more = f"  (+{len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"! {lines[0]}{more}" if lines else ""


def flow(items: Iterable[str], width: int) -> str:
    """Items side by side, each whole, in as many lines as they need."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + 2 + len(item) <= width:
            lines[-1] += f"  {item}"
        else:
            lines.append(item)
    return "\n".join(lines)


def grid(items: Sequence[str], width: int) -> str:
    """Items in columns, so that none moves when a number in another grows."""
    columns = max(1, width // GRID_CELL)
    rows = (items[i : i + columns] for i in range(0, len(items), columns))
    return "\n".join("".join(item.ljust(GRID_CELL) for item in row).rstrip() for row in rows)


def sparkline(values: list[float | None]) -> str:
    """The newest values as bars, the highest of them full; unknown is a gap."""
    newest = values[-SPARK_WIDTH:]
    top = max((v for v in newest if v), default=0.0)
    return "".join(" " if v is None else BARS[round(7 * v / top) if top else 0] for v in newest).rjust(SPARK_WIDTH)


def headline(model: Model, width: int) -> str:
    """The rates of this moment, each with its last few values."""
    parts = []
    for title, name in (
        ("accepted", "accepted_per_s"),
        ("requests", "requests_per_s"),
        ("rejected", "rejected_per_s"),
        ("queue full", "queue_full_per_s"),
    ):
        values = [getattr(rates, name) for rates in model.history[-SPARK_WIDTH:]]
        parts.append(f"{title} {show.rate(values[-1])}/s {sparkline(values)}")
    saved = model.rates.saved_s_per_s
    return flow([*parts, "saved " + ("-" if saved is None else f"~{saved:.2f} s/s")], width)


def counters(model: Model, width: int) -> str:
    """The kernel's counters, summed over the namespaces, with what moved in the interval."""
    rows = [n for n in model.namespaces if n.reading.counters is not None]
    parts = []
    for title, name in SHOWN_COUNTERS:
        known = [n for n in rows if name in (n.reading.counters or {})]
        total = sum((n.reading.counters or {})[name] for n in known) if known else None
        moved = sum((n.moved or {}).get(name, 0) for n in known)
        parts.append(f"{title} {show.count(total)}" + (f" {moved:+d}" if moved else ""))
    return grid(parts, width)


def cost(model: Model) -> list[str]:
    """What could not be kept, and what tfotop itself uses."""
    parts = [*show.losses(model), f"peers {len(model.peers)}"]
    if model.cost is not None:
        share = "-" if model.cpu_share is None else f"{model.cpu_share * 100:.1f}"
        parts += [f"cpu {share} %", f"rss {model.cost.rss_bytes / 1e6:.0f} MB"]
    return parts
