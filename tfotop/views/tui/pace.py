"""How the process shares its time between the keys and what is collected beside them, and gives memory back."""

import ctypes
import gc
import sys
from typing import Final

SWITCH_S: Final = 0.0005  # a thread that works on gives way so soon; 5 ms by default, several times for each key
OBJECTS: Final = 50_000  # more than a screen makes in an interval: the garbage is collected beside the keys, by tidy
MMAP_THRESHOLD, ARENA_MAX = -3, -8  # malloc.h
LARGE: Final = 32_768  # bytes: such as a packed part of the history, which goes back to the system when it is freed


def settle() -> None:
    """For a process with a screen. Measured by ``make bench`` (keys, memory): else some keys wait for 0.1 s."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()  # modules and classes, which stay: most of what a collection would look at
    gc.set_threshold(OBJECTS, 5, 500)  # at all objects together it looks seldom
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's: 3 MB less at 10,000 peers
    if mallopt is not None:
        mallopt(ARENA_MAX, 1)
        mallopt(MMAP_THRESHOLD, LARGE)


def tidy() -> None:
    """Collect what has become garbage lately: some ms, which would else fall into the answer to a key."""
    gc.collect(1)
