"""When a handshake is over."""

import pytest

from tfotop.sources import layout
from tfotop.sources.layout import RawHandshake
from tfotop.sources.settling import SECOND, is_over, quiet
from tfotop.words import OUTCOMES

from .test_records import EMPTY

NOW = 1000 * SECOND
ACCEPTED = OUTCOMES.index("accepted")
OPEN = EMPTY._replace(outcome=layout.UNDECIDED)


def at(seconds: float, of: RawHandshake = OPEN, **times: float) -> RawHandshake:
    """A handshake whose SYN went out at that second; other times in seconds too."""
    ns = {f"{name}_ns": int(value * SECOND) for name, value in times.items()}
    return of._replace(**{"syn_ns": int(seconds * SECOND), "last_syn_ns": int(seconds * SECOND), **ns})


DECIDED = OPEN._replace(outcome=ACCEPTED)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        pytest.param(at(0), 2, id="one SYN: twice the first timeout"),
        pytest.param(at(0, OPEN._replace(syn_retransmits=1), last_syn=1), 5, id="two: twice the second"),
        pytest.param(at(0, OPEN._replace(syn_retransmits=2), last_syn=3), 11, id="three"),
        pytest.param(at(0, OPEN._replace(syn_retransmits=200), last_syn=10), 138, id="bounded"),
        pytest.param(at(0, DECIDED, synack=1, last_synack=1), 4, id="server waits for the ACK"),
        pytest.param(at(0, DECIDED, synack=1, last_synack=7), 10, id="from the last SYN-ACK on"),
        pytest.param(at(0, DECIDED, synack=1, last_synack=1, ack=2), 4, id="server waits for the request"),
        pytest.param(at(0, DECIDED, synack=1), 3, id="client waits for the response"),
    ],
)
def test_a_handshake_is_over_when_nothing_more_can_come(raw: RawHandshake, seconds: int) -> None:
    assert not is_over(raw, seconds * SECOND)
    assert is_over(raw, seconds * SECOND + 1)


def packed(*raws: RawHandshake) -> memoryview:
    return memoryview(b"".join(layout.HANDSHAKE.pack(*raw) for raw in raws))


def test_few_are_looked_at_closely_and_none_that_is_over_is_missed() -> None:
    raws = [
        at(998),
        at(997.999),
        at(900, DECIDED, synack=900, last_synack=999),
        at(900, DECIDED, synack=900, last_synack=900, ack=999),
        at(900, DECIDED, synack=900, last_synack=900, ack=901),
        at(0),
    ]
    found = quiet(packed(*raws), NOW)
    assert found == [1, 4, 5]
    assert {i for i, raw in enumerate(raws) if is_over(raw, NOW)} <= set(found)
