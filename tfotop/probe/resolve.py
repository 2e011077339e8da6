"""Names to addresses, one of each family, with a limit in time."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from tfotop.probe.target import Target

STEP_S: Final = 0.1
FAMILIES: Final = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}


class Address(NamedTuple):
    """Where to connect, as text and as the kernel takes it; ``interface``: index of the device of a link-local one."""

    family: str
    text: str
    port: int
    sockaddr: tuple[Any, ...]
    interface: int = 0


class NotResolved(Exception):
    """Carries one line that says why there is no address, and what to do."""


def addresses(
    target: Target, port: int, families: tuple[str, ...], timeout_s: float, stopped: Callable[[], bool]
) -> tuple[Address, ...]:
    """The first address of each family that ``target`` has. Raises NotResolved, also when ``stopped``."""
    found: list[tuple[Address, ...]] = []
    failed: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.append(_first_of_each(target, port, families))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    # getaddrinfo takes no time limit, so it is left behind in a thread that ends with the process.
    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    until_s = time.monotonic() + timeout_s
    while thread.is_alive() and time.monotonic() < until_s and not stopped():
        thread.join(min(STEP_S, timeout_s))
    if failed:
        why = failed[0].strerror if isinstance(failed[0], OSError) else "not a name"
        raise NotResolved(f"{target.host!r} does not resolve: {why}; check the name, or give an address")
    if not found and stopped():
        raise NotResolved(f"ended before {target.host!r} was resolved")
    if not found:
        raise NotResolved(
            f"{target.host!r} does not resolve: no answer within {timeout_s:g} s; give an address, or more --timeout"
        )
    if not found[0]:
        raise NotResolved(f"{target.host!r} has no {' or '.join(families)} address")
    return found[0]


def _first_of_each(target: Target, port: int, families: tuple[str, ...]) -> tuple[Address, ...]:
    flags = socket.AI_NUMERICHOST if target.numeric else 0
    rows = socket.getaddrinfo(target.host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=flags)
    result = []
    for family in families:
        sockaddr = next((row[4] for row in rows if row[0] == FAMILIES[family]), None)
        if sockaddr is not None:
            scope = int(sockaddr[3]) if len(sockaddr) == 4 else 0
            result.append(Address(family, str(sockaddr[0]).partition("%")[0], port, sockaddr, scope))
    return tuple(result)
