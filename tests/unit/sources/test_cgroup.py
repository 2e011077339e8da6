"""Where cgroup v2 is mounted, from texts of /proc/self/mountinfo (proc_pid_mountinfo(5))."""

import os
from pathlib import Path

import pytest

from tfotop.sources import cgroup

SYS = "22 1 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw"
V2 = "30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "31 22 0:27 / /sys/fs/cgroup/cpu rw shared:10 - cgroup cgroup rw,cpu"
BESIDE = "32 22 0:28 / /sys/fs/cgroup/unified rw shared:11 - cgroup2 cgroup2 rw"
SUB_TREE = "33 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw"


@pytest.mark.parametrize(
    ("lines", "root"),
    [
        pytest.param([SYS, V2], "/sys/fs/cgroup", id="v2 only"),
        pytest.param([SYS, V1, BESIDE], "/sys/fs/cgroup/unified", id="beside v1"),
        pytest.param([SYS, V1], None, id="v1 only"),
        pytest.param([SYS, SUB_TREE], None, id="a sub-tree only, as in a container"),
        pytest.param([SYS, SUB_TREE, BESIDE], "/sys/fs/cgroup/unified", id="a sub-tree, and the whole"),
        pytest.param([SYS], None, id="none"),
        pytest.param([], None, id="nothing at all"),
        pytest.param([V2.replace("shared:9", ""), SYS], "/sys/fs/cgroup", id="no optional fields"),
        pytest.param([V2.replace("shared:9", "shared:9 master:1 propagate_from:2")], "/sys/fs/cgroup", id="many"),
        pytest.param([V2.replace("/sys/fs/cgroup", "/mnt/my\\040cgroup")], "/mnt/my cgroup", id="a space in its name"),
        pytest.param([V2.replace("cgroup2 cgroup2", "ext4 cgroup2")], None, id="a disk of that name"),
        pytest.param(["30 22 - cgroup2", " - cgroup2 ", "junk"], None, id="malformed"),
    ],
)
def test_the_root_is_the_whole_v2_tree(lines: list[str], root: str | None, tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("".join(f"{line}\n" for line in lines))
    assert cgroup.find_root(mountinfo) == root


@pytest.mark.parametrize("mounted", [True, False])
def test_where_it_is_not_mounted_it_is_mounted_first(
    mounted: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts: list[tuple[str, str]] = []
    monkeypatch.setattr(cgroup, "find_root", lambda: str(tmp_path) if mounted else None)
    monkeypatch.setattr(cgroup, "ANY_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(cgroup, "mount", lambda *what: mounts.append(what))
    fd = cgroup.open_root()
    try:
        assert os.path.samestat(os.fstat(fd), tmp_path.stat())
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)
    assert mounts == ([] if mounted else [("cgroup2", str(tmp_path))])
