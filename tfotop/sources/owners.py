"""Whose a listener is, by the cookie of its socket, also for a while after it is gone."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from tfotop.sample import Listener, Process
from tfotop.sources import Report
from tfotop.sources.listeners import Queues
from tfotop.sources.processes import Processes

MOST_REMEMBERED: Final = 8192


class Owners:
    """The processes of all listeners seen; the oldest are forgotten."""

    def __init__(self) -> None:
        self._processes = Processes(period_s=0)  # the collector decides when to look
        self._queues = Queues()
        self._by_cookie: dict[int, Process] = {}

    def of(self, _netns: int | None, cookie: int) -> Process | None:
        """The owner of the listener with this socket cookie; socket cookies are unique on a host since Linux 5.12."""
        return self._by_cookie.get(cookie)

    def complete(
        self, groups: Mapping[int, Sequence[Listener]], now_s: float, report: Report
    ) -> dict[int, tuple[Listener, ...]]:
        """The listeners of each namespace with their queue and their process; at infinity all are asked anew."""
        inodes = {listener.inode for group in groups.values() for listener in group}
        holders = self._processes.holders(inodes, now_s, report)
        if now_s == math.inf:
            self._queues.forget()
        complete = self._queues.complete(groups, holders, report)
        for group in complete.values():
            for listener in group:
                if listener.process:
                    self._by_cookie.pop(listener.cookie, None)
                    self._by_cookie[listener.cookie] = listener.process
        for cookie in list(self._by_cookie)[:-MOST_REMEMBERED]:
            del self._by_cookie[cookie]
        return complete
