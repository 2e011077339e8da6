"""Standard output that may stand still: a pager on its first page, a terminal after ^S, a reader that hangs."""

import os
import select
import sys
from typing import Final

from tfotop.commands.common import complain
from tfotop.stop import Stop

PATIENCE_S: Final = 0.3
CHUNK: Final = select.PIPE_BUF  # a pipe that can be written to takes so much without waiting


def put(text: str, stop: Stop) -> None:
    """Write all of it; once the end is asked for, only as long as somebody takes it. Raises OSError."""
    out, left = sys.stdout.fileno(), memoryview(text.encode(sys.stdout.encoding, sys.stdout.errors or "strict"))
    while left and stop.writable(out, PATIENCE_S):
        left = left[os.write(out, left[:CHUNK]) :]
    if left and sys.stderr and stop.writable(sys.stderr.fileno(), 0):
        complain(f"nobody took the last {len(left)} bytes of output")
