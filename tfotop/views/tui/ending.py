"""How the screen ends on a signal: with the terminal as it was, or at once where there is no terminal any more."""

import asyncio
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
EVERY_S: Final = 0.25
CHECKS: Final = 20


def end_on_signals(end: Callable[[], object]) -> None:
    """Call ``end`` in the loop that runs now, on a signal or when the terminal hangs up. From the main thread.

    The kernel tells a hangup only to the leader of the session, which may keep it for itself: ``make`` does.

    A terminal that is gone takes no more output: Textual's queue to it fills up, and whoever writes waits for ever,
    the loop too. So the handler is one of the interpreter, which runs all the same, and it leaves somebody to look.
    """
    loop, descriptor = asyncio.get_running_loop(), sys.__stderr__.fileno() if sys.__stderr__ else -1
    had_terminal = descriptor >= 0 and os.isatty(descriptor)

    def ended(_number: int, _frame: FrameType | None) -> None:
        if had_terminal:
            threading.Thread(target=_look, args=(descriptor,), name="ending", daemon=True).start()
        loop.call_soon_threadsafe(end)

    def hung_up() -> None:
        _wait_for_hangup(descriptor)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end)
        _look(descriptor)

    if had_terminal:
        threading.Thread(target=hung_up, name="hangup", daemon=True).start()

    for number in SIGNALS:
        signal.signal(number, ended)


def _wait_for_hangup(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLHUP comes unasked
    poll.poll()


def _look(descriptor: int) -> None:
    """End the process if it is still there and its terminal is gone, or has taken no output for some seconds."""
    for _ in range(CHECKS):
        threading.Event().wait(EVERY_S)
        try:
            termios.tcgetattr(descriptor)
        except (termios.error, OSError):
            break
    os._exit(0)
