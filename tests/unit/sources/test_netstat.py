"""The counters' parser: by column name, one bad line costs only itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfotop.sample import Problem
from tfotop.sources import netstat
from tfotop.sources.namespaces import Netns

NETSTAT = b"""TcpExt: SyncookiesSent Other TCPFastOpenActive TCPFastOpenNewOne ListenDrops
TcpExt: 1 2 3 18446744073709551615 5
IpExt: InNoRoutes ListenDrops
IpExt: 6 7
"""
SNMP = b"""Ip: Forwarding
Ip: 1
Tcp: RtoMin MaxConn ActiveOpens InSegs
Tcp: 200 -1 11 12
TcpLite: ActiveOpens
TcpLite: 99
"""


def parse(text: bytes, group: bytes = b"TcpExt:") -> tuple[dict[str, int], list[Problem]]:
    problems: list[Problem] = []
    return netstat.parse(text, group, "netstat", problems.append), problems


def tree(root: Path, pid: str, **files: bytes) -> None:
    directory = root / pid / "net"
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_bytes(text)


def test_the_wanted_columns_of_both_files(tmp_path: Path) -> None:
    tree(tmp_path, "5", netstat=NETSTAT, snmp=SNMP)
    assert netstat.read(Netns(1, "", pids=(5,), pid=5), pytest.fail, str(tmp_path)) == {
        "SyncookiesSent": 1,
        "TCPFastOpenActive": 3,
        "TCPFastOpenNewOne": 18446744073709551615,
        "ListenDrops": 5,
        "ActiveOpens": 11,
        "InSegs": 12,
    }


def test_our_own_namespace_is_read_through_ourselves(tmp_path: Path) -> None:
    tree(tmp_path, "self", snmp=SNMP)
    tree(tmp_path, "5", netstat=NETSTAT)
    netns = Netns(1, "", pids=(5,), pid=5, own=True)
    assert netstat.read(netns, pytest.fail, str(tmp_path)) == {"ActiveOpens": 11, "InSegs": 12}


def test_a_process_that_is_gone_is_silent(tmp_path: Path) -> None:
    assert netstat.read(Netns(1, "", pids=(5,), pid=5), pytest.fail, str(tmp_path)) is None


def test_a_file_that_cannot_be_read_costs_only_its_own_counters(tmp_path: Path) -> None:
    tree(tmp_path, "5", snmp=SNMP)
    (tmp_path / "5" / "net" / "netstat").mkdir()
    problems: list[Problem] = []
    counters = netstat.read(Netns(1, "", pids=(5,), pid=5), problems.append, str(tmp_path))
    assert counters == {"ActiveOpens": 11, "InSegs": 12}
    assert [problem.source for problem in problems] == ["netstat"]


def test_columns_are_found_by_name_in_any_order() -> None:
    assert parse(b"TcpExt: B ListenDrops A\nTcpExt: 1 2 3\n")[0] == {"ListenDrops": 2}
    assert parse(b"TcpExt: ListenDrops\nTcpExt: 4\n")[0] == {"ListenDrops": 4}


@pytest.mark.parametrize(
    ("text", "number", "shown"),
    [
        (b"TcpExt: A ListenDrops\nTcpExt: 1\n", 2, "TcpExt: 1"),
        (b"x\nTcpExt: ListenDrops\nTcpExt: 1 2\n", 3, "TcpExt: 1 2"),
        (b"TcpExt: ListenDrops\nTcpExt: -1\n", 2, "TcpExt: -1"),
        (b"TcpExt: ListenDrops\nTcpExt: \x1b[2J\n", 2, r"TcpExt: \x1b[2J"),
        (b"TcpExt: ListenDrops\nTcpExt: " + b"9" * 5000 + b"\n", 2, "TcpExt: 999"),
        (b"TcpExt: ListenDrops", 1, "TcpExt: ListenDrops"),
    ],
)
def test_a_malformed_line_is_reported_with_number_and_content(text: bytes, number: int, shown: str) -> None:
    counters, problems = parse(text)
    assert counters == {}
    assert len(problems) == 1
    assert f"line {number} " in problems[0].text
    assert shown in problems[0].text
    assert problems[0].text.isprintable()


def test_a_malformed_pair_does_not_cost_the_next() -> None:
    counters, problems = parse(b"TcpExt: ListenDrops\nTcpExt: x\nTcpExt: TCPTimeouts\nTcpExt: 8\n")
    assert counters == {"TCPTimeouts": 8}
    assert len(problems) == 1


@given(st.lists(st.binary()).map(b"TcpExt:".join) | st.binary())
def test_any_bytes_are_read_without_a_crash(text: bytes) -> None:
    counters, _ = parse(text)
    assert all(0 <= value < 10**20 for value in counters.values())


@given(
    st.dictionaries(
        st.sampled_from([*sorted(netstat.TCP_EXT), "TCPFastOpenX", "Other", "Tcp"]), st.integers(0, 2**64 - 1)
    )
)
def test_what_the_kernel_prints_is_what_is_read(values: dict[str, int]) -> None:
    names, numbers = " ".join(values), " ".join(map(str, values.values()))
    counters, problems = parse(f"TcpExt: {names}\nTcpExt: {numbers}\n".encode())
    assert counters == {name: value for name, value in values.items() if name not in ("Other", "Tcp")}
    assert problems == []
