"""The ladder of a handshake and beside it, or below, what is known of its peer."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len

from tfotop.model.state import Model, PeerState
from tfotop.sample import Handshake
from tfotop.views.tui import peer_history
from tfotop.views.tui.ladder import ladder
from tfotop.views.tui.peer_history import of_peer
from tfotop.views.tui.trail import Moment

BESIDE: Final = 118  # columns from which the history stands beside the ladder
HISTORY: Final = 52
NONE_KEPT: Final = (
    "No handshake of this peer is kept:",
    "of a busy host 200 a second are. The next one that is will be here.",
)
UNKNOWN: Final = ("Its peer is not in the table (any more): no history.",)


def last_handshake(model: Model, state: PeerState) -> Handshake | None:
    """The newest handshake of a peer that the model keeps."""
    return next((h for h in reversed(model.handshakes) if of_peer(h, state)), None)


def picture(h: Handshake | None, state: PeerState | None, width: int) -> list[str]:
    """The ladder alone."""
    if h is not None:
        return ladder(h, width)
    peer = state.reading if state else None
    return [*([f"{peer.role} {peer.address} port {peer.port}"] if peer else []), *NONE_KEPT]


def lines(model: Model, h: Handshake | None, state: PeerState | None, width: int, trail: Sequence[Moment]) -> list[str]:
    """A handshake, by default the peer's last, and the peer's history."""
    if h is None and state is not None:
        h = last_handshake(model, state)
    beside = width >= BESIDE
    left = picture(h, state, width - HISTORY - 3 if beside else width)
    room = HISTORY if beside else width
    right = peer_history.lines(model, state, room, trail, tight=not beside) if state else list(UNKNOWN)
    return _side_by_side(left, right, width - HISTORY - 3) if beside else [*left, "", *right]


def _side_by_side(left: list[str], right: list[str], width: int) -> list[str]:
    pairs = zip_longest(left, right, fillvalue="")
    return [f"{a}{' ' * (width - cell_len(a))} │ {b}" for a, b in pairs]
