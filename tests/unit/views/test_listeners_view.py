"""The view of the listeners: exact lines, the sentence at the end, and that it holds for any names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from tests.scenarios.build import counters, handshake, listener, namespace, sample, sensor, total
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Handshake, Keys, Listener, Namespace, Process, Sysctls, Total
from tfotop.views.tui import listeners_view
from tfotop.views.tui.listeners_view import detail, lines, rows

SSHD = listener(address="0.0.0.0", port=22, backlog=128, max_qlen=0, process=Process(pid=7, comm="sshd"))
LONG = listener(
    address="2001:db8:1234:5678:9abc:def0:1234:5678",
    port=8443,
    process=Process(pid=1234567, comm="systemd-resolve"),
    own_key="beef",
    accept_queue=3,
)
BACKUP = Keys(primary="a41f", backup="77aa")


def model(*namespaces: Namespace, totals: tuple[Total, ...] = (), handshakes: tuple[Handshake, ...] = ()) -> Model:
    seen = sensor(*totals, handshakes=handshakes) if totals or handshakes else None
    return fold(None, sample(namespaces=namespaces, sensor=seen))


def asked(requests: int) -> dict[str, int]:
    return counters(CookieReqd=requests)


TABLE = model(
    namespace(
        keys=BACKUP,
        listeners=(LONG, listener(), listener(cookie=78), listener(port=80, max_qlen=None, process=None), SSHD),
    ),
    namespace(
        inum=9,
        cookie=2,
        own=False,
        name="we\x1bb",
        sysctls=Sysctls(tcp_fastopen=1),
        keys=Keys(),
        listeners=(listener(address="192.0.2.1"),),
    ),
    namespace(inum=10, cookie=3, own=False, sysctls=None, keys=None, listeners=(listener(port=444),)),
)


@pytest.mark.parametrize(
    ("of", "width", "expected"),
    [
        pytest.param(None, 80, ["nothing read yet"], id="before the first sample"),
        pytest.param(model(), 80, ["Listeners not known."], id="no namespace"),
        pytest.param(model(namespace(listeners=None)), 80, ["Listeners not known."], id="not known"),
        pytest.param(model(namespace(listeners=())), 80, ["No listeners."], id="none"),
        pytest.param(
            model(namespace(listeners=()), namespace(inum=1, cookie=2, listeners=None)),
            80,
            ["Listeners not known in 1 of 2 namespaces."],
            id="not known in one",
        ),
        pytest.param(
            TABLE,
            80,
            [
                "                    TFO         ACCEPT             SERVER",
                "ADDRESS      PORT QUEUE BACKLOG  QUEUE KEY         BIT    PROCESS      NETNS",
                "0.0.0.0        22   off     128      0 a41f+backup ON     sshd[7]      4026…1833",
                "::             80     -     511      0 -           ON     -            4026…1833",
                "192.0.2.1     443    16     511      0 none        OFF    nginx[812]   we?b",
                "::            443    16     511      0 a41f+backup ON     nginx[812]   4026…1833",
                "::            443    16     511      0 a41f+backup ON     nginx[812]   4026…1833",
                "::            444    16     511      0 -           -      nginx[812]   10",
                "2001:…4:5678 8443    16     511      3 beef        ON     sy…[1234567] 4026…1833",
            ],
            id="80 columns",
        ),
        pytest.param(
            TABLE,
            120,
            [
                "                                              TFO         ACCEPT             SERVER",
                (
                    "ADDRESS                                PORT QUEUE BACKLOG  QUEUE KEY         BIT    "
                    "PROCESS                  NETNS"
                ),
                (
                    "0.0.0.0                                  22   off     128      0 a41f+backup ON     "
                    "sshd[7]                  4026531833"
                ),
                (
                    "::                                       80     -     511      0 -           ON     "
                    "-                        4026531833"
                ),
                (
                    "192.0.2.1                               443    16     511      0 none        OFF    "
                    "nginx[812]               we?b"
                ),
                (
                    "::                                      443    16     511      0 a41f+backup ON     "
                    "nginx[812]               4026531833"
                ),
                (
                    "::                                      443    16     511      0 a41f+backup ON     "
                    "nginx[812]               4026531833"
                ),
                (
                    "::                                      444    16     511      0 -           -      "
                    "nginx[812]               10"
                ),
                (
                    "2001:db8:1234:5678:9abc:def0:1234:5678 8443    16     511      3 beef        ON     "
                    "systemd-resolve[1234567] 4026531833"
                ),
            ],
            id="120 columns",
        ),
        pytest.param(
            model(namespace(listeners=(listener(), SSHD))),
            40,
            [
                "               TFO SERVER",
                "ADDRESS PORT QUEUE BIT    PROCESS",
                "0.0.0.0   22   off ON     sshd[7]",
                "::       443    16 ON     nginx[812]",
            ],
            id="narrow: columns are left out",
        ),
    ],
)
def test_lines(of: Model | None, width: int, expected: list[str]) -> None:
    assert list(lines(of, width)) == expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(model(namespace(counters=asked(4))), [], id="nothing wrong"),
        pytest.param(model(namespace(sysctls=Sysctls(tcp_fastopen=1))), [], id="nobody asks"),
        pytest.param(model(namespace(counters=asked(4), sysctls=None)), [], id="the bit is not known"),
        pytest.param(
            model(namespace(counters=asked(4), listeners=(listener(), SSHD))), [], id="which one is not known"
        ),
        pytest.param(
            model(namespace(counters=asked(4), listeners=(SSHD, listener(max_qlen=None)))), [], id="one is not known"
        ),
        pytest.param(
            model(namespace(counters=asked(1), sysctls=Sysctls(tcp_fastopen=0x401))),
            [
                (
                    "! [::]:443 nginx[812] cannot do Fast Open, although 1 cookie was asked for: the server bit 0x2 of "
                    "net.ipv4.tcp_fastopen is off: sysctl -w net.ipv4.tcp_fastopen=1027"
                )
            ],
            id="server bit off",
        ),
        pytest.param(
            model(namespace(counters=asked(1), sysctls=Sysctls(tcp_fastopen=1), own=False, name="web")),
            [
                (
                    "! [::]:443 nginx[812] cannot do Fast Open, although 1 cookie was asked for: the server bit 0x2 of "
                    "net.ipv4.tcp_fastopen is off: ip netns exec web sysctl -w net.ipv4.tcp_fastopen=3"
                )
            ],
            id="server bit off in a namespace",
        ),
        pytest.param(
            model(namespace(counters=asked(1), sysctls=Sysctls(tcp_fastopen=1), listeners=(SSHD, listener()))),
            [
                (
                    "! [::]:443 nginx[812] cannot do Fast Open, although 1 cookie was asked for: the server bit 0x2 of "
                    "net.ipv4.tcp_fastopen is off: sysctl -w net.ipv4.tcp_fastopen=3"
                )
            ],
            id="server bit off, one was told to do Fast Open",
        ),
        pytest.param(
            model(
                namespace(
                    sysctls=Sysctls(tcp_fastopen=1),
                    listeners=(SSHD, listener(), listener(address="192.0.2.1", port=8443, max_qlen=0, process=None)),
                ),
                totals=(total("cookie_refused", 2, "server_bit_off", request=True),),
                handshakes=(handshake(outcome="cookie_refused", reason="server_bit_off", local="192.0.2.1:8443"),),
            ),
            [
                (
                    "! 192.0.2.1:8443 cannot do Fast Open, although 2 cookies were asked for: the server bit 0x2 of "
                    "net.ipv4.tcp_fastopen is off: sysctl -w net.ipv4.tcp_fastopen=3"
                )
            ],
            id="server bit off, one was seen",
        ),
        pytest.param(
            model(namespace(counters=asked(4), listeners=(SSHD,))),
            [
                (
                    "! 0.0.0.0:22 sshd[7] cannot do Fast Open, although 4 cookies were asked for: the listener has no "
                    "Fast Open queue: set TCP_FASTOPEN on it, or bit 0x400, and restart it"
                )
            ],
            id="no listener has a queue",
        ),
        pytest.param(
            model(
                namespace(
                    listeners=(SSHD, listener(), listener(address="192.0.2.1", port=8443, max_qlen=0, process=None))
                ),
                totals=(total("cookie_refused", 9, "no_queue", request=True), total("plain", 5)),
                handshakes=(handshake(outcome="cookie_refused", reason="no_queue", local="192.0.2.1:8443"),),
            ),
            [
                (
                    "! 192.0.2.1:8443 cannot do Fast Open, although 9 cookies were asked for: the listener has no "
                    "Fast Open queue: set TCP_FASTOPEN on it, or bit 0x400, and restart it"
                )
            ],
            id="seen at the listener",
        ),
        pytest.param(
            model(
                namespace(listeners=(listener(max_qlen=0), SSHD)),
                handshakes=(handshake(outcome="rejected", reason="no_queue"),),
            ),
            [
                (
                    "! [::]:443 nginx[812] cannot do Fast Open, although cookies are asked for: the listener has no "
                    "Fast Open queue: set TCP_FASTOPEN on it, or bit 0x400, and restart it"
                )
            ],
            id="seen, not counted",
        ),
    ],
)
def test_the_sentence_below(of: Model, expected: list[str]) -> None:
    shown = lines(of, 400)
    assert detail(of, shown, 0) == "".join(expected)


def test_the_row_under_the_cursor_comes_before_the_first() -> None:
    in_vain = model(namespace(counters=asked(4), listeners=(SSHD, listener(max_qlen=0))))
    shown = lines(in_vain, 80)
    assert detail(in_vain, shown, 0).startswith("! 0.0.0.0:22 sshd[7] cannot")
    assert detail(in_vain, shown, 1).startswith("! [::]:443 nginx[812] cannot")


def test_what_is_not_known_is_said_below_too() -> None:
    of = model(namespace(), namespace(inum=1, cookie=2, listeners=None))
    assert detail(of, lines(of, 80), 0) == "Listeners not known in 1 of 2 namespaces."


def test_only_the_lines_that_are_asked_for_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    cells = listeners_view._cells
    many = model(namespace(listeners=tuple(listener(cookie=i, port=i + 1) for i in range(4096))))
    monkeypatch.setattr(listeners_view, "_cells", lambda row: made.append(row) or cells(row))
    shown = lines(many, 80)
    assert shown[4097] == shown[-1] == "::      4096    16     511      0 a41f ON     nginx[812] 4026531833"
    assert shown[2:4] == [shown[2], shown[3]]
    assert len(made) < 10
    with pytest.raises(IndexError):
        shown[4098]


def test_a_namespace_that_is_gone_is_not_missed() -> None:
    gone = total("accepted", 1, netns=77, netns_cookie=99)
    assert len(lines(model(namespace(), totals=(gone,)), 80)) == 3


NAMES = st.text(max_size=20)
LISTENERS = st.builds(
    Listener,
    cookie=st.integers(0, 9),
    address=st.sampled_from(["0.0.0.0", "::", LONG.address]) | NAMES,
    port=st.integers(0, 65_535),
    inode=st.just(0),
    backlog=st.integers(0, 2**32),
    accept_queue=st.integers(0, 2**32),
    max_qlen=st.none() | st.integers(0, 2),
    process=st.none() | st.builds(Process, pid=st.integers(0, 2**22), comm=NAMES),
    own_key=st.none() | NAMES,
)
KEYS = st.builds(Keys, primary=st.none() | NAMES, backup=st.none() | NAMES)
NAMESPACES: st.SearchStrategy[Any] = st.builds(
    namespace,
    name=st.none() | NAMES,
    keys=st.none() | KEYS,
    sysctls=st.none() | st.builds(Sysctls, tcp_fastopen=st.none() | st.integers(0, 0x7FF)),
    counters=st.none() | st.builds(asked, st.integers(0, 3)),
    listeners=st.none() | st.lists(LISTENERS, max_size=4).map(tuple),
)


@given(st.lists(NAMESPACES, max_size=3), st.integers(0, 200))
def test_any_names_keep_the_width(namespaces: list[Namespace], width: int) -> None:
    of = replace(model(*namespaces), handshakes=(handshake(reason="no_queue", local="[::]:443"),))
    found = list(lines(of, width))
    assert all(cell_len(line) <= width and line.isprintable() for line in found)  # an accent has no column of its own
    listeners = [one for n in namespaces for one in n.listeners or ()]
    assert len(found) >= len(listeners)
    assert [row.listener.port for row in rows(of)] == sorted(one.port for one in listeners)
