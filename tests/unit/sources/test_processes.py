"""Who holds a socket, over a fake /proc of symbolic links."""

import os
import shutil
from pathlib import Path

import pytest

from tfotop.sample import Problem, Process
from tfotop.sources import processes
from tfotop.sources.processes import Holder, Processes


class Tree:
    """A fake /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def process(self, pid: int, comm: bytes = b"nginx", parent: int = 1, start: int = 0, **sockets: int) -> None:
        directory = self.root / str(pid)
        (directory / "fd").mkdir(parents=True)
        (directory / "comm").write_bytes(comm + b"\n")
        tail = b" ".join(b"%d" % number for number in (parent, *range(16), 0, start, 99))
        (directory / "stat").write_bytes(b"%d (%s) S " % (pid, comm) + tail + b"\n")
        (directory / "fd" / "0").symlink_to("/dev/null")
        (directory / "fd" / "1").symlink_to("pipe:[77]")
        for fd, inode in sockets.items():
            (directory / "fd" / fd.removeprefix("fd")).symlink_to(f"socket:[{inode}]")

    def close(self, pid: int, fd: int) -> None:
        (self.root / str(pid) / "fd" / str(fd)).unlink()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def holders(
    known: Processes, inodes: set[int], now_s: float, pids: set[int] | None = None
) -> dict[int, tuple[int, str, int]]:
    found = known.holders(inodes, now_s, pytest.fail, pids)
    return {inode: (holder.process.pid, holder.process.comm, holder.fd) for inode, holder in found.items()}


def test_a_socket_is_found_in_the_process_that_holds_it(tree: Tree) -> None:
    tree.process(10, fd4=100, fd5=101)
    tree.process(20, b"haproxy", fd3=200)
    known = Processes(str(tree.root))
    assert holders(known, {100, 200, 300, 77, 0}, 0) == {100: (10, "nginx", 4), 200: (20, "haproxy", 3)}


def test_only_the_processes_that_are_asked_for_are_looked_at(tree: Tree) -> None:
    tree.process(10, fd4=100)
    tree.process(20, fd4=200)
    assert set(holders(Processes(str(tree.root)), {100, 200}, 0, {20, 30})) == {200}


def test_new_sockets_are_sought_once_a_period(tree: Tree) -> None:
    tree.process(10, fd4=100)
    known = Processes(str(tree.root), period_s=2)
    assert set(holders(known, {100}, 50)) == {100}
    tree.process(20, fd4=200)
    assert set(holders(known, {100, 200}, 51.9)) == {100}
    assert set(holders(known, {100, 200}, 52)) == {100, 200}


def test_nothing_is_scanned_while_all_are_known(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.process(10, fd4=100)
    known = Processes(str(tree.root), period_s=2)
    holders(known, {100}, 0)
    monkeypatch.setattr(processes, "scan", pytest.fail)
    assert set(holders(known, {100}, 10)) == {100}


def test_a_socket_sought_in_vain_is_left_alone_for_longer(tree: Tree) -> None:
    known = Processes(str(tree.root), period_s=2, missed_s=20)
    assert holders(known, {100}, 0) == {}
    tree.process(10, fd4=100)
    assert holders(known, {100}, 19) == {}
    assert set(holders(known, {100}, 21)) == {100}


def test_a_holder_that_closed_the_socket_or_ended_is_forgotten(tree: Tree) -> None:
    tree.process(10, fd4=100)
    tree.process(20, fd4=200)
    known = Processes(str(tree.root), period_s=2)
    holders(known, {100, 200}, 0)
    tree.close(10, 4)
    (tree.root / "20" / "comm").unlink()
    tree.close(20, 4)
    assert holders(known, {100, 200}, 2) == {}


def test_another_holder_takes_the_place_of_one_that_ended(tree: Tree) -> None:
    tree.process(10, fd4=100)
    known = Processes(str(tree.root), period_s=2)
    holders(known, {100}, 0)
    tree.close(10, 4)
    tree.process(11, fd7=100)
    assert holders(known, {100}, 2) == {100: (11, "nginx", 7)}


def test_a_socket_no_longer_wanted_is_forgotten(tree: Tree) -> None:
    tree.process(10, fd4=100)
    known = Processes(str(tree.root))
    holders(known, {100}, 0)
    assert holders(known, set(), 0.1) == {}
    assert holders(known, {100}, 0.2) == {}  # forgotten, and not yet sought again


def test_a_process_that_renames_itself_is_renamed(tree: Tree) -> None:
    tree.process(10, b"python", fd4=100)
    known = Processes(str(tree.root), period_s=2)
    holders(known, {100}, 0)
    (tree.root / "10" / "comm").write_bytes(b"server\n")
    assert holders(known, {100}, 2) == {100: (10, "server", 4)}


@pytest.mark.parametrize(
    ("raw", "comm"),
    [(b"a) S 30 (\x1b[2J", "a) S 30 (\x1b[2J"), (b"\xff\xfe", "\ufffd\ufffd"), (b"two\nlines", "two\nlines")],
)
def test_a_name_may_hold_anything(tree: Tree, raw: bytes, comm: str) -> None:
    tree.process(10, raw, start=50, fd4=100)
    tree.process(30, start=60, fd4=100)
    assert holders(Processes(str(tree.root)), {100}, 0) == {100: (10, comm, 4)}


def test_the_master_is_named_even_where_a_worker_has_a_lower_pid(tree: Tree) -> None:
    tree.process(900, b"master", parent=1, start=6, fd6=100)
    tree.process(20, b"worker", parent=900, start=6, fd6=100)
    tree.process(901, b"worker", parent=900, start=6, fd6=100)
    assert holders(Processes(str(tree.root)), {100}, 0) == {100: (900, "master", 6)}


def test_a_service_is_named_and_not_init_that_opened_its_socket(tree: Tree) -> None:
    tree.process(1, b"systemd", parent=0, fd30=100, fd31=200)
    tree.process(20, b"sshd", parent=1, start=9, fd3=100)
    assert holders(Processes(str(tree.root)), {100, 200}, 0) == {100: (20, "sshd", 3), 200: (1, "systemd", 31)}


def test_of_unrelated_processes_the_oldest_is_named(tree: Tree) -> None:
    tree.process(20, b"new", parent=7, start=90, fd3=100)
    tree.process(40, b"old", parent=8, start=80, fd3=100)
    assert holders(Processes(str(tree.root)), {100}, 0) == {100: (40, "old", 3)}


def test_holders_that_are_all_gone_are_none(tree: Tree) -> None:
    assert processes.owner({5: 3, 6: 3}, str(tree.root)) is None
    tree.process(7, fd3=1)
    assert processes.owner({5: 3, 7: 3}, str(tree.root)) == Holder(Process(pid=7, comm="nginx"), 3)
    (tree.root / "7" / "stat").write_bytes(b"nonsense")
    assert processes.owner({7: 3}, str(tree.root)) is None


def test_a_process_that_goes_at_the_moment_of_the_look_is_silent(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says EACCES then (proc_fd_access_allowed, fs/proc/base.c), as of a process that is closed to us."""
    tree.process(11, fd4=100)

    def going(path: str) -> str:
        shutil.rmtree(tree.root / "11")
        raise PermissionError(path)

    monkeypatch.setattr(os, "readlink", going)
    assert holders(Processes(str(tree.root)), {100}, 0) == {}  # and nothing is reported


def test_closed_processes_are_one_problem_as_long_as_a_socket_is_unknown(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.process(10, fd4=100)
    tree.process(11, fd4=200)
    readlink = os.readlink

    def closed(path: str) -> str:
        if "/11/" in path:
            raise PermissionError
        return readlink(path)

    monkeypatch.setattr(os, "readlink", closed)
    problems: list[Problem] = []
    known = Processes(str(tree.root))
    assert set(known.holders({100, 200}, 0, problems.append)) == {100}
    assert [problem.source for problem in problems] == ["processes"]
    known.holders({100, 200}, 0.5, problems.append)
    assert len(problems) == 2
    known.holders({100}, 0.6, problems.append)
    assert len(problems) == 2
