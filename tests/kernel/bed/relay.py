"""A link in user space: two TAP devices and a process that carries frames between them, later or changed.

TAP devices have no checksum or segmentation offload, so that every frame is whole. For kernels without netem.
"""

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from .middlebox import RULES
from .namespaces import Namespace, end

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x2, 0x1000  # include/uapi/linux/if_tun.h
PR_SET_TIMERSLACK = 29
PACKAGE_ROOT = Path(__file__).parents[len(__package__.split("."))] if __package__ else Path()


class Relay:
    """The running relay between `device` of two namespaces; ends with the bed."""

    def __init__(self, a: Namespace, b: Namespace, device: str, delay_ms: float, rule: str | None) -> None:
        taps = [host.run(_open_tap, device) for host in (a, b)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from {__name__} import main; main()", *map(str, taps), str(delay_ms)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=taps, cwd=PACKAGE_ROOT,
            )  # fmt: skip
        finally:
            for tap in taps:
                os.close(tap)
        try:
            self.rule(rule or "passing")
        except BaseException:
            self.close()
            raise

    def rule(self, name: str) -> None:
        """From now on treat frames by this rule of `middlebox.RULES`; returns when it is in force."""
        self._ask(f"rule {name}")

    def changed(self) -> int:
        """How many frames the rules have dropped or changed so far."""
        return int(self._ask("changed"))

    def close(self) -> None:
        end(self._process)

    def _ask(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"the relay ended: {self._process.wait()}")
        return answer.strip()


class Carrier:
    """Inside the relay process: frames wait in two queues (constant delay keeps their order) until their time."""

    def __init__(self, taps: tuple[int, int], delay_s: float) -> None:
        self._delay_s, self._rule, self._changed = delay_s, RULES["passing"], 0
        self._across = dict(zip(taps, reversed(taps), strict=True))
        self._waiting: deque[tuple[float, int, bytes]] = deque()

    def run(self) -> None:
        """Carry until standard input closes: the relay does not outlive the test process."""
        while True:
            left = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            for ready in select.select([0, *self._across], [], [], left)[0]:
                if ready:
                    self._take(ready)
                elif not self._obey(os.read(0, 4096).decode()):
                    return
            self._deliver()

    def _take(self, tap: int) -> None:
        try:
            frame = os.read(tap, 65536)
        except OSError:  # the device is down
            return
        onward = self._rule(frame)
        self._changed += onward != frame
        if onward is not None:
            self._waiting.append((time.monotonic() + self._delay_s, self._across[tap], onward))

    def _deliver(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, tap, frame = self._waiting.popleft()
            try:
                os.write(tap, frame)
            except OSError:  # the device at the other end is down
                continue

    def _obey(self, lines: str) -> bool:
        for line in lines.splitlines():
            if line.startswith("rule "):
                self._rule = RULES[line.removeprefix("rule ")]
            print(self._changed, flush=True)
        return bool(lines)


def main() -> None:
    """`relay TAP_FD TAP_FD DELAY_MS`: what the relay process runs; precise timers if they can be had."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    a, b, delay_ms = sys.argv[1:]
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # the delay is the same on a busy machine
    Carrier((int(a), int(b)), float(delay_ms) / 1000).run()


def _open_tap(device: str) -> int:
    """A new TAP device of the calling thread's namespace; it exists as long as its descriptor."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    return tap
