"""A test bed for TCP Fast Open: network namespaces, real traffic, and the kernel's own counters as the oracle.

>>> with Bed() as bed:
...     settings.mode(bed.server, settings.CLIENT | settings.SERVER)
...     server = Server.start(bed.server, qlen=16)
...     with counting(bed.server) as watch:
...         exchange(bed.client, bed.server.v4, server.port)
...     assert watch.fast_open() == {"CookieReqd": 1}
"""

from . import settings
from .counters import FAST_OPEN, Counters, Watch, counting, delta, snapshot
from .namespaces import PREFIX, Namespace
from .polling import until
from .serving import ANSWER, Server, listen, port_of
from .settings import cached_cookie, forget_cookies, rotate_key, set_key
from .tcp_info import TcpInfo
from .topology import SERVICE_V4, SERVICE_V6, Bed
from .traffic import REQUEST, Exchange, as_process, begin, burst, bursting, exchange, send_first

__all__ = [
    "ANSWER", "FAST_OPEN", "PREFIX", "REQUEST", "SERVICE_V4", "SERVICE_V6",
    "Bed", "Counters", "Exchange", "Namespace", "Server", "TcpInfo", "Watch",
    "as_process", "begin", "burst", "bursting", "cached_cookie", "counting", "delta", "exchange", "forget_cookies",
    "listen", "port_of", "rotate_key", "send_first", "set_key", "settings", "snapshot", "until",
]  # fmt: skip
