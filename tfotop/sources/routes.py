"""What the kernel's route to a destination says of Fast Open: the metric RTAX_FASTOPEN_NO_COOKIE (rtnetlink.h)."""

import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

from tfotop.sources import netlink

RTM_GETROUTE: Final = 26
RTA_DST, RTA_OIF, RTA_METRICS = 1, 4, 8
RTAX_FASTOPEN_NO_COOKIE: Final = 17

# struct rtmsg: family, lengths of destination and source, tos, table, protocol, scope, type, flags
RTMSG = struct.Struct("=8BI")


def no_cookie(destination: str, interface: int = 0) -> bool:
    """Whether the route is marked ``fastopen_no_cookie 1``: SYN data leaves without cookie and option.

    ``interface``: the index of the device, for an address that is only good there. Raises ``OSError``: no route.
    """
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    raw = socket.inet_pton(family, destination.partition("%")[0])
    request = RTMSG.pack(family, 8 * len(raw), 0, 0, 0, 0, 0, 0, 0) + netlink.attribute(RTA_DST, raw)
    if interface:
        request += netlink.attribute(RTA_OIF, struct.pack("=I", interface))
    answers = netlink.ask(netlink.NETLINK_ROUTE, RTM_GETROUTE, request)
    return any(marked for answer in answers for marked in _marks(answer))


def _marks(answer: bytes) -> Iterator[bool]:
    for kind, start, end in netlink.attributes(answer, netlink.HEADER.size + RTMSG.size, len(answer)):
        if kind == RTA_METRICS:
            for metric, at, to in netlink.attributes(answer, start, end):
                if metric == RTAX_FASTOPEN_NO_COOKIE:
                    yield bool(int.from_bytes(answer[at:to], sys.byteorder))
