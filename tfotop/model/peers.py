"""What a peer's counters say of its cookie."""

from collections.abc import Mapping
from typing import Final

from tfotop.sample import Peer

NONE: Final = "none"
STATUS: Final = {
    "accepted": "valid",
    "rejected": "rejected",
    "lost": "lost",
    "cookie_granted": "granted",
    "cookie_refused": "refused",
}


def cookie_status(peer: Peer, interval: Mapping[str, int], before: str = NONE) -> str:
    """One word for the peer's cookie, from its last handshake that had to do with Fast Open; ``none`` if none had.

    Where the very last had not: from the outcomes of the ``interval``, else the word ``before`` it.
    """
    if peer.last_outcome in STATUS:
        return STATUS[peer.last_outcome]
    words = (word for outcomes in (interval, peer.outcomes) for name, word in STATUS.items() if outcomes.get(name))
    if before == NONE or any(name in STATUS for name in interval):
        return next(words, NONE)
    return before


def share_accepted(peer: Peer) -> float | None:
    """Accepted in per cent of all handshakes of this peer; ``None`` before the first."""
    total = sum(peer.outcomes.values())
    return 100 * peer.outcomes.get("accepted", 0) / total if total else None


def bad(peer: Peer) -> int:
    """Handshakes in which Fast Open failed: rejected and lost."""
    return peer.outcomes.get("rejected", 0) + peer.outcomes.get("lost", 0)
