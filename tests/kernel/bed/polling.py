"""Waiting by polling with a deadline: no fixed sleeps anywhere in the test bed."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

# On an emulated machine everything takes longer (make test-kernels).
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))

T = TypeVar("T")


def until(probe: Callable[[], T], timeout_s: float = 5.0, what: str = "", every_s: float = 0.002) -> T:
    """The first true value of `probe`; TimeoutError (with its last value) if none comes within `timeout_s`."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what or probe}: last value {value!r}")
        time.sleep(every_s)
