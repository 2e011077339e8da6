"""A running `tfotop doctor --json`: what it says of a bed's namespaces while something is wrong, and after."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .bed import Bed, Namespace, exchange
from .bed.polling import PATIENCE

Report = dict[str, Any]


class Doctor:
    """Watches from the moment that it is made; ``report`` ends the window and gives what was printed."""

    def __init__(self, *options: str, within: Sequence[str] = ()) -> None:
        command = [*within, sys.executable, "-m", "tfotop", "doctor", "--json", "--for", "120", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        greeting = self._process.stderr.readline()
        assert "watching" in greeting, greeting

    def report(self) -> Report:
        """Judge now (Ctrl-C); the report has the exit status too."""
        self._process.send_signal(signal.SIGINT)
        printed, complaint = self._process.communicate(timeout=30 * PATIENCE)
        assert complaint == ""
        return {**json.loads(printed), "exit": self._process.returncode}


def watching(visits: Callable[[], object], *options: str, of: Sequence[Namespace] = (), **how: Any) -> Report:
    """What doctor says after these visits, of the findings only those in the namespaces ``of``."""
    doctor = Doctor(*options, **how)
    visits()
    report = doctor.report()
    if of:
        inodes = {namespace.inode for namespace in of}
        report["findings"] = [f for f in report["findings"] if f["netns"] in inodes]
    return report


def nothing() -> None:
    """No visit: only settings are judged."""


def ids(report: Report) -> list[str]:
    """The findings, worst first."""
    return [finding["id"] for finding in report["findings"]]


def named(report: Report, name: str) -> Report:
    """The finding of this id; the message shows what there was."""
    found = [finding for finding in report["findings"] if finding["id"] == name]
    assert found, f"{name} is not among {[(f['id'], f['cause']) for f in report['findings']]}"
    assert len(found) == 1, found
    one = dict(found[0])
    assert one["evidence"], one
    assert one["verify"], one
    return one


def run_fix(finding: Report) -> None:
    """The very command that was printed, as a person would type it."""
    command = finding["fix"]["command"]
    assert command, finding
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=30)


def well(report: Report) -> None:
    """Nothing is wrong; advice may be there."""
    wrong = [(f["id"], f["cause"]) for f in report["findings"] if f["severity"] in ("broken", "degraded", "unsure")]
    assert wrong == [], wrong


class Terminal:
    """A program on a terminal of its own, as `--fix` wants one."""

    def __init__(self, command: Sequence[str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.text = ""

    def until(self, words: str, timeout_s: float = 30.0) -> str:
        """Everything up to these words; fails if they do not come."""
        while words not in self.text:
            ready = select.select([self._ours], [], [], timeout_s * PATIENCE)[0]
            assert ready, f"no {words!r} in {self.text!r}"
            self.text += self._read()
        before, _, self.text = self.text.partition(words)
        return before

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, line.encode() + b"\n")

    def end(self) -> tuple[int, str]:
        """The exit status and what was still printed."""
        while part := self._read():
            self.text += part
        os.close(self._ours)
        return self.process.wait(30 * PATIENCE), self.text

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65536).decode().replace("\r\n", "\n")
        except OSError:  # EIO: the other end is closed
            return ""


def visits(bed: Bed, port: int, number: int = 2, address: str = "") -> None:
    """Visits of the client, one after the other."""
    for _ in range(number):
        exchange(bed.client, address or bed.server.v4, port)
