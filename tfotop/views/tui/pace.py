"""How the process shares its time between the keys and what is collected beside them, and gives memory back."""

import ctypes
import gc
import sys
from itertools import cycle
from typing import Final

SWITCH_S: Final = 0.0005  # a thread that works on gives way so soon; 5 ms by default, several times for each key
OBJECTS: Final = 50_000  # more than a screen makes in an interval: the garbage is collected beside the keys, by Tidy
MMAP_THRESHOLD, ARENA_MAX = -3, -8  # malloc.h
YOUNG, OLD = 10, 120  # intervals until those are looked at again that one, and that two collections have left
LARGE: Final = 32_768  # bytes: such as a packed part of the history, which goes back to the system when it is freed


def settle() -> None:
    """For a process with a screen. Measured by ``make bench`` (keys, memory): else some keys wait for 0.1 s."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()  # modules and classes, which stay: most of what a collection would look at
    gc.set_threshold(OBJECTS, 5, 500)  # by itself hardly ever: that is for Tidy
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's: 3 MB less at 10,000 peers
    if mallopt is not None:
        mallopt(ARENA_MAX, 1)
        mallopt(MMAP_THRESHOLD, LARGE)


class Tidy:
    """To be called after each interval: what has become garbage lately would else be collected while a key is answered.

    What is drawn with, such as Textual's strips, ends as garbage in circles, some of it after the next interval. What
    outlives a collection is looked at less often, so the young are not made to look old: the screen grew by 1 MB a
    minute when each interval's survivors went at once to where they are seldom looked at.
    """

    def __init__(self) -> None:
        self._generations = cycle(2 if n % OLD == 0 else int(n % YOUNG == 0) for n in range(1, OLD + 1))

    def __call__(self) -> None:
        """Collect: some ms."""
        gc.collect(next(self._generations))
