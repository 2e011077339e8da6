"""The headline rates: of what is wanted, and unknown where the evidence does not tell."""

import ipaddress

import pytest

from tests.scenarios.build import OWN, counters, namespace, peer, sample, sensor, total
from tfotop.model.fold import fold
from tfotop.model.selection import Selection
from tfotop.model.state import Rates
from tfotop.sample import SensorReading

WEB = 77


def seen(times: int) -> SensorReading:
    """So many times: in the web's namespace 4 accepted and 1 with a full queue, here 2 clients rejected, 1 granted."""
    return sensor(
        total("accepted", 4 * times, netns=WEB, netns_cookie=WEB),
        total("rejected", times, "queue_full", netns=WEB, netns_cookie=WEB),
        total("rejected", 2 * times, "data_not_acked", role="client"),
        total("cookie_granted", times, role="client"),
        peers=(
            peer(
                "10.2.4.17", netns=WEB, netns_cookie=WEB, port=80, outcomes={"accepted": 4 * times, "rejected": times}
            ),
            peer("192.0.2.1", role="client", port=443, outcomes={"rejected": 2 * times, "cookie_granted": times}),
        ),
    )


def rates(wanted: Selection, attached: bool = True) -> Rates:
    here = [namespace(counters=counters(Passive=n, Active=10 * n)) for n in (1, 2)]
    web = [namespace(inum=WEB, own=False, counters=counters(Passive=4 * n)) for n in (1, 2)]
    places = list(zip(here, web, strict=True))
    first = sample(0, namespaces=places[0], sensor=seen(1) if attached else None)
    second = sample(2, namespaces=places[1], sensor=seen(2) if attached else None)
    return fold(fold(None, first, wanted=wanted), second, wanted=wanted).rates


@pytest.mark.parametrize(
    ("wanted", "accepted", "requests", "rejected", "full"),
    [
        (Selection(), 2.0, 0.5, 1.5, 0.5),
        (Selection(netns=WEB), 2.0, 0.0, 0.5, 0.5),
        (Selection(netns=OWN), 0.0, 0.5, 1.0, 0.0),
        (Selection(role="client"), 0.0, 0.5, 1.0, 0.0),
        (Selection(port=80), 2.0, 0.0, 0.5, None),
        (Selection(peer=ipaddress.ip_network("192.0.2.0/24")), 0.0, 0.5, 1.0, None),
        (Selection(port=22), 0.0, 0.0, 0.0, None),
    ],
)
def test_rates_are_of_what_is_wanted(
    wanted: Selection, accepted: float, requests: float, rejected: float, full: float | None
) -> None:
    found = rates(wanted)
    assert (found.accepted_per_s, found.requests_per_s, found.rejected_per_s, found.queue_full_per_s) == (
        accepted,
        requests,
        rejected,
        full,
    )


@pytest.mark.parametrize(
    ("wanted", "accepted"),
    [
        (Selection(), 7.5),
        (Selection(netns=WEB), 2.0),
        (Selection(role="client"), 5.0),
        (Selection(role="server"), 2.5),
        (Selection(port=80), None),
    ],
)
def test_without_the_sensor_the_counters_tell_what_they_can(wanted: Selection, accepted: float | None) -> None:
    assert rates(wanted, attached=False).accepted_per_s == accepted


def test_what_cannot_be_told_apart_is_not_known() -> None:
    """Without BTF no row has a namespace; and who got a SYN cookie is no peer, whatever its port."""
    blind = [sensor(total("accepted", n, netns=None, netns_cookie=None), btf=False) for n in (1, 5)]
    hidden = [sensor(total("rejected", n, "syn_cookies"), peers=(peer(outcomes={"accepted": n}),)) for n in (1, 5)]
    for readings, wanted, known in (
        (blind, Selection(netns=OWN), (None, None)),
        (blind, Selection(), (2.0, 0.0)),
        (hidden, Selection(port=443), (2.0, None)),
    ):
        model = None
        for second, reading in enumerate(readings):
            model = fold(model, sample(2 * second, sensor=reading), wanted=wanted)
        assert model is not None
        assert (model.rates.accepted_per_s, model.rates.rejected_per_s) == known
