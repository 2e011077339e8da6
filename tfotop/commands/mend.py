"""``tfotop doctor --fix``: each change shown, asked for, made, its effect checked. Nothing changes without a yes."""

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from tfotop.diagnosis.finding import Finding, Fix, Queue, Sysctl
from tfotop.model.state import Model
from tfotop.sample import Listener, Problem
from tfotop.sources import listeners, namespaces, processes, read_file
from tfotop.stop import Stop
from tfotop.views.format import printable

TIMEOUT_S: Final = 60
YES: Final = ("y", "yes")

T = TypeVar("T")


class Change(NamedTuple):
    """What would be done, in words that are the thing itself; how; and what is true after it, or why it is not."""

    what: str
    make: Callable[[], None]
    check: Callable[[], str]
    undo: str | None


class Stopped(Exception):
    """A signal came instead of an answer: nothing more is asked, nor made."""


class NotMade(Exception):
    """The change could not be made, or had no effect; the text says why."""


def run(model: Model, found: Sequence[Finding]) -> int:
    """Offer every change that can be made from here; how many were made."""
    made, stop = 0, Stop()
    try:
        for number, cause, change, fix in _offers(model, found):
            print(f"\n{number}. {printable(cause)}\n   change: {printable(change.what)}", flush=True)
            if agreed(stop):
                made += _make(change, fix)
            else:
                print("   not made")
    except Stopped:
        print("\n   not made, stopped")
    print(f"\n{made} change{'' if made == 1 else 's'} made." + ("" if made else " Nothing was changed."), flush=True)
    return made


def _offers(model: Model, found: Sequence[Finding]) -> Iterator[tuple[int, str, Change, Fix]]:
    """Each change with the number and the cause of its finding."""
    for number, finding in enumerate(found, 1):
        if finding.fix is not None:
            for change in changes(model, finding.fix):
                yield number, finding.cause, change, finding.fix


def agreed(stop: Stop) -> bool:
    """Whether the answer is yes; no answer is no. Raises Stopped."""
    print("   make it? [y/N] ", end="", flush=True)
    if not stop.readable(sys.stdin.fileno()):
        raise Stopped
    answer = os.read(sys.stdin.fileno(), 1024).decode(errors="replace")  # a terminal gives a line; at its end nothing
    if not answer:
        print()
    return answer.strip().lower() in YES


def _make(change: Change, fix: Fix) -> bool:
    """Make it, check it, and say how it lasts and how it goes back."""
    try:
        change.make()
        effect = change.check()
    except (NotMade, OSError) as failed:
        print(f"   NOT MADE: {printable(str(failed))}")
        return False
    print(f"   made: {printable(effect)}")
    for label, text in (("to last", fix.lasting or fix.config), ("to undo", change.undo)):
        for line in textwrap.wrap(printable(f"{label}: {text or 'nothing to do'}"), 110, break_on_hyphens=False):
            print(f"   {line}")
    return True


def changes(model: Model, fix: Fix) -> Iterator[Change]:
    """A command as printed, unless a configuration must be edited first; the queues of listeners that run."""
    if fix.command is not None and (fix.config is None or fix.sysctl is not None):
        yield Change(fix.command, lambda: shell(fix.command or ""), lambda: holds(fix.sysctl), fix.undo)
    for queue in fix.queues:
        listener = _listener(model, queue)
        if listener is not None and listener.max_qlen is not None:
            yield _queue_change(listener, queue.max_qlen)


def shell(command: str) -> None:
    """Run a command as a person would. Raises NotMade with its complaint."""
    try:
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotMade(f"the command did not end in {TIMEOUT_S} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotMade(f"exit {done.returncode}" + (f": {lines[-1]}" if lines else ""))


def holds(wanted: Sysctl | None) -> str:
    """That the setting has its value now, read back. Raises NotMade."""
    if wanted is None:
        return "the command succeeded"
    path = f"/proc/sys/{wanted.name.replace('.', '/')}"
    value = _inside(wanted.netns, lambda: read_file(path).decode(errors="replace").strip())
    if value != wanted.value:
        raise NotMade(f"{wanted.name} is {value}, not {wanted.value}")
    return f"{wanted.name} is {value} now"


def _inside(inum: int, function: Callable[[], str]) -> str:
    problems: list[Problem] = []
    for netns in namespaces.find(problems.append):
        if netns.inum == inum:
            value = namespaces.visit(netns, function, problems.append)
            if value is not None:
                return value
    raise NotMade("its network namespace is gone")


def _listener(model: Model, queue: Queue) -> Listener | None:
    """The listener that is meant, as the model knows it."""
    groups = (n.reading.listeners or () for n in model.namespaces if n.reading.inum == queue.netns)
    return next((x for group in groups for x in group if x.cookie == queue.cookie), None)


def _queue_change(listener: Listener, wanted: int) -> Change:
    """TCP_FASTOPEN on the very socket, through a duplicate: the program goes on, and knows nothing of it."""
    process = listener.process
    who = f"{process.comm}[{process.pid}]" if process else "its process"
    what = f"setsockopt(TCP_FASTOPEN, {wanted}) on the running listener of port {listener.port} of {who}"
    undo = f"restart {who}: the queue (it was {listener.max_qlen}) belongs to the socket and goes with it"

    def effect() -> str:
        now = _with_socket(listener, lambda sock: sock.getsockopt(socket.IPPROTO_TCP, listeners.TCP_FASTOPEN))
        if now == listener.max_qlen:
            raise NotMade(f"max_qlen is still {now}")
        return f"max_qlen is {now} now" + (f" ({wanted} were asked for: somaxconn caps it)" if now < wanted else "")

    def make() -> None:
        _with_socket(listener, lambda sock: sock.setsockopt(socket.IPPROTO_TCP, listeners.TCP_FASTOPEN, wanted))

    return Change(what, make, effect, undo)


def _with_socket(listener: Listener, function: Callable[[socket.socket], T]) -> T:
    """What ``function`` does with a duplicate of the listening socket. Raises NotMade if it is gone, OSError."""
    found, _ = processes.scan({listener.inode}, "/proc", namespaces.pids())
    holder = processes.owner(found.get(listener.inode, {}))
    if holder is None:
        raise NotMade("the listener is gone")
    with listeners.duplicate(holder.process.pid, holder.fd) as sock:
        if not listeners.is_of(sock, listener):
            raise NotMade("the listener is gone")
        return function(sock)
