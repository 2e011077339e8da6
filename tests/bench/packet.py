"""Kernel time of an established packet over an empty program, and of a whole handshake, by the kernel's own clock."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.kernel.bed import Namespace, listen, port_of
from tests.kernel.running import programs_of
from tfotop.sources.handshakes import FIRST_BYTE_S

from . import programs
from .load import Load, Mode
from .programs import Run
from .running import stream
from .table import Row

WINDOWS, YOUNG_WINDOWS, WINDOW_S, HANDSHAKE_WINDOW_S = 12, 5, 0.2, 1.5
SIDES = ("ingress", "egress")
LARGE = bytes(1 << 16)
Runs = dict[str, Run]
Connected = tuple[socket.socket, socket.socket]


def rows() -> Iterator[Row]:
    with programs.clocked(), programs.empty() as empty, stream() as tfotop:
        ids = [*sorted(programs_of(tfotop.pid)), *empty]
        packet_ns: dict[str, float] = {}
        for size, exchange, age_s in ESTABLISHED:
            windows = established(ids, exchange, age_s)
            for side in SIDES:
                found = [(ns(w[side]), ns(w[f"empty_{side}"])) for w in windows if w[side].times]
                over = statistics.median(ours - theirs for ours, theirs in found)
                packet_ns[side] = max(packet_ns.get(side, 0), statistics.median(ours for ours, _ in found))
                empty_ns, packets = statistics.median(e for _, e in found), sum(w[side].times for w in windows)
                note = f"{age_s} s after the handshake; whole {packet_ns[side]:.0f} ns, an empty program {empty_ns:.0f}"
                note += f" ns; {packets:,} packets, medians of {len(found)} windows"
                yield Row(f"{side}, established, {size}: over an empty program", over, "ns", most=30, note=note)
        yield from handshakes(ids, packet_ns)


def ns(run: Run) -> float:
    return run.ns / max(run.times, 1)


def small(pair: Connected) -> None:
    for one, other in (pair, pair[::-1]):
        one.send(b"x")
        other.recv(1)


def large(pair: Connected) -> None:
    pair[0].sendall(LARGE)
    pair[1].recv(len(LARGE), socket.MSG_WAITALL)


# For the first seconds of a connection its first byte is still waited for (FIRST_BYTE_S in sources/handshakes.py).
ESTABLISHED = (("1 byte, young", small, 0), ("1 byte", small, FIRST_BYTE_S + 1), ("64 kB", large, FIRST_BYTE_S + 1))


def established(ids: list[int], exchange: Callable[[Connected], None], age_s: float) -> list[Runs]:
    """What each program did in each window in which one connection of that age was busy."""
    with connected() as pair:
        for _ in range(100):
            exchange(pair)
        time.sleep(age_s)
        return [between(ids, lambda: busy(pair, exchange)) for _ in range(WINDOWS if age_s else YOUNG_WINDOWS)]


def busy(pair: Connected, exchange: Callable[[Connected], None]) -> None:
    end = time.monotonic() + WINDOW_S
    while time.monotonic() < end:
        exchange(pair)


def between(ids: list[int], act: Callable[[], object]) -> Runs:
    before = programs.runs(ids)
    act()
    after = programs.runs(ids)
    return {name: after[name] - before[name] for name in before}


@contextmanager
def connected() -> Iterator[Connected]:
    """Both ends of one connection on the loopback of a namespace."""
    namespace = Namespace("packets")
    try:
        listener = listen(namespace)
        one = namespace.socket()
        one.connect(("127.0.0.1", port_of(listener)))
        other, _ = listener.accept()
        with one, other:
            for end in (one, other):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.settimeout(10)
            yield one, other
    finally:
        namespace.close()


def handshakes(ids: list[int], packet_ns: dict[str, float]) -> Iterator[Row]:
    """All hooks over whole connections, less what its packets would have cost once established; both roles."""
    load = Load()
    try:
        modes: tuple[Mode, ...] = ("accepted", "plain")
        for mode in modes:
            with load.on(mode):
                found = [one_window(load, ids, packet_ns) for _ in range(5)]
            whole, excess, packets = (statistics.median(column) for column in zip(*found, strict=True))
            note = f"both roles and all hooks {excess:.2f} us; with the {packets:.0f} packet runs of each connection"
            note += f" {whole:.2f} us"
            yield Row(f"a handshake of one role, {mode}", excess / 2, "us", most=5, note=note)
    finally:
        load.close()


def one_window(load: Load, ids: list[int], packet_ns: dict[str, float]) -> tuple[float, float, float]:
    """Microseconds of a connection, the same less its packets, and how often ingress and egress ran for it."""
    before = load.connections()
    moved = between(ids, lambda: time.sleep(HANDSHAKE_WINDOW_S))
    made = max(load.connections() - before, 1)
    ours = {name: run for name, run in moved.items() if not name.startswith("empty_")}
    whole = sum(run.ns for run in ours.values())
    share = sum(ours[side].times * packet_ns[side] for side in SIDES)
    return whole / made / 1000, (whole - share) / made / 1000, sum(ours[side].times for side in SIDES) / made
