"""Handshakes and snapshots as plain text. What is not known is `-`, never 0."""

import re

import pytest
from msgspec.structs import replace

from tests.scenarios.build import (
    NO_EBPF,
    START_WALL_NS,
    counters,
    folded,
    handshake,
    latency,
    later,
    listener,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tfotop.sample import Handshake, Keys, Losses, Process, Sample, Sysctls
from tfotop.views import text

pytestmark = pytest.mark.usefixtures("utc")

FIRST_CONTACT = handshake(
    role="client",
    local="192.0.2.1:51234",
    peer="198.51.100.2:443",
    pid=4711,
    comm="curl",
    outcome="cookie_granted",
    reason="no_cookie_cached",
    option="standard",
    cookie_len=0,
    new_cookie_len=8,
    new_cookie_id="5e1f",
    handshake_rtt_us=22_100,
    first_byte_us=45_600,
)


@pytest.mark.parametrize(
    ("of", "line"),
    [
        pytest.param(
            FIRST_CONTACT,
            "14:13:20.000000 client 192.0.2.1:51234 > 198.51.100.2:443 cookie granted: no cookie cached yet, "
            "cookie request, new cookie 8 B 5e1f, rtt 22.10 ms, first byte 45.60 ms, curl[4711]",
            id="first contact",
        ),
        pytest.param(
            handshake(
                ts_ns=START_WALL_NS + 123_456_000,
                cookie_len=8,
                cookie_id="5e1f",
                option="standard",
                syn_data_bytes=214,
                syn_data_acked_bytes=214,
                handshake_rtt_us=22_100,
                first_byte_us=0,
                qlen=0,
                max_qlen=16,
                pid=812,
                comm="nginx",
            ),
            "14:13:20.123456 server [2001:db8::7]:51234 > 192.0.2.1:443 accepted, cookie 8 B 5e1f, "
            "SYN data 214 B (214 acked), queue 0/16, rtt 22.10 ms, first byte 0.00 ms, nginx[812]",
            id="hit",
        ),
        pytest.param(
            handshake(outcome="plain", qlen=0, max_qlen=16),
            "14:13:20.000000 server [2001:db8::7]:51234 > 192.0.2.1:443 plain, rtt - ms, first byte - ms",
            id="nothing known",
        ),
        pytest.param(
            handshake(
                outcome="cookie_refused",
                reason="no_queue",
                tcp_fastopen=0x3,
                cookie_len=0,
                option="experimental",
                qlen=0,
                max_qlen=0,
            ),
            "14:13:20.000000 server [2001:db8::7]:51234 > 192.0.2.1:443 cookie refused: no Fast Open queue: the "
            "listener did not ask, cookie request, option 254, queue 0/0, rtt - ms, first byte - ms",
            id="refused",
        ),
        pytest.param(
            handshake(
                role="client",
                outcome="lost",
                reason="syn_dropped",
                cookie_len=8,
                cookie_id="5e1f",
                syn_data_bytes=10,
                syn_retransmits=2,
            ),
            "14:13:20.000000 client 192.0.2.1:443 > [2001:db8::7]:51234 lost: SYN dropped on the way, cookie 8 B 5e1f, "
            "SYN data 10 B (- acked), SYN sent 3 times, rtt - ms, first byte - ms",
            id="lost",
        ),
        pytest.param(
            handshake(variant="backup_key", cookie_len=8, cookie_id="5e1f", new_cookie_len=8, new_cookie_id="77aa"),
            "14:13:20.000000 server [2001:db8::7]:51234 > 192.0.2.1:443 accepted (backup key), cookie 8 B 5e1f, "
            "new cookie 8 B 77aa, rtt - ms, first byte - ms",
            id="backup key",
        ),
    ],
)
def test_a_handshake_is_one_line(of: Handshake, line: str) -> None:
    assert text.event(of) == line


@pytest.mark.parametrize("comm", ["\x1b]0;owned\x07", "\u202eevil", "a\nb", "\x9bm"])
def test_a_process_name_cannot_write_to_the_terminal(comm: str) -> None:
    line = text.event(handshake(pid=1, comm=comm))
    assert line.isprintable()
    assert line.endswith("[1]")


def test_a_wide_process_name_stays_as_it_is() -> None:
    assert text.event(handshake(pid=1, comm="データ")).endswith(" データ[1]")


@pytest.mark.parametrize(
    ("lost", "line"),
    [
        (Losses(), None),
        (Losses(records_limited=9, peers_unread=9), None),
        (Losses(records_dropped=3), "3 handshakes not printed (the ring buffer was full)"),
        (
            Losses(records_dropped=3, handshakes_evicted=2),
            (
                "3 handshakes not printed (the ring buffer was full); "
                "2 handshakes not followed to their end (the table was full)"
            ),
        ),
    ],
)
def test_what_events_lost(lost: Losses, line: str | None) -> None:
    assert text.losses(lost) == line


# Snapshots


def lines(*samples: Sample) -> list[str]:
    return text.snapshot(folded(*samples)).splitlines()


def test_what_is_not_known_is_a_dash() -> None:
    nothing = namespace(sysctls=None, keys=None, counters=None, listeners=None)
    assert lines(sample(tier=0, namespaces=(nothing,), cost=None)) == [
        "2026-09-21 14:13:20  no privileges  totals -",
        "accepted -/s  requests -/s  rejected -/s  queue full -/s",
        "",
        "netns 4026531833 this namespace: server -  client -  tcp_fastopen -  key -",
    ]


def test_a_whole_snapshot() -> None:
    rows = (
        total("accepted", 30, data=True),
        total("accepted", 10),
        total("cookie_refused", 2, "queue_full", request=True),
    )
    seen = peer(
        outcomes={"accepted": 40, "rejected": 3, "lost": 1, "plain": 9},
        rtt_us=(22_200,),
        with_tfo=latency(23_400),
        without_tfo=latency(45_600),
    )
    place = namespace(
        name="blue",
        keys=Keys(primary="a41f", backup="77aa"),
        sysctls=Sysctls(tcp_fastopen=0x403),
        listeners=(listener(), listener(address="192.0.2.1", port=80, max_qlen=None, process=None)),
    )
    before = sample(sensor=sensor(), namespaces=(place,))
    moved = replace(place, counters=counters(Passive=40, CookieReqd=2, ListenOverflow=1, TCPTimeouts=7))
    after = sample(2, sensor=sensor(*rows, peers=(seen,)), namespaces=(moved,), problems=(NO_EBPF,))
    assert lines(before, after) == [
        "2026-09-21 14:13:22  eBPF exact  totals DIFFERS from the kernel",
        "accepted 20/s  requests 1/s  rejected 0/s  queue full 1/s",
        "",
        "netns 4026531833 blue: server ON  client ON  tcp_fastopen 0x403  key a41f + backup",
        "  TCPFastOpenActive                            0 +0  tfotop +0 =",
        "  TCPFastOpenActiveFail                        0 +0  tfotop +0 =",
        "  TCPFastOpenBlackhole                         0 +0",
        "  TCPFastOpenCookieReqd                        2 +2  tfotop +2 =",
        "  TCPFastOpenListenOverflow                    1 +1  tfotop +2 DIFFERS",
        "  TCPFastOpenPassive                          40 +40  tfotop +40 =",
        "  TCPFastOpenPassiveAltKey                     0 +0  tfotop +0 =",
        "  TCPFastOpenPassiveFail                       0 +0  tfotop +0 =",
        "  server accepted                                            40",
        "  server cookie refused: Fast Open queue full                 2",
        "  listener [::]:443  Fast Open queue 16  nginx[812]",
        "  listener 192.0.2.1:80  Fast Open queue -  -",
        "",
        text.PEER_TITLES,
        (
            "10.2.4.17                               server     443        40         4    22.20    23.40     45.60"
            "      22.20   1.0"
        ),
        "! sensor: bcc is not installed (install python3-bpfcc)",
    ]


def test_a_peer_of_which_nothing_was_measured_has_dashes() -> None:
    row = next(line for line in lines(sample(sensor=sensor(peers=(peer(),)))) if line.startswith("10.2.4.17"))
    assert row.split() == ["10.2.4.17", "server", "443", "1", "0", "-", "-", "-", "-", "-"]


def test_titles_and_rows_have_the_same_columns() -> None:
    row = next(line for line in lines(sample(sensor=sensor(peers=(peer(),)))) if line.startswith("10.2.4.17"))
    assert len(row) == len(text.PEER_TITLES)


def test_the_newest_peers_are_shown() -> None:
    many = tuple(peer(f"10.0.0.{i}") for i in range(text.SHOWN_PEERS + 5))
    shown = [line.split()[0] for line in lines(sample(sensor=sensor(peers=many))) if line.startswith("10.0.0.")]
    assert shown == [f"10.0.0.{i}" for i in range(text.SHOWN_PEERS + 4, 4, -1)]


def test_without_btf_the_totals_belong_to_no_namespace() -> None:
    row = total("accepted", 7, netns=None, netns_cookie=None)
    page = text.snapshot(folded(sample(sensor=sensor(row, btf=False))))
    assert re.search(r"^all namespaces:\n  server accepted +7$", page, re.M)


def test_a_snapshot_says_what_is_lost() -> None:
    page = lines(sample(sensor=sensor(losses=Losses(totals_full=8))))
    assert page[-1] == "! 8 handshakes not counted"


def test_names_from_outside_are_made_safe() -> None:
    odd = listener(process=Process(pid=1, comm="\x1b[2J"))
    page = text.snapshot(folded(sample(namespaces=(namespace(name="a\x1b[2Jb", listeners=(odd,)),))))
    assert page.replace("\n", "").isprintable()


def test_agreement_needs_two_samples() -> None:
    one = sample(sensor=sensor(total("accepted", 1)), namespaces=(namespace(counters=counters(Passive=1)),))
    assert lines(one)[0].endswith("totals -")
    assert lines(one, later(one, 1))[0].endswith("totals agrees with the kernel")
