"""The course of a probe: for each address what is known, the first contact, then pairs; each step as it is done."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from msgspec.structs import replace

from tfotop.probe import cookies
from tfotop.probe.exchange import How, Interrupted, Measured, measure
from tfotop.probe.records import CACHED, FIRST, WITH, WITHOUT, Conditions, Exchange, Plan, Series
from tfotop.probe.request import Request
from tfotop.probe.resolve import Address
from tfotop.probe.surroundings import Surroundings
from tfotop.probe.witness import Witness
from tfotop.sources.records import cookie_fingerprint

SECOND: Final = 1_000_000_000
ASKED_TO_KEEP: Final = "--keep-cookie"
NOT_GRANTED: Final = "the server neither took it nor gave another, so that none would have come back"
ENDED: Final = "the probe was ended before"
MOST_FAILURES: Final = 2  # in a row: one with Fast Open and one without
# The kernel's third SYN timeout in a row comes after 3 s (tcp_syn_linear_timeouts) or 7 s, and turns Fast Open off for
# the whole namespace where blackhole protection is on (tcp_fastopen_active_detect_blackhole).
BLACKHOLE_NS: Final = 2_500_000_000

Step = Conditions | Exchange | Series


class Patience(Protocol):
    """How a probe waits between exchanges, and learns that it is to end."""

    @property
    def requested(self) -> bool:
        """Whether it is to end."""

    def wait(self, seconds: float) -> None:
        """Sleep, but not past a request."""


class Course:
    """One probe of all addresses."""

    def __init__(self, plan: Plan, request: Request, patience: Patience, witness: Witness | None) -> None:
        self.plan, self.request, self.patience, self.witness = plan, request, patience, witness
        made = cookie_fingerprint((secrets.randbits(64), secrets.randbits(64)))
        self.fingerprint_cookie: Callable[[bytes], str] = witness.fingerprint_cookie if witness else made

    def steps(self, addresses: tuple[Address, ...]) -> Iterator[Step]:
        """For each address its Conditions, each Exchange when it is over, then the Series of them all."""
        for address in addresses:
            if not self.patience.requested:
                yield from Visit(self, address).steps()


class Visit:
    """The exchanges with one address."""

    def __init__(self, course: Course, address: Address) -> None:
        self._course, self._address = course, address
        self._surroundings = Surroundings(address, course.fingerprint_cookie)
        self._conditions = self._look()
        self._exchanges: list[Exchange] = []
        self._removed, self._kept_because = False, self._conditions.kept_because

    def steps(self) -> Iterator[Step]:
        """Conditions, exchanges, series."""
        yield self._conditions
        if not self._conditions.client_off:
            yield from self._contacts()
            yield from self._pairs()
        yield self._series()

    def _look(self) -> Conditions:
        conditions = self._surroundings.look()
        if not conditions.has_cookie:
            return conditions
        keep = self._course.plan.keep_cookie
        return replace(conditions, kept_because=ASKED_TO_KEEP if keep else self._surroundings.may_forget())

    def _contacts(self) -> Iterator[Exchange]:
        """The first contact. A cached cookie is used before, and only removed if the server would grant it again."""
        if self._conditions.has_cookie:
            if not self._exchange(CACHED):
                return
            yield self._exchanges[-1]
            if self._conditions.kept_because is not None or not self._begin_cold():
                return
        if self._exchange(FIRST):
            yield self._exchanges[-1]

    def _begin_cold(self) -> bool:
        """Remove the cached cookie. Nothing may come between this and the contact that brings it back."""
        self._course.patience.wait(self._course.plan.interval_s)
        if self._course.patience.requested:
            self._kept_because = ENDED
        elif not cookies.granted(self._exchanges[-1]):
            self._kept_because = NOT_GRANTED
        else:
            self._kept_because = self._surroundings.forget()
            self._removed = self._kept_because is None
        return self._removed

    def _series(self) -> Series:
        witness, made = self._course.witness, tuple(self._exchanges)
        return Series(
            conditions=self._conditions,
            exchanges=witness.rest(made) if witness else made,
            last=self._surroundings.metric(),
            removed=self._removed,
            kept_because=self._kept_because,
            interrupted=self._course.patience.requested,
        )

    def _pairs(self) -> Iterator[Exchange]:
        """Alternately without and with; not on and on against a server that does not answer."""
        for i in range(2 * self._course.plan.pairs):
            self._course.patience.wait(self._course.plan.interval_s)
            if self._course.patience.requested or gave_up(self._exchanges):
                return
            if not self._exchange(WITH if i % 2 else WITHOUT):
                return
            yield self._exchanges[-1]

    def _exchange(self, how: str) -> bool:
        """Make one and keep it; false if the user ended it."""
        before, payload, ts_ns = self._surroundings.metric(), self._course.request.make(), time.time_ns()
        # The first one goes on if it is to bring back what was removed.
        must_end = how == FIRST and self._removed
        try:
            measured = measure(self._way(how, payload), lambda: self._course.patience.requested and not must_end)
        except Interrupted:
            return False
        answer = self._course.request.answered(measured.answer) if measured.answer else None
        made = _record(measured, len(self._exchanges) + 1, how, ts_ns, len(payload), answer)
        made = replace(made, before=before, after=self._surroundings.metric())
        self._exchanges.append(self._course.witness.seen(made) if self._course.witness else made)
        return True

    def _way(self, how: str, payload: bytes) -> How:
        limit_ns = int(self._course.plan.timeout_s * SECOND)
        guarded = how != WITHOUT and bool(self._conditions.blackhole_timeout_s)
        handshake_ns = min(limit_ns, BLACKHOLE_NS) if guarded else limit_ns
        return How(self._address, payload, how != WITHOUT, handshake_ns, limit_ns)


def gave_up(exchanges: list[Exchange]) -> bool:
    """Whether the last two brought no answer."""
    newest = exchanges[-MOST_FAILURES:]
    return len(newest) == MOST_FAILURES and all(e.first_byte_us is None for e in newest)


def _record(of: Measured, number: int, how: str, ts_ns: int, request_bytes: int, answer: str | None) -> Exchange:
    """What was measured, without the kernel's memory before and after."""
    info = of.info if of.connect_us is not None else None  # before the SYN-ACK its fields say nothing yet
    return Exchange(
        number=number,
        how=how,
        ts_ns=ts_ns,
        local=of.local,
        request_bytes=request_bytes,
        connect_us=of.connect_us,
        first_byte_us=of.first_byte_us,
        syn_data_bytes=of.syn_data_bytes,
        syn_data_acked=info.syn_data_acked if info else None,
        client_fail=info.client_fail if info else None,
        syn_retransmits=of.syn_retransmits,
        rtt_us=(info.rtt_us or None) if info else None,
        error=of.error,
        error_text=of.error_text,
        answer=answer,
        socket_cookie=of.socket_cookie,
    )
