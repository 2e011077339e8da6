"""The settings, each alone."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfotop.sample import Problem, Sysctls
from tfotop.sources import sysctl

VALUES = {name: 3 + number for number, (_, name) in enumerate(sysctl.FILES)}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, value in VALUES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


def test_every_setting_has_its_field(directory: Path) -> None:
    assert sysctl.read(pytest.fail, str(directory)) == Sysctls(
        tcp_fastopen=3, blackhole_timeout_s=4, tcp_syncookies=5, tcp_max_syn_backlog=6, somaxconn=7
    )
    assert {field for field, _ in sysctl.FILES} == set(Sysctls.__struct_fields__)


def test_a_setting_that_this_kernel_has_not_is_unknown_and_silent(directory: Path) -> None:
    (directory / "ipv4/tcp_fastopen_blackhole_timeout_sec").unlink()
    found = sysctl.read(pytest.fail, str(directory))
    assert (found.blackhole_timeout_s, found.tcp_fastopen) == (None, 3)


def test_a_setting_that_cannot_be_read_costs_only_itself(directory: Path) -> None:
    (directory / "ipv4/tcp_fastopen").unlink()
    (directory / "ipv4/tcp_fastopen").mkdir()
    problems: list[Problem] = []
    found = sysctl.read(problems.append, str(directory))
    assert (found.tcp_fastopen, found.tcp_syncookies) == (None, 5)
    assert [problem.source for problem in problems] == ["sysctl"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_any_bytes_are_a_number_or_a_problem(directory: Path, content: bytes) -> None:
    (directory / "core/somaxconn").write_bytes(content)
    problems: list[Problem] = []
    value = sysctl.read(problems.append, str(directory)).somaxconn
    assert (value is None) == (len(problems) == 1)


def test_a_negative_number_is_one(directory: Path) -> None:
    (directory / "core/somaxconn").write_text("-1\n")
    assert sysctl.read(pytest.fail, str(directory)).somaxconn == -1
