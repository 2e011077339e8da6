"""The filter language: what each word lets through, and what is said of a bad one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.build import NGINX, OWN, handshake, latency, peer, sample, sensor
from tfotop.model.facts import CHOICES, FIELDS, NUMBERS
from tfotop.model.filter import Filter, FilterError, parse
from tfotop.model.fold import fold
from tfotop.model.state import PeerState
from tfotop.sample import Micros, Process

NAMES = {OWN: "web"}


def state(address: str = "10.2.4.17", **given: object) -> PeerState:
    (found,) = fold(None, sample(sensor=sensor(peers=(peer(address, **given),)))).peers.values()
    return found


def passes(text: str, **given: object) -> bool:
    return parse(text).of_peer(state(**given), NAMES)


BUSY: dict[str, object] = {
    "outcomes": {"accepted": 3, "rejected": 4, "lost": 1, "plain": 2},
    "last_outcome": "rejected",
    "last_reason": "bad_cookie",
    "process": NGINX,
    "rtt_us": Micros((21_000, 22_000, 23_000)),
    "with_tfo": latency(500),
    "without_tfo": latency(44_500),
    "backup_key": 1,
}


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "role:server", "ROLE:Server", "role=server", "port:443", "port:80,443", "port>=443 port<444"),
        *("outcome:rejected", "outcome:accepted", "outcome:lost", "outcome:rej", "outcome:acc,res", "cookie:rejected"),
        *("reason:bad_cookie", "reason:bad", "variant:backup", "comm:nginx", "comm:NGI", "comm:x,ginx", "netns:web"),
        *(f"netns:{OWN}", "netns:eb", "10.2.0.0/16", "10.2.4.17", "peer:10.2.4.0/24", "peer:::1,10.2.4.17", "10.2."),
        *("4.17", "ngin", "web", "bad_cookie", "rtt>20", "rtt=22", "rtt:22", "rtt<22.5", "rtt>=22ms", "rtt>.5"),
        *("first<1", "first>40", "tfo<1", "plain>40ms", "sooner>=44", "pid:812", "accepted:3", "rejected=5"),
        *("accepted<50%", "accepted=30%", "rejected>=50%", "-role:client", "!role:client", "-10.3.0.0/16", "!::/0"),
        "role:server port:443 outcome:rejected 10.2.0.0/16 comm:nginx netns:web rtt>20",
    ],
)
def test_what_passes(text: str) -> None:
    assert passes(text, **BUSY)
    if len(text.split()) == 1 and text[0] not in "-!":
        assert not passes(f"-{text}", **BUSY)


@pytest.mark.parametrize(
    "text",
    [
        *("role:client", "port:80", "port!", "outcome:plain outcome:reset", "outcome:cookie", "cookie:valid", "-10.2."),
        *("reason:no_key", "variant:no_cookie", "comm:curl", "netns:blue", "10.3.0.0/16", "::/0", "peer:10.2.4.18"),
        *("rtt>22", "rtt<=20", "first>45", "tfo>1", "plain<40", "sooner<0", "pid:1", "accepted>3", "rejected<5"),
        *("accepted>30%", "rejected<50%", "role:server role:client", "option:standard", "nothing-like-it"),
    ],
)
def test_what_does_not_pass(text: str) -> None:
    assert not passes(text, **BUSY)


@pytest.mark.parametrize("text", ["rtt<1000", "rtt>=0", "first>0", "sooner<99", "comm:", "pid>0", "reason:bad_cookie"])
def test_what_is_not_known_never_passes(text: str) -> None:
    with_value = text if text != "comm:" else "comm:a"
    assert not passes(with_value)
    assert passes(f"-{with_value}")


def test_ipv6() -> None:
    address = "2001:db8::7"
    for text in ("2001:db8::/32", "2001:db8::7", "peer:2001:db8::/64", "::/0", "2001:db8"):
        assert passes(text, address=address), text
    for text in ("2001:db9::/32", "0.0.0.0/0", "::1"):
        assert not passes(text, address=address), text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("bogus:1", "no field bogus; there are peer role"),
        ("port:http", "port: needs a number, not http"),
        ("port:", "port: needs a value"),
        ("port:80,", "port: needs a value"),
        ("role:serfer", "no role serfer; there are client server"),
        ("outcome:x", "no outcome x; there are plain cookie_granted"),
        ("reason:quef", "no reason quef; there are queue_full no_queue"),  # too many for a line: the likely ones first
        ("comm>5", "comm is not a number: write comm:5"),
        ("10.2.0.0/33", "10.2.0.0/33 is not a network, as in 10.2.0.0/16"),
        ("peer:10.2", "10.2 is not an address or network, as in 10.2.0.0/16"),
        ("rtt>20%", "rtt is not in %: write rtt>20"),
        ("port:80ms", "port is not in ms: write port:80"),
        ("rtt>nan", "rtt> needs a number, not nan"),
        ("rtt>1e9", "rtt> needs a number, not 1e9"),
        ("rtt>１", "rtt> needs a number, not １"),
        ("rtt>-1", "rtt> needs a number, not -1"),
        ("-", "- and ! need a word behind them"),
        ("port:443 !", "- and ! need a word behind them"),
        ("x" * 500 + ":1", f"no field {'x' * 23}…; there are"),
    ],
)
def test_a_bad_word_is_named(text: str, error: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse(text)
    assert str(raised.value).startswith(error)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("role:server", True), ("role:client", False), ("port:443", True), ("port:51234", False)),
        *(("outcome:accepted", True), ("outcome:rejected", False), ("cookie:valid", True), ("rtt>20", True)),
        *(("first<1", True), ("tfo<1", True), ("plain<1", False), ("2001:db8::/32", True), ("comm:nginx", True)),
        *(("netns:web", True), ("option:standard", True), ("variant:no", True), ("reason:no_key", False)),
        *(("accepted>0", False), ("sooner>0", False), ("pid:812", True), ("192.0.2.1", False)),
    ],
)
def test_handshakes(text: str, expected: bool) -> None:
    h = handshake(
        handshake_rtt_us=22_000, first_byte_us=100, comm="nginx", pid=812, option="standard", variant="no_cookie"
    )
    assert parse(text).of_handshake(h, NAMES) is expected


def test_the_port_of_a_client_is_that_of_the_server() -> None:
    h = handshake(role="client", local="192.0.2.1:40000", peer="[2001:db8::7]:443")
    assert parse("port:443").of_handshake(h, NAMES)


def test_an_empty_filter_lets_everything_through() -> None:
    assert Filter().of_peer(state(), {})
    assert Filter().of_handshake(handshake(), {})
    assert parse("").tests == ()


def test_every_field_can_be_asked_of_both() -> None:
    for field in FIELDS:
        value = "5" if field in NUMBERS else CHOICES[field][0] if field in CHOICES else "10.0.0.1"
        found = parse(f"{field}:{value}")
        assert found.of_peer(state(), NAMES) in (True, False)
        assert found.of_handshake(handshake(), NAMES) in (True, False)


WORDS = st.sampled_from(
    [*FIELDS, *(f"{f}{s}" for f in FIELDS for s in (":", ">", "<=", "=")), "-", "!", "%", "ms", ","]
)
TYPED = st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=4))).map("".join))


@given(TYPED)
def test_anything_typed_is_a_filter_or_one_line_of_error(text: str) -> None:
    try:
        found = parse(text)
    except FilterError as bad:
        error = str(bad)
        found = Filter()
    else:
        error = "none"
    assert 0 < len(error) < 200
    odd = state(address="no address", process=Process(pid=1, comm="\x1b[0m\udc80"), port=0)
    assert all(found.of_peer(row, NAMES) in (True, False) for row in (odd, state(**BUSY)))
    assert found.of_handshake(handshake(), NAMES) in (True, False)
