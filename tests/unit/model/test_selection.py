"""What --role, --port, --peer and --netns leave."""

import ipaddress

import pytest

from tests.scenarios.build import OWN, handshake, namespace, peer, sample, sensor, total
from tfotop.model.fold import fold
from tfotop.model.selection import Selection, split_endpoint
from tfotop.sample import Handshake

TEN = ipaddress.ip_network("10.0.0.0/8")
DOCUMENTATION = ipaddress.ip_network("2001:db8::/32")
SERVER = handshake(local="192.0.2.1:443", peer="10.1.2.3:51234")
CLIENT = handshake(role="client", local="192.0.2.1:51234", peer="[2001:db8::7]:8443")


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(), [SERVER, CLIENT]),
        (Selection(role="server"), [SERVER]),
        (Selection(role="client"), [CLIENT]),
        (Selection(port=443), [SERVER]),
        (Selection(port=8443), [CLIENT]),
        (Selection(port=51234), []),
        (Selection(peer=TEN), [SERVER]),
        (Selection(peer=DOCUMENTATION), [CLIENT]),
        (Selection(netns=OWN), [SERVER, CLIENT]),
        (Selection(netns=1), []),
        (Selection(role="client", peer=TEN), []),
    ],
    ids=str,
)
def test_handshakes(selection: Selection, wanted: list[Handshake]) -> None:
    assert list(filter(selection.of_handshake, [SERVER, CLIENT])) == wanted


def test_a_model_keeps_what_is_wanted() -> None:
    other = {"netns": 7, "netns_cookie": 7}
    rows = total("accepted", 5), total("accepted", 3, role="client"), total("plain", 2, **other)
    peers = peer("10.1.2.3"), peer("10.1.2.3", port=80), peer("2001:db8::7"), peer("10.1.2.3", role="client", **other)
    places = namespace(), namespace(inum=7, cookie=7, own=False)
    one = sample(sensor=sensor(*rows, peers=peers, handshakes=(SERVER, CLIENT)), namespaces=places)
    whole = fold(None, one)
    shown = Selection(role="server", port=443, peer=TEN, netns=OWN).apply(whole)
    assert [key[1:] for key in shown.peers] == [("server", "10.1.2.3", 443)]
    assert (shown.totals, shown.interval) == ((rows[0],), (rows[0],))
    assert [n.reading.inum for n in shown.namespaces] == [OWN]
    assert shown.handshakes == (SERVER,)
    assert len(whole.peers) == 4


def test_any_is_the_model_itself() -> None:
    model = fold(None, sample())
    assert Selection().apply(model) is model


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [("192.0.2.1:443", ("192.0.2.1", 443)), ("[2001:db8::1]:443", ("2001:db8::1", 443)), ("[::]:1", ("::", 1))],
)
def test_an_endpoint_is_address_and_port(text: str, endpoint: tuple[str, int]) -> None:
    assert split_endpoint(text) == endpoint
