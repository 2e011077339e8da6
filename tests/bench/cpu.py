"""CPU of ``tfotop stream``: connections as fast as they can come, of few peers and of many; and many namespaces."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.kernel.bed import Namespace

from .load import PEERS_MANY, Load
from .running import cpu_s, cpu_share, stream
from .table import Row

WARM_S, SECONDS, GOAL_PER_S, LIMIT = 3.0, 10.0, 15_000, 5.0
CONTAINERS, CONTAINERS_S = 100, 30.0


def rows() -> Iterator[Row]:
    load = Load()
    try:
        with stream() as tfotop:
            time.sleep(WARM_S)
            yield Row("stream, this bench idle", share(load, tfotop.pid)[0], "% of a core")
            for peers in (0, PEERS_MANY):
                with load.on(peers=peers):
                    time.sleep(WARM_S)
                    yield row(peers, *share(load, tfotop.pid))
    finally:
        load.close()
    yield containers()


def containers() -> Row:
    """With nothing to see: what so many network namespaces cost, each with one process."""
    with ExitStack() as stack:
        for number in range(CONTAINERS):
            namespace = Namespace(f"container-{number}")
            stack.callback(namespace.close)
            namespace.popen(["sleep", "600"])
        with stream() as tfotop:
            time.sleep(WARM_S)
            percent = cpu_share(tfotop.pid, CONTAINERS_S)
    return Row(
        f"stream, {CONTAINERS} network namespaces, idle", percent, "% of a core", note=f"over {CONTAINERS_S:g} s"
    )


def share(load: Load, pid: int) -> tuple[float, float]:
    """Percent of one core that the process uses, and connections per second meanwhile."""
    before, started, made = cpu_s(pid), time.monotonic(), load.connections()
    time.sleep(SECONDS)
    seconds = time.monotonic() - started
    return 100 * (cpu_s(pid) - before) / seconds, (load.connections() - made) / seconds


def row(peers: int, percent: float, per_s: float) -> Row:
    what = f"stream, {peers:,} peers" if peers else "stream, one client"
    note = (
        f"at {per_s:,.0f} connections/s, {2 * per_s:,.0f} handshakes of either role; user and system over {SECONDS:g} s"
    )
    if per_s < GOAL_PER_S:
        percent, note = percent * GOAL_PER_S / per_s, f"{note}; scaled up to {GOAL_PER_S:,} from {percent:.1f} %"
    return Row(what, percent, "% of a core", most=LIMIT, note=note)
