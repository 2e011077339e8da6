"""The filter language of the screen: ``role:server port:443 outcome:rejected 10.2.0.0/16 comm:nginx netns:web rtt>20``.

Words are combined with AND; ``-word`` and ``!word`` mean NOT; values with commas between them are alternatives; a word
without a field is an address, a network, or a part of an address or name.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from tfotop.model.addresses import number
from tfotop.model.facts import CHOICES, FIELDS, NUMBERS, PER_CENT, TIMES, Names, Value, handshake_value, peer_value
from tfotop.model.selection import Network, split_endpoint
from tfotop.model.state import PeerState
from tfotop.sample import Handshake


class FilterError(Exception):
    """What is wrong with which word, in one line."""


class Row(NamedTuple):
    """What a test may ask of a peer or a handshake: its address, and the values of any field by its name."""

    address: str
    values: Callable[[str], Value]


Test = Callable[[Row], bool]

COMPARED: Final = re.compile(r"([a-z_]+)(>=|<=|>|<|=|:)(.*)", re.DOTALL | re.IGNORECASE)
NUMBER: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(ms|%)?", re.ASCII)
ANYWHERE: Final = ("comm", "netns", "cookie", "reason")
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
    ":": lambda a, b: a == b,
}
QUOTED: Final = 24  # characters of what is wrong, at most
OFFERED: Final = 120  # characters of what would have been right, at most


class Filter(NamedTuple):
    """A parsed filter. An empty one lets everything through."""

    text: str = ""
    tests: tuple[Test, ...] = ()

    def of_peer(self, state: PeerState, names: Names) -> bool:
        """Whether a peer passes; ``names`` are those of the namespaces."""
        row = Row(state.reading.address, lambda field: peer_value(field, state, names))
        return all(test(row) for test in self.tests)

    def of_handshake(self, h: Handshake, names: Names) -> bool:
        """Whether a handshake passes."""
        row = Row(split_endpoint(h.peer)[0], lambda field: handshake_value(field, h, names))
        return all(test(row) for test in self.tests)


def parse(text: str) -> Filter:
    """The filter that ``text`` means. Raises FilterError."""
    words = text.split()
    return Filter(" ".join(words), tuple(_word(word) for word in words))


def _word(word: str) -> Test:
    negated = word[0] in "-!"
    test = _positive(word[negated:])
    return (lambda row: not test(row)) if negated else test


def _positive(word: str) -> Test:
    if not word:
        raise FilterError("- and ! need a word behind them, as in -role:client")
    match = COMPARED.fullmatch(word)
    if match and not _network(word):
        return _field(match[1].lower(), match[2], match[3])
    return _bare(word)


def _bare(word: str) -> Test:
    """An address or a network; else a part of an address, process, namespace, cookie status or reason."""
    network = _network(word)
    if network:
        return _inside(network)
    if "/" in word:
        raise FilterError(f"{_quoted(word)} is not a network, as in 10.2.0.0/16")
    needle = word.lower()
    return lambda row: needle in row.address or any(needle in v for f in ANYWHERE for v in _words(row.values(f)))


def _field(name: str, sign: str, text: str) -> Test:
    if name not in FIELDS:
        raise FilterError(f"no field {_quoted(name)}; there are {_offered(name, FIELDS)}")
    values = text.split(",")
    if not all(values):
        raise FilterError(f"{name}{sign} needs a value")
    if name in NUMBERS:
        return _any([_number(name, sign, value) for value in values])
    if sign not in ":=":
        raise FilterError(f"{name} is not a number: write {name}:{_quoted(values[0])}")
    return _any([_inside(_wanted_network(value)) if name == "peer" else _text(name, value) for value in values])


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)


def _text(name: str, value: str) -> Test:
    """Words of a choice may be cut short (``outcome:rej``); names need only hold the value."""
    value = value.lower()
    if name not in CHOICES:
        return lambda row: any(value in word for word in _words(row.values(name)))
    wanted = {value} if value in CHOICES[name] else {word for word in CHOICES[name] if word.startswith(value)}
    if not wanted:
        raise FilterError(f"no {name} {_quoted(value)}; there are {_offered(value, CHOICES[name])}")
    return lambda row: not wanted.isdisjoint(row.values(name))


def _number(name: str, sign: str, text: str) -> Test:
    match = NUMBER.fullmatch(text)
    if match is None:
        raise FilterError(f"{name}{sign} needs a number, not {_quoted(text)}")
    wanted, unit, compare = float(match[1]), match[2], COMPARE[sign]
    if (unit == "%" and name not in PER_CENT) or (unit == "ms" and name not in TIMES):
        raise FilterError(f"{name} is not in {unit}: write {name}{sign}{match[1]}")
    field = PER_CENT[name] if unit == "%" else name
    return lambda row: any(compare(value, wanted) for value in _numbers(row.values(field)))


def _words(value: Value) -> Iterable[str]:
    return (word.lower() for word in value if isinstance(word, str))


def _numbers(value: Value) -> Iterable[float]:
    return (number for number in value if isinstance(number, (int, float)))


def _wanted_network(text: str) -> Network:
    network = _network(text)
    if network is None:
        raise FilterError(f"{_quoted(text)} is not an address or network, as in 10.2.0.0/16")
    return network


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _inside(network: Network) -> Test:
    version, first, last = network.version, int(network.network_address), int(network.broadcast_address)

    def test(row: Row) -> bool:
        its_version, value = number(row.address)
        return its_version == version and first <= value <= last

    return test


def _quoted(text: str) -> str:
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"


def _offered(text: str, words: Sequence[str]) -> str:
    """All the words where they are few, else those that are most like what was typed."""
    line = " ".join(words)
    if len(line) <= OFFERED:
        return line
    alike = sorted(words, key=lambda word: -SequenceMatcher(None, text[:QUOTED], word).ratio())
    line = " ".join(alike)
    return line[: line.rindex(" ", 0, OFFERED)] + " …"
