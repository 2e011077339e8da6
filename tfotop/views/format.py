"""Values as every view shows them. Names from outside are made safe: they may hold escape codes, and anything else."""

from collections.abc import Iterator

from tfotop.model.state import Model
from tfotop.sample import Problem
from tfotop.words import REASON_WORDS, SERVER_WITHOUT_SOCKOPT_BIT


def printable(text: str) -> str:
    """The text with every character that is not printable replaced by ``?``."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def reason_text(reason: str | None, tcp_fastopen: int | None = None) -> str | None:
    """A reason in plain words; for ``no_queue`` also why, if the sysctl's value at the SYN tells it."""
    if reason == "no_queue" and tcp_fastopen is not None:
        before = tcp_fastopen & SERVER_WITHOUT_SOCKOPT_BIT
        return "no Fast Open queue: " + ("listened before 0x400 was set" if before else "the listener did not ask")
    return REASON_WORDS.get(reason, reason) if reason else None


def milliseconds(us: float | None) -> str:
    """Microseconds as milliseconds with two digits; ``-`` when not known."""
    return "-" if us is None else f"{us / 1000:.2f}"


def count(number: float | None) -> str:
    """A number, or ``-`` when it is not known."""
    return "-" if number is None else f"{number:.0f}"


def rate(per_s: float | None) -> str:
    """A rate without its unit: a small one is not 0."""
    return "-" if per_s is None else f"{per_s:.1f}" if 0 < per_s < 1 else f"{per_s:.0f}"


def problem(p: Problem) -> str:
    """One line: what is missing, and how to get it."""
    return f"{p.source}: {printable(p.text)}" + (f" ({printable(p.remedy)})" if p.remedy else "")


def switch(tcp_fastopen: int | None, bit: int) -> str:
    """ON, OFF or ``-`` for one bit of net.ipv4.tcp_fastopen."""
    return "-" if tcp_fastopen is None else "ON" if tcp_fastopen & bit else "OFF"


def losses(model: Model) -> Iterator[str]:
    """What could not be kept, each in a few words; the totals are exact in spite of all but the last."""
    lost = model.losses
    for number, what in (
        (model.peers_evicted, "peers evicted"),
        (lost.records_limited + lost.records_dropped if lost else 0, "not shown one by one"),
        (lost.handshakes_evicted if lost else 0, "handshakes not followed"),
        (lost.totals_full if lost else 0, "handshakes not counted"),
    ):
        if number:
            yield f"{number} {what}"
