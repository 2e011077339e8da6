"""How the interpreter shares its time between the keys and what is collected beside them."""

import gc
import sys
from typing import Final

SWITCH_S: Final = 0.0005  # a thread that works on gives way so soon; 5 ms by default, several times for each key
OBJECTS: Final = (
    20_000  # made before the garbage collector looks again; 700 by default, of which 65,536 peers have many
)


def keys_first() -> None:
    """For a process with a screen. Measured with ``make bench`` (keys): by default some keys wait for 0.1 s."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()  # modules and classes, which stay: most of what a collection would look at
    gc.set_threshold(OBJECTS, 10, 10)
