"""What every kernel test needs: the means to run at all, a bed, and proof that nothing is left behind."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from tfotop.sources.handshakes import Sensor, SensorFailed, Starting

from .bed import PREFIX, Bed
from .inside import namespace
from .watching import Events, Sight

HERE = Path(__file__).parent
PROGRAMS = ("ip", "nft", "ss", "nsenter")
# Kernel tests wait more than they work: two processes do them, each its own files, one after another. What bursts is in
# the one that also measures time, or needs each record of the few a second that the kernel gives to all.
FIRST_HALF = (
    "test_anything",
    "test_bed",
    "test_crowd",
    "test_doctor_client",
    "test_doctor_cookies",
    "test_hostile",
    "test_lifetime",
    "test_probe",
    "test_probe_programs",
    "test_programs",
    "test_revision",
    "test_terminal",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            item.add_marker(pytest.mark.xdist_group(f"kernel-{1 + (item.path.stem not in FIRST_HALF)}"))


AHEAD = -10  # niceness: what only waits, and measures time, comes before tests that compute in the process beside it


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _set_niceness(AHEAD)  # before the fixtures, whose processes inherit it


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    _set_niceness(0)


def _set_niceness(value: int) -> None:
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, value)


def why_not() -> str | None:
    """The reason that kernel tests cannot run here; None if they can."""
    if os.geteuid() != 0:
        return "kernel tests need root"
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        return f"kernel tests need {', '.join(missing)}"
    return None


def cannot(reason: str) -> NoReturn:
    """Give up on a test that cannot run: a failure under CI=true, skipped on a developer's machine."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="session", autouse=True)
def able() -> None:
    if reason := why_not():
        cannot(reason)


@pytest.fixture(scope="session", autouse=True)
def nothing_left(able: None) -> Iterator[None]:
    """No namespace, mount, process or directory of this run outlives it."""
    before = set(psutil.Process().children(recursive=True))
    yield
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if PREFIX in line]
    files = [path for folder in ("/run/netns", "/tmp") for path in Path(folder).glob(f"{PREFIX}*")]
    processes = [child for child in psutil.Process().children(recursive=True) if child not in before]
    assert (mounts, files, processes) == ([], [], [])


@pytest.fixture
def bed() -> Iterator[Bed]:
    """A client and a server on a veth link; both may use Fast Open (a new namespace starts with mode 1)."""
    with Bed() as made:
        made.server.sysctl("net.ipv4.tcp_fastopen", 3)
        yield made


@pytest.fixture
def tshark() -> None:
    """For tests that dissect a capture."""
    if not shutil.which("tshark"):
        cannot("this test needs tshark")


@pytest.fixture
def slow_bed() -> Iterator[Bed]:
    """The same over a link of 11 ms each way, in user space."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        cannot("a slow link needs /dev/net/tun")
    with Bed(delay_ms=11) as made:
        made.server.sysctl("net.ipv4.tcp_fastopen", 3)
        yield made


@pytest.fixture(scope="session")
def sensor(able: None) -> Iterator[Sensor]:
    """A sensor in this process, beside the one of `tfotop events`: both must count right."""
    try:
        made = Starting(1).finish()
    except SensorFailed as failed:
        cannot(f"the sensor does not run: {failed.problem}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def events(able: None) -> Iterator[Events]:
    """A running `tfotop events --json`; the command line and all behind it."""
    running = Events()
    if "watching" not in running.greeting:
        running.close()
        cannot(f"tfotop events does not run: {running.greeting}")
    yield running
    assert running.close() == ""


@pytest.fixture
def sight(bed: Bed, events: Events, sensor: Sensor) -> Sight:
    """What tfotop sees of the bed."""
    return Sight(bed, events, sensor)


@pytest.fixture
def slow_sight(slow_bed: Bed, events: Events, sensor: Sensor) -> Sight:
    """What tfotop sees of the slow bed."""
    return Sight(slow_bed, events, sensor)


@pytest.fixture
def netns_name() -> Iterator[str]:
    """A namespace alone, for the readers."""
    with namespace() as name:
        yield name
