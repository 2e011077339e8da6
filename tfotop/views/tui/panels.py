"""The lines of the screen above and below the table, as text: pure functions of a Model."""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from tfotop.model.state import Model, NamespaceState
from tfotop.views import format as show
from tfotop.views.tui.layout import LEAST_HEIGHT, LEAST_WIDTH
from tfotop.words import CLIENT_BIT, SERVER_BIT

BARS: Final = "▁▂▃▄▅▆▇█"
SPARK_WIDTH: Final = 8
GRID_CELL: Final = 26
RATE_WIDTH: Final = 6
RATE_CELL: Final = 28
RATES: Final = (
    ("accepted", "accepted_per_s"),
    ("rejected", "rejected_per_s"),
    ("requests", "requests_per_s"),
    ("queue full", "queue_full_per_s"),
)
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


def header(model: Model | None, host: str, kernel: str, interval_s: float, state: str, width: int) -> str:
    """Host, modes, key, tier and time; where it does not fit, without what changes least."""
    if model is None:
        return f"tfotop  {host}  {kernel}  starting"
    clock = datetime.fromtimestamp(model.wall_ns / 1e9).astimezone().strftime("%H:%M:%S")
    if model.place and not model.place.reading.own:
        host += f" netns {show.printable(model.place.reading.name or str(model.place.reading.inum))}"
    parts = ["tfotop", host, kernel, *_modes(model.place), _tier(model), f"{interval_s:g}s"]
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


def sparkline(values: Sequence[float | None], width: int = SPARK_WIDTH) -> str:
    """The newest values as bars; unknown is a gap. What stays the same is half as high, so that a change shows."""
    newest = values[-width:]
    known = [v for v in newest if v is not None]
    top = max(known, default=0.0) + min(known, default=0.0)
    return "".join(" " if v is None else BARS[_height(v, top)] for v in newest).rjust(width)


def _height(value: float, top: float) -> int:
    return max(1, min(7, round(7 * value / top))) if value > 0 and top > 0 else 0


def headline(model: Model, width: int, height: int = 2) -> str:
    """The rates of this moment, each with its last few values, each in its place whatever the numbers."""
    parts = []
    for title, name in RATES:
        values = [getattr(rates, name) for rates in model.history[-SPARK_WIDTH:]]
        parts.append(f"{title:10}{_whole(values[-1]):>{RATE_WIDTH}}/s {sparkline(values)}")
    saved = model.rates.saved_s_per_s
    last = "saved " + ("-" if saved is None else f"~{saved:.2f}") + " s/s"
    return "\n".join(flow([*(part.ljust(RATE_CELL) for part in parts), last], width).split("\n")[:height])


def _whole(per_s: float | None) -> str:
    text = show.rate(per_s)
    return text if len(text) <= RATE_WIDTH else f"{(per_s or 0) / 1e6:.0f}M"


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


def cost(model: Model | None) -> list[str]:
    """What tfotop itself uses, and what could not be kept: always in the same place, also while it is nothing."""
    if model is None:
        return []
    share = "-" if model.cpu_share is None else f"{model.cpu_share * 100:.1f}"
    rss = "-" if model.cost is None else f"{model.cost.rss_bytes / 1e6:.0f}"
    lost = model.losses
    hidden = "-" if lost is None else lost.records_limited + lost.records_dropped
    parts = [f"tfotop: cpu {share:>5} %  rss {rss:>3} MB", f"{hidden} not shown one by one"]
    parts.append(f"{len(model.peers)} peers, {model.peers_evicted} evicted")
    rare = ((lost.handshakes_evicted, "not followed"), (lost.totals_full, "not counted")) if lost else ()
    return [*parts, *(f"{number} {what}" for number, what in rare if number)]


def footer(model: Model | None, keys: Sequence[str], notice: str, width: int, height: int) -> str:
    """What keys do, or what a key has just done; below it what tfotop costs, in one line or, where it must, in two."""
    if height < 2:
        return notice or flow([*(key for key in keys if key.endswith("help")), *cost(model)], width).split("\n")[0]
    costs = flow(cost(model), width).split("\n")
    first = notice or flow(keys, width).split("\n")[0]
    return "\n".join([first, costs[0]] if len(costs) == 1 or notice else costs[:2])


def small(model: Model | None, said: Sequence[str], width: int, height: int) -> str:
    """What stands in a terminal that is too small for any view: that it is, and what matters most."""
    first = f"tfotop: {width}x{height} is too small, {LEAST_WIDTH}x{LEAST_HEIGHT} is the least"
    rates = headline(model, width, height).split("\n") if model else []
    lines = [*textwrap.wrap(first, max(1, width)), *said, *rates, "q quit"]
    return "\n".join(lines[:height])
