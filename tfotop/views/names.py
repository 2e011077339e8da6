"""Names from outside, made safe to print: process names may hold escape codes, and anything else."""

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
