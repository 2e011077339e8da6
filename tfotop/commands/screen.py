"""``tfotop``: the live screen."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tfotop.commands.common import NO_SENSOR, NO_SENSOR_YET, RECORDS_PER_S, selection, start
from tfotop.commands.probing import prober
from tfotop.model.state import Model


def started_with() -> dict[str, str]:
    """The environment before the interpreter set LC_CTYPE to UTF-8, as it does in the C locale (PEP 538)."""
    try:
        pairs = Path("/proc/self/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def forget_old_size() -> None:
    """A shell that exports COLUMNS and LINES tells what they were: the terminal itself knows what they are."""
    try:
        known = all(os.get_terminal_size(sys.stdout.fileno()))
    except OSError:
        known = False
    for name in ("COLUMNS", "LINES") if known else ():
        os.environ.pop(name, None)


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Let a module seem not to be installed while others that can do without it are imported."""
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # so says the documentation of import
    try:
        yield
    finally:
        if sys.modules.get(name) is None:
            sys.modules.pop(name, None)


def run(chosen: argparse.Namespace) -> int:
    """``tfotop``: paints at once; the sensor joins when it is ready."""
    forget_old_size()
    starting = start(chosen, RECORDS_PER_S)
    from tfotop.feed import Feed, Past  # while the child compiles
    from tfotop.sources.collector import Collector

    with absent("ssl"):  # asyncio would load OpenSSL, for 1 to 5 MB, and nothing here speaks TLS through asyncio
        from tfotop.views.tui import app as tui
    from tfotop.views.tui.themes import speaks_utf8

    collector, past = Collector(NO_SENSOR_YET if starting else NO_SENSOR), Past()

    def feed(deliver: Callable[[Model], object]) -> Callable[[], None]:
        running = Feed(collector, chosen.interval, starting, deliver, past, selection(chosen))
        running.start()
        return running.stop

    utf8 = speaks_utf8(started_with() or os.environ)
    app = tui.TfotopApp(platform.node(), platform.release(), chosen.interval, selection(chosen), past, utf8)
    app.prober = prober(chosen.no_bpf)
    status = tui.run(app, feed)
    # The feed may be in the middle of a reading. What it holds, and with it the sensor, goes with the process: at once.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
