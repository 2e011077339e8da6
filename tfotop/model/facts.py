"""What can be asked of a peer or a handshake, by name: the fields of the filter language.

Each field has values, none where nothing is known: a peer has had several outcomes, and has two typical first bytes.
"""

from collections.abc import Callable, Mapping
from typing import Final

from tfotop.model.latency import rtt_us, typical_us
from tfotop.model.peers import NONE, STATUS, bad, share_accepted
from tfotop.model.selection import split_endpoint
from tfotop.model.state import PeerState
from tfotop.sample import Handshake
from tfotop.words import OPTIONS, OUTCOMES, REASONS, ROLES, VARIANTS

Value = tuple[str | float, ...]
Names = Mapping[int, str]

CHOICES: Final = {
    "role": ROLES,
    "outcome": OUTCOMES,
    "reason": tuple(r for r in REASONS if r),
    "cookie": (*STATUS.values(), NONE),
    "variant": tuple(v for v in VARIANTS if v),
    "option": tuple(o for o in OPTIONS if o),
}
TIMES: Final = ("rtt", "first", "tfo", "plain", "sooner")  # ms
COUNTS: Final = ("accepted", "rejected")
PER_CENT: Final = {"accepted": "accepted_share", "rejected": "rejected_share"}
NUMBERS: Final = ("port", "pid", *TIMES, *COUNTS)
FIELDS: Final = ("peer", *CHOICES, "comm", "netns", *NUMBERS)


def _known(*values: str | float | None) -> Value:
    return tuple(value for value in values if value is not None)


def _ms(*values_us: float | None) -> Value:
    return tuple(us / 1000 for us in values_us if us is not None)


def _netns(number: int | None, names: Names) -> Value:
    """A namespace's number and name: either finds it."""
    return () if number is None else _known(str(number), names.get(number))


def _rejected_share(state: PeerState) -> Value:
    total = sum(state.reading.outcomes.values())
    return (100 * bad(state.reading) / total,) if total else ()


PEER: Final[Mapping[str, Callable[[PeerState], Value]]] = {
    "role": lambda s: (s.reading.role,),
    "outcome": lambda s: tuple(s.reading.outcomes),
    "reason": lambda s: _known(s.reading.last_reason),
    "cookie": lambda s: (s.cookie,),
    "variant": lambda s: _known(*(v for v in ("backup_key", "no_cookie") if getattr(s.reading, v))),
    "comm": lambda s: (s.reading.process.comm,) if s.reading.process else (),
    "port": lambda s: (s.reading.port,),
    "pid": lambda s: (s.reading.process.pid,) if s.reading.process else (),
    "rtt": lambda s: _ms(rtt_us(s.reading)),
    "first": lambda s: _ms(typical_us(s.reading.with_tfo), typical_us(s.reading.without_tfo)),
    "tfo": lambda s: _ms(typical_us(s.reading.with_tfo)),
    "plain": lambda s: _ms(typical_us(s.reading.without_tfo)),
    "sooner": lambda s: _ms(s.rtt_delta_us),
    "accepted": lambda s: (s.reading.outcomes.get("accepted", 0),),
    "rejected": lambda s: (bad(s.reading),),
    "accepted_share": lambda s: _known(share_accepted(s.reading)),
    "rejected_share": _rejected_share,
}  # fmt: skip
HANDSHAKE: Final[Mapping[str, Callable[[Handshake], Value]]] = {
    "role": lambda h: (h.role,),
    "outcome": lambda h: (h.outcome,),
    "reason": lambda h: _known(h.reason),
    "cookie": lambda h: (STATUS.get(h.outcome, NONE),),
    "variant": lambda h: _known(h.variant),
    "option": lambda h: _known(h.option),
    "comm": lambda h: _known(h.comm),
    "port": lambda h: (split_endpoint(h.local if h.role == "server" else h.peer)[1],),
    "pid": lambda h: _known(h.pid),
    "rtt": lambda h: _ms(h.handshake_rtt_us),
    "first": lambda h: _ms(h.first_byte_us),
    "tfo": lambda h: _ms(h.first_byte_us) if h.outcome == "accepted" else (),
    "plain": lambda h: _ms(h.first_byte_us) if h.outcome != "accepted" else (),
}


def peer_value(field: str, state: PeerState, names: Names) -> Value:
    """A field of a peer; nothing where peers do not have it. ``names``: of the namespaces, by inode number."""
    if field == "netns":
        return _netns(state.reading.netns, names)
    return PEER[field](state) if field in PEER else ()


def handshake_value(field: str, h: Handshake, names: Names) -> Value:
    """A field of a handshake; nothing where handshakes do not have it."""
    if field == "netns":
        return _netns(h.netns, names)
    return HANDSHAKE[field](h) if field in HANDSHAKE else ()
