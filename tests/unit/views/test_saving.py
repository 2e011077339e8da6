"""Files of a screen: new ones, for nobody else's eyes, never over another file or through a link."""

import os
from pathlib import Path

import pytest

from tfotop.views.tui.saving import stem, sudo_user, write

BOTH = {"svg": "<svg/>", "txt": "peers ▁█\n"}


def test_two_new_files(tmp_path: Path) -> None:
    made = write(tmp_path, "tfotop-web-3-x", BOTH, None)
    assert [path.name for path in made] == ["tfotop-web-3-x.svg", "tfotop-web-3-x.txt"]
    assert [path.read_text("utf-8") for path in made] == list(BOTH.values())
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600, 0o600]


def test_no_file_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    assert [path.name for path in write(tmp_path, "a", BOTH, None)] == ["a-2.svg", "a-2.txt"]
    assert [path.name for path in write(tmp_path, "a", BOTH, None)] == ["a-3.svg", "a-3.txt"]
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert not (tmp_path / "a.svg").exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.svg").symlink_to(tmp_path / "elsewhere")
    write(tmp_path, "a", BOTH, None)
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_full_of_them(tmp_path: Path) -> None:
    for number in range(1, 101):
        (tmp_path / ("a.svg" if number == 1 else f"a-{number}.svg")).touch()
    with pytest.raises(FileExistsError):
        write(tmp_path, "a", BOTH, None)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        write(tmp_path, "a", {"svg": "x", "t" * 300: "y"}, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_they_belong_to_who_ran_sudo(tmp_path: Path) -> None:
    made = write(tmp_path, "a", BOTH, (12345, 54321))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 54321)}


@pytest.mark.parametrize(
    ("environment", "uid", "owner"),
    [
        ({}, 0, None),
        ({"SUDO_UID": "1000", "SUDO_GID": "1001"}, 0, (1000, 1001)),
        ({"SUDO_UID": "1000", "SUDO_GID": "1001"}, 1000, None),
        ({"SUDO_UID": "-1", "SUDO_GID": "0"}, 0, None),
        ({"SUDO_UID": "1000"}, 0, None),
    ],
    ids=str,
)
def test_who_ran_sudo(environment: dict[str, str], uid: int, owner: tuple[int, int] | None) -> None:
    assert sudo_user(environment, uid) == owner


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("web-3.example.org", "tfotop-web-3.example.org-now"),
        ("../../etc/x", "tfotop-etc-x-now"),
        ("\x1b[31m", "tfotop-31m-now"),
        ("", "tfotop-host-now"),
        ("h" * 300, f"tfotop-{'h' * 60}-now"),
    ],
)
def test_a_host_name_is_no_path(host: str, name: str) -> None:
    assert stem(host, "now") == name
