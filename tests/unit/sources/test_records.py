"""From the sensor's bytes to records."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfotop.sample import Handshake, Latency, Micros, Process, Total
from tfotop.sources import layout, records
from tfotop.sources.layout import Flow, RawHandshake
from tfotop.words import OPTIONS, OUTCOMES, REASONS, VARIANTS

NGINX = Process(pid=812, comm="nginx")
V4 = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7")
FLOW = Flow(netns_cookie=1, local=V4, peer=V6, local_port=443, peer_port=51234, role=1)
SYN_NS = 7_000_000_000

# What read_syn leaves of a SYN without options, and nothing that came later.
EMPTY = RawHandshake._make([0] * len(RawHandshake._fields))._replace(
    syn_ns=SYN_NS,
    last_syn_ns=SYN_NS,
    comm=bytes(16),
    qlen=layout.UNKNOWN,
    max_qlen=layout.UNKNOWN,
    tcp_fastopen=layout.UNKNOWN,
    cookie_len=layout.NO_COOKIE_LEN,
    new_cookie_len=layout.NO_COOKIE_LEN,
)


def made(raw: RawHandshake = EMPTY, flow: Flow = FLOW, **changed: object) -> Handshake:
    return records.handshake(flow, raw._replace(**changed), wall_offset_ns=100)


@pytest.mark.parametrize(
    ("raw", "text"),
    [(V4, "192.0.2.1"), (V6, "2001:db8::7"), (bytes(16), "::"), (bytes(10) + b"\xff\xff" + bytes(4), "0.0.0.0")],
)
def test_addresses(raw: bytes, text: str) -> None:
    assert records.address(raw) == text


def test_endpoints() -> None:
    assert (records.endpoint(V4, 443), records.endpoint(V6, 1)) == ("192.0.2.1:443", "[2001:db8::7]:1")


def test_what_was_not_seen_is_not_known() -> None:
    assert made(outcome=OUTCOMES.index("unanswered")) == Handshake(
        ts_ns=SYN_NS + 100,
        role="server",
        netns=None,
        local="192.0.2.1:443",
        peer="[2001:db8::7]:51234",
        outcome="unanswered",
    )


def test_every_field_of_a_handshake() -> None:
    raw = EMPTY._replace(
        netns=9,
        synack_ns=SYN_NS + 20_500,
        ack_ns=SYN_NS + 22_100_999,
        first_byte_ns=SYN_NS + 30_000_000,
        socket_cookie=77,
        rtt_us=22_080,
        syn_data_bytes=214,
        syn_data_acked_bytes=100,
        qlen=0,
        max_qlen=16,
        tcp_fastopen=0x403,
        cookie_id=0x5E1FABCD,
        new_cookie_id=0x00017777,
        cookie_len=8,
        new_cookie_len=16,
        option=OPTIONS.index("experimental"),
        outcome=OUTCOMES.index("rejected"),
        reason=REASONS.index("bad_cookie"),
        variant=VARIANTS.index("backup_key"),
    )
    assert records.handshake(FLOW, raw, 100, lambda netns, cookie: NGINX if (netns, cookie) == (9, 77) else None) == (
        Handshake(
            ts_ns=SYN_NS + 100,
            role="server",
            netns=9,
            local="192.0.2.1:443",
            peer="[2001:db8::7]:51234",
            pid=812,
            comm="nginx",
            outcome="rejected",
            variant="backup_key",
            reason="bad_cookie",
            option="experimental",
            cookie_len=8,
            cookie_id="5e1f",
            new_cookie_len=16,
            new_cookie_id="0001",
            syn_data_bytes=214,
            syn_data_acked_bytes=100,
            handshake_rtt_us=22_080,
            first_byte_us=30_000,
            qlen=0,
            max_qlen=16,
            tcp_fastopen=0x403,
            synack_us=20,
            ack_us=22_100,
            socket_cookie=77,
        )
    )


def test_a_request_is_a_cookie_of_length_0() -> None:
    assert (made(cookie_len=0).cookie_len, made().cookie_len) == (0, None)


@pytest.mark.parametrize(("outcome", "acked"), [("unanswered", None), ("reset", None), ("rejected", 0), ("plain", 0)])
def test_data_is_acknowledged_only_by_a_syn_ack(outcome: str, acked: int | None) -> None:
    """Also by one that could not be seen: it acknowledged none."""
    assert made(outcome=OUTCOMES.index(outcome), syn_data_bytes=9).syn_data_acked_bytes == acked


def test_a_first_byte_in_the_syn_took_no_time() -> None:
    assert made(first_byte_ns=SYN_NS).first_byte_us == 0


def test_the_last_syn_is_told_only_of_one_sent_again() -> None:
    assert made(last_syn_ns=SYN_NS + 1_000_000_000).last_syn_us is None
    assert made(last_syn_ns=SYN_NS + 1_000_000_000, syn_retransmits=1).last_syn_us == 1_000_000


def test_a_client_is_who_called_connect() -> None:
    client = FLOW._replace(role=0)
    caller = made(flow=client, pid=4711, comm=b"curl\0garbage....")
    assert (caller.role, caller.pid, caller.comm) == ("client", 4711, "curl")
    assert made(flow=client, comm=b"curl".ljust(16, b"\0")).pid is None


def test_a_server_is_not_who_happened_to_run() -> None:
    assert made(pid=4711, comm=b"swapper/0".ljust(16, b"\0")).pid is None


@pytest.mark.parametrize(
    ("raw", "text"), [(b"sixteen-bytes-xx", "sixteen-bytes-xx"), (b"a\xff\xfe\0", "a\ufffd\ufffd"), (bytes(16), "")]
)
def test_process_names(raw: bytes, text: str) -> None:
    assert records.comm_text(raw) == text


@pytest.mark.parametrize(("number", "name"), [(0, None), (0x5E1F0000, "5e1f"), (0x0000FFFF, "0000")])
def test_fingerprints(number: int, name: str | None) -> None:
    assert records.fingerprint(number) == name


@given(st.binary(min_size=1, max_size=16), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_fingerprint_is_4_hex_digits(cookie: bytes, first: int, second: int) -> None:
    name = records.cookie_fingerprint((first, second))(cookie)
    assert (len(name), int(name, 16) < 2**16) == (4, True)


def test_a_fingerprint_depends_on_the_secrets_of_this_run() -> None:
    names = {records.cookie_fingerprint((first, second))(b"12345678") for first in range(4) for second in range(4)}
    assert len(names) == 16


def test_totals() -> None:
    key = (1, 9, 1, OUTCOMES.index("rejected"), REASONS.index("no_key"), 0, 1, 0)
    assert records.total(key, 5) == Total(
        netns=9,
        netns_cookie=1,
        role="server",
        outcome="rejected",
        reason="no_key",
        variant=None,
        data=True,
        request=False,
        handshakes=5,
    )


def test_totals_without_btf_know_no_namespace() -> None:
    one = records.total((0,) * 8, 1)
    assert (one.netns, one.netns_cookie, one.role, one.reason) == (None, None, "client", None)


# Peers: that the bytes stand where C puts them is tests/unit/test_layout.py's matter.


def latency_bytes(*us: int) -> bytes:
    """As the kernel's ring holds them after so many values."""
    ring = [0] * layout.RECENT
    for i, value in enumerate(us):
        ring[i % layout.RECENT] = value
    return layout.LATENCY.pack(len(us), *ring, *[0] * layout.BUCKETS)


