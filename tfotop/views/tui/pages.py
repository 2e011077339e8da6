"""The views behind the keys 2 to 5 and Enter, each as lines: pure functions of a Model."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tfotop.model.selection import split_endpoint
from tfotop.model.state import Model, PeerState
from tfotop.sample import Handshake
from tfotop.views.tui import counters_view, handshake_columns, latency_view, listeners_view
from tfotop.views.tui.ladder import ladder

Lines = Callable[[Model, int, int], list[str]]
NONE_KEPT: Final = (
    "No handshake of this peer is kept:",
    "of a busy host 200 a second are. The next one that is will be here.",
)


class Page(NamedTuple):
    """A view's name, and its lines for a width and a height."""

    name: str
    lines: Lines


def handshakes(model: Model, width: int, _height: int) -> list[str]:
    """The newest handshakes first, as many as the model keeps."""
    columns = handshake_columns.fitting(width)
    rows = [handshake_columns.row(columns, h) for h in reversed(model.handshakes)]
    return [*handshake_columns.titles(columns), *(rows or ["no handshake yet"])]


PAGES: Final[Mapping[str, Page]] = {
    "listeners": Page("Listeners", lambda model, width, _height: listeners_view.lines(model, width)),
    "handshakes": Page("Handshakes", handshakes),
    "counters": Page("Counters", lambda model, width, _height: counters_view.lines(model, width)),
    "latency": Page("Latency", latency_view.lines),
}


def last_handshake(model: Model, state: PeerState) -> Handshake | None:
    """The newest handshake of a peer that the model keeps."""
    peer = state.reading
    for h in reversed(model.handshakes):
        address, port = split_endpoint(h.peer)
        if h.role == "server":
            port = split_endpoint(h.local)[1]
        if (h.role, h.netns, address, port) == (peer.role, peer.netns, peer.address, peer.port):
            return h
    return None


def peer_ladder(model: Model, state: PeerState, width: int) -> list[str]:
    """A peer's last handshake as a ladder."""
    h = last_handshake(model, state)
    peer = state.reading
    return ladder(h, width) if h else [f"{peer.role} {peer.address} port {peer.port}", *NONE_KEPT]
