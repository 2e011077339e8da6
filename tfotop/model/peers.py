"""What a peer's counters say of its cookie."""

from typing import Final

from tfotop.sample import Peer

STATUS: Final = {
    "accepted": "valid",
    "rejected": "rejected",
    "lost": "lost",
    "cookie_granted": "granted",
    "cookie_refused": "refused",
}


def cookie_status(peer: Peer) -> str:
    """One word for the peer's cookie, from its last handshake that had to do with Fast Open; ``none`` if none had."""
    if peer.last_outcome in STATUS:
        return STATUS[peer.last_outcome]
    seen = [word for outcome, word in STATUS.items() if peer.outcomes.get(outcome)]
    return seen[0] if seen else "none"


def share_accepted(peer: Peer) -> float | None:
    """Accepted in per cent of all handshakes of this peer; ``None`` before the first."""
    total = sum(peer.outcomes.values())
    return 100 * peer.outcomes.get("accepted", 0) / total if total else None
