"""The filter language of the screen: ``role:server port:443 outcome:rejected 10.2.0.0/16 comm:nginx netns:web rtt>20``.

Words are combined with AND; ``-word`` means NOT; a word without a field is an address, a network, or a part of a name.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tfotop.model.latency import rtt_delta_us, rtt_us, typical_us
from tfotop.model.selection import Network, split_endpoint
from tfotop.model.state import PeerState
from tfotop.sample import Handshake
from tfotop.words import OPTIONS, OUTCOMES, REASONS, ROLES, VARIANTS


class FilterError(Exception):
    """What is wrong with which word, in one line."""


class Facts(NamedTuple):
    """What a filter may ask of a row, be it a peer or a handshake. ``words``: exact; ``numbers``: ms or counts."""

    address: str
    texts: Mapping[str, str | None]
    numbers: Mapping[str, float | None]


Names = Mapping[int, str]
Test = Callable[[Facts], bool]

CHOICES: Final = {
    "role": ROLES,
    "outcome": OUTCOMES,
    "reason": tuple(r for r in REASONS if r),
    "variant": tuple(v for v in VARIANTS if v),
    "option": tuple(o for o in OPTIONS if o),
    "cookie": ("valid", "rejected", "lost", "granted", "refused", "none"),
}
TEXTS: Final = (*CHOICES, "comm", "netns")
NUMBERS: Final = ("port", "pid", "rtt", "tfo", "plain", "sooner", "accepted", "rejected", "first")
FIELDS: Final = ("peer", *TEXTS, *NUMBERS)
COMPARED: Final = re.compile(r"([a-z_]+)(>=|<=|>|<|=|:)(.*)", re.DOTALL)
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
    ":": lambda a, b: a == b,
}


class Filter(NamedTuple):
    """A parsed filter. An empty one lets everything through."""

    text: str
    tests: tuple[Test, ...] = ()

    def of_peer(self, state: PeerState, names: Names) -> bool:
        """Whether a peer passes; ``names`` are those of the namespaces."""
        return not self.tests or self._passes(peer_facts(state, names))

    def of_handshake(self, handshake: Handshake, names: Names) -> bool:
        """Whether a handshake passes."""
        return not self.tests or self._passes(handshake_facts(handshake, names))

    def _passes(self, facts: Facts) -> bool:
        return all(test(facts) for test in self.tests)


def parse(text: str) -> Filter:
    """The filter that ``text`` means. Raises FilterError."""
    return Filter(text, tuple(_word(word) for word in text.split()))


def _word(word: str) -> Test:
    if word[0] in "-!" and len(word) > 1:
        test = _word(word[1:])
        return lambda facts: not test(facts)
    match = COMPARED.fullmatch(word)
    if match and not _network(word):
        return _field(match[1], match[2], match[3])
    return _bare(word)


def _bare(word: str) -> Test:
    network = _network(word)
    if network:
        return lambda facts: _inside(facts.address, network)
    needle = word.lower()
    return lambda facts: needle in facts.address or any(needle in text.lower() for text in facts.texts.values() if text)


def _field(name: str, sign: str, value: str) -> Test:
    if name not in FIELDS:
        raise FilterError(f"no field {name!r}: there are {', '.join(FIELDS)}")
    if not value:
        raise FilterError(f"{name}{sign} needs a value")
    if name in NUMBERS and not (name in CHOICES and sign == ":"):
        return _number(name, sign, value)
    if sign not in ":=":
        raise FilterError(f"{name} cannot be compared with {sign}: write {name}:{value}")
    if name == "peer":
        network = _network(value)
        if network is None:
            raise FilterError(f"peer:{value} is not an address or network, as in 10.2.0.0/16")
        return lambda facts: _inside(facts.address, network)
    return _text(name, value)


def _text(name: str, value: str) -> Test:
    if name in CHOICES and value not in CHOICES[name]:
        raise FilterError(f"{name}:{value} is none of {', '.join(CHOICES[name])}")
    if name in CHOICES:
        return lambda facts: facts.texts.get(name) == value
    return lambda facts: value in (facts.texts.get(name) or "")


def _number(name: str, sign: str, value: str) -> Test:
    try:
        wanted = float(value)
    except ValueError:
        raise FilterError(f"{name}{sign}{value}: {value!r} is not a number") from None
    compare = COMPARISONS[sign]

    def test(facts: Facts) -> bool:
        seen = facts.numbers.get(name)
        return seen is not None and compare(seen, wanted)

    return test


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _inside(address: str, network: Network) -> bool:
    return ipaddress.ip_address(address) in network


def _ms(us: float | None) -> float | None:
    return None if us is None else us / 1000


def _netns(number: int | None, names: Names) -> str | None:
    """A namespace's name and number, so that either finds it."""
    return None if number is None else f"{names.get(number, '')} {number}"


def peer_facts(state: PeerState, names: Names) -> Facts:
    """What can be asked of a peer."""
    peer = state.reading
    texts = {
        "role": peer.role,
        "outcome": peer.last_outcome,
        "reason": peer.last_reason,
        "cookie": state.cookie,
        "comm": peer.process.comm if peer.process else None,
        "netns": _netns(peer.netns, names),
    }
    numbers = {
        "port": peer.port,
        "pid": peer.process.pid if peer.process else None,
        "rtt": _ms(rtt_us(peer)),
        "tfo": _ms(typical_us(peer.with_tfo)),
        "plain": _ms(typical_us(peer.without_tfo)),
        "sooner": _ms(rtt_delta_us(peer)),
        "accepted": peer.outcomes.get("accepted", 0),
        "rejected": peer.outcomes.get("rejected", 0) + peer.outcomes.get("lost", 0),
    }
    return Facts(peer.address, texts, numbers)


def handshake_facts(h: Handshake, names: Names) -> Facts:
    """What can be asked of a handshake."""
    address, port = split_endpoint(h.peer)
    if h.role == "server":
        port = split_endpoint(h.local)[1]
    texts = {name: getattr(h, name) for name in ("role", "outcome", "reason", "variant", "option", "comm")}
    numbers = {"port": port, "pid": h.pid, "rtt": _ms(h.handshake_rtt_us), "first": _ms(h.first_byte_us)}
    return Facts(address, {**texts, "netns": _netns(h.netns, names)}, numbers)