def peer_bytes(*us: int, pid: int = 0) -> bytes:
    ring = [0] * layout.RECENT
    for i, value in enumerate(us):
        ring[i % layout.RECENT] = value
    outcomes = [3, *[0] * (layout.OUTCOMES - 1)]
    head = layout.PEER_HEAD.pack(11, 12, 0, 1, pid, b"curl", 0, *outcomes, 0, 0, 0, len(us), *ring, 0, 0)
    return head + latency_bytes(*us) + latency_bytes() + bytes(4)


@pytest.mark.parametrize("number", [0, 1, layout.RECENT - 1, layout.RECENT, layout.RECENT + 1, 3 * layout.RECENT + 5])
def test_the_newest_values_come_oldest_first(number: int) -> None:
    values = tuple(range(1, number + 1))
    one = records.peer(layout.PEER_KEY.pack(1, V4, 9, 443, 1), peer_bytes(*values))
    assert one.rtt_us == Micros(values[-layout.RECENT :])
    assert one.without_tfo == Latency(count=number, recent_us=Micros(values[-layout.RECENT :]))
    assert one.with_tfo == Latency()


def test_an_outcome_that_never_was_takes_no_room() -> None:
    assert records.peer(layout.PEER_KEY.pack(0, V4, 0, 443, 1), peer_bytes()).outcomes == {"plain": 3}


@pytest.mark.parametrize(("role", "pid", "process"), [(0, 5, Process(pid=5, comm="curl")), (0, 0, None), (1, 5, NGINX)])
def test_a_peer_has_the_process_of_its_role(role: int, pid: int, process: Process | None) -> None:
    key = layout.PEER_KEY.pack(1, V6, 9, 443, role)
    assert records.peer(key, peer_bytes(pid=pid), lambda _netns, _cookie: NGINX).process == process


def test_a_handshake_without_an_outcome_breaks_nothing() -> None:
    assert made(outcome=layout.UNDECIDED).outcome == "unanswered"
