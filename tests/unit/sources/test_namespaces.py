"""Namespaces over a fake /proc: files stand for namespaces, hard links for the processes that share one."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from tfotop.sample import Problem
from tfotop.sources import namespaces
from tfotop.sources.namespaces import Netns, scan, visit


class Tree:
    """A fake /proc and /run/netns on one device."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.mounts = root / "netns"
        self.inodes = root / "inodes"
        for directory in (self.proc, self.mounts, self.inodes):
            directory.mkdir()
        (self.proc / "meminfo").touch()
        self.process("self", "host")

    def namespace(self, name: str) -> Path:
        path = self.inodes / name
        path.touch()
        return path

    def inum(self, name: str) -> int:
        return self.namespace(name).stat().st_ino

    def process(self, pid: str, namespace: str | None) -> None:
        directory = self.proc / pid / "ns"
        directory.mkdir(parents=True)
        if namespace:
            os.link(self.namespace(namespace), directory / "net")

    def name(self, name: str, namespace: str) -> None:
        os.link(self.namespace(namespace), self.mounts / name)

    def scan(self) -> tuple[tuple[Netns, ...], list[Problem]]:
        problems: list[Problem] = []
        return scan(problems.append, str(self.proc), (str(self.mounts), str(self.mounts / "missing"))), problems


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_processes_are_grouped_and_our_own_comes_first(tree: Tree) -> None:
    for pid, namespace in (("70", "web"), ("9", "web"), ("1", "host"), ("100", "db")):
        tree.process(pid, namespace)
    (own, *others), problems = tree.scan()
    assert (own.inum, own.pids, own.own, own.path) == (tree.inum("host"), (1,), True, f"{tree.proc}/self/ns/net")
    assert {netns.inum: (netns.pids, netns.pid, netns.processes, netns.own) for netns in others} == {
        tree.inum("web"): ((9, 70), 9, 2, False),
        tree.inum("db"): ((100,), 100, 1, False),
    }
    assert {netns.path for netns in others} == {f"{tree.proc}/9/ns/net", f"{tree.proc}/100/ns/net"}
    assert problems == []


def test_our_own_comes_first_whatever_its_number(tree: Tree) -> None:
    numbers = sorted((tree.inum("host"), tree.inum("other")))
    names = {tree.inum(name): name for name in ("host", "other")}
    for own, other in (numbers, numbers[::-1]):
        for path, inum in ((tree.proc / "self/ns/net", own), (tree.mounts / "named", other)):
            path.unlink(missing_ok=True)
            os.link(tree.inodes / names[inum], path)
        assert [netns.inum for netns in tree.scan()[0]] == [own, other]


def test_a_name_is_given_to_those_that_have_one_and_found_without_processes(tree: Tree) -> None:
    tree.process("5", "web")
    tree.name("blue", "web")
    tree.name("empty", "nobody")
    found, _ = tree.scan()
    assert {netns.inum: (netns.name, netns.processes, netns.pid) for netns in found if not netns.own} == {
        tree.inum("web"): ("blue", 1, 5),
        tree.inum("nobody"): ("empty", 0, None),
    }
    assert {netns.path for netns in found if not netns.own} == {f"{tree.mounts}/blue", f"{tree.mounts}/empty"}


def test_a_file_left_by_an_unmounted_namespace_is_none(tree: Tree) -> None:
    (tree.mounts / "left").symlink_to("/proc/self/ns/net")  # on another device than the tree's namespaces
    (tree.mounts / "broken").symlink_to("nowhere")
    found, problems = tree.scan()
    assert [netns.own for netns in found] == [True]
    assert problems == []


def test_a_zombie_and_a_process_gone_meanwhile_are_silent(tree: Tree) -> None:
    tree.process("7", None)
    found, problems = tree.scan()
    assert [netns.pids for netns in found] == [()]
    assert found[0].pid == os.getpid()
    assert problems == []


def test_a_process_that_goes_at_the_moment_of_the_look_is_silent(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says EACCES then (proc_ns_get_link, fs/proc/namespaces.c), as of a process that is closed to us."""
    tree.process("7", "web")
    stat = os.stat

    def going(path: str) -> os.stat_result:
        if path.endswith("/7/ns/net"):
            shutil.rmtree(tree.proc / "7")
            raise PermissionError
        return stat(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", going)
        found, problems = tree.scan()
    assert [netns.pids for netns in found] == [()]
    assert problems == []


def test_the_only_closed_process_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.process("7", "web")
    stat = os.stat

    def closed(path: str) -> os.stat_result:
        if path.endswith("/7/ns/net"):
            raise PermissionError
        return stat(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", closed)
        _, problems = tree.scan()
    assert [problem.text for problem in problems] == ["process 7 does not show its network namespace"]


def test_many_closed_processes_are_one_problem(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid in range(10, 60):
        tree.process(str(pid), "web")
    tree.process("8", "db")
    stat = os.stat

    def closed(path: str) -> os.stat_result:
        if "/proc/" in path and path.split("/")[-3].startswith(("1", "2", "3", "4", "5")):
            raise PermissionError
        return stat(path)

    monkeypatch.setattr(os, "stat", closed)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found, problems = tree.scan()
    assert [netns.pids for netns in found] == [(), (8,)]
    assert [(problem.source, problem.remedy) for problem in problems] == [("namespaces", "run as root")]


def test_without_proc_there_is_one_problem(tmp_path: Path) -> None:
    problems: list[Problem] = []
    assert scan(problems.append, str(tmp_path / "missing")) == ()
    assert [problem.source for problem in problems] == ["namespaces"]


def test_our_own_namespace_is_visited_on_this_very_thread() -> None:
    own = Netns(os.stat("/proc/self/ns/net").st_ino, "/proc/self/ns/net", own=True)
    assert visit(own, threading.get_ident, pytest.fail) == threading.get_ident()


def test_a_path_that_is_gone_is_silent(tmp_path: Path) -> None:
    assert visit(Netns(1, str(tmp_path / "gone")), lambda: 1, pytest.fail) is None


def test_a_path_that_goes_at_the_moment_of_the_visit_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def going(_path: str, _flags: int) -> int:
        raise PermissionError

    problems: list[Problem] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", going)
        assert visit(Netns(1, str(tmp_path / "gone")), lambda: 1, problems.append) is None
    assert problems == []


def test_a_path_with_another_inode_is_not_entered(tmp_path: Path) -> None:
    assert visit(Netns(1, "/proc/self/ns/net"), lambda: 1, pytest.fail) is None


def test_a_namespace_closed_to_us_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        @staticmethod
        def setns(_fd: int, _kind: int) -> int:
            return -1

    monkeypatch.setattr(namespaces, "_libc", Refusing)
    problems: list[Problem] = []
    netns = Netns(os.stat("/proc/self/ns/net").st_ino, "/proc/self/ns/net")
    assert visit(netns, lambda: 1, problems.append) is None
    assert [problem.source for problem in problems] == ["namespaces"]
    assert namespaces.with_cookies([netns]) == (netns,)
