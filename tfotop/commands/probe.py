"""``tfotop probe``: Fast Open to one server, measured."""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Final, TextIO

from tfotop.commands.common import complain
from tfotop.probe import request as requests
from tfotop.probe.course import Course, Patience, Step
from tfotop.probe.records import Conditions, Exchange, Plan, Report, Series
from tfotop.probe.request import HTTP_PORT, TLS_PORT, Request
from tfotop.probe.resolve import FAMILIES, NotResolved, addresses
from tfotop.probe.verdict import conclude, exit_status
from tfotop.probe.witness import Witness
from tfotop.sources import namespaces
from tfotop.sources.handshakes import SensorFailed, Starting
from tfotop.stop import Stop
from tfotop.views import json_lines, probe_rows, probe_text
from tfotop.views.format import problem

DEFAULT_METHOD: Final = "HEAD"
DEFAULT_TEXT: Final = r"\r\n"
LESS: Final = "reasons from TCP_INFO and tcp_metrics"


class Wrong(Exception):
    """What was asked for makes no sense; carries one line."""


def run(chosen: argparse.Namespace) -> int:
    """``tfotop probe``: exit 0 Fast Open works, 1 it does not, 2 cannot tell."""
    try:
        report = probe(chosen, Stop(), out(chosen))
    except (Wrong, NotResolved) as wrong:
        complain(str(wrong))
        return 2
    if chosen.json:
        print(json_lines.line(probe_rows.report(report)))
    elif chosen.csv:
        complain(probe_text.headline(report.verdict))
    return exit_status(report.verdict)


Show = Callable[[Plan, str, Step | Report | None], None]


def probe(chosen: argparse.Namespace, patience: Patience, show: Show) -> Report:
    """Make the probe and ``show`` each step: before the first ``None``, at the end the report.

    Raises Wrong or NotResolved before anything is sent.
    """
    request, port = choose(chosen)
    if chosen.netns is not None:
        enter(chosen.netns)
    starting = None if chosen.no_bpf else Starting(0)
    witness, evidence = None, f"eBPF is off (--no-bpf): {LESS}"
    try:
        wanted = families(chosen)
        found = addresses(chosen.target, port, wanted, chosen.timeout, lambda: patience.requested)  # meanwhile
    finally:
        if starting is not None:
            witness, evidence = attend(starting)
    plan = Plan(
        target=chosen.target.host,
        port=port,
        request=request.words,
        request_bytes=len(request.make()),
        pairs=chosen.c,
        interval_s=chosen.i,
        timeout_s=chosen.timeout,
        keep_cookie=chosen.keep_cookie,
    )
    try:
        show(plan, evidence, None)
        report = conclude(plan, _series(Course(plan, request, patience, witness).steps(found), plan, evidence, show))
        show(plan, evidence, report)
        return report
    finally:
        if witness is not None:
            witness.close()


def _series(steps: Iterable[Step], plan: Plan, evidence: str, show: Show) -> tuple[Series, ...]:
    whole = []
    for step in steps:
        show(plan, evidence, step)
        if isinstance(step, Series):
            whole.append(step)
    return tuple(whole)


def choose(chosen: argparse.Namespace) -> tuple[Request, int]:
    """What to send, and to which port: the options say it, or else the port does. Raises Wrong."""
    target, port = chosen.target, _port(chosen)
    if chosen.method and chosen.http is None:
        raise Wrong("--method is for --http PATH")
    tls = chosen.tls or (chosen.http is None and chosen.send is None and port in (None, TLS_PORT))
    http = "/" if chosen.http is None and chosen.send is None and not tls and port == HTTP_PORT else chosen.http
    port = port or (HTTP_PORT if http is not None else TLS_PORT if tls else None)
    if port is None:
        raise Wrong(f"--send needs a port: expected {target.at(7)!r}, for instance")
    try:
        if tls:
            return requests.tls(target), port
        if http is not None:
            return requests.http(chosen.method or DEFAULT_METHOD, http, target, port), port
        return requests.plain(DEFAULT_TEXT if chosen.send is None else chosen.send), port
    except ValueError as error:
        raise Wrong(str(error)) from None


def _port(chosen: argparse.Namespace) -> int | None:
    """From the target or the option. Raises Wrong also for shared options that a probe has no use for."""
    for name in ("role", "peer"):
        if getattr(chosen, name) is not None:
            raise Wrong(f"--{name} is not for a probe")
    port: int | None = chosen.target.port or chosen.port
    if chosen.port not in (None, port):
        raise Wrong(f"two ports: {port} of the target, and --port {chosen.port}")
    return port


def enter(inum: int) -> None:
    """Go on in another network namespace. Raises Wrong if that cannot be."""
    if not namespaces.enter(inum):
        raise Wrong("this network namespace cannot be entered: it takes root, and it must still be there")


def families(chosen: argparse.Namespace) -> tuple[str, ...]:
    """Both, or the one that was asked for."""
    return tuple(name for name in FAMILIES if chosen.family in (None, name))


def attend(starting: Starting) -> tuple[Witness | None, str]:
    """The sensor's word where it is to be had, and where the reasons come from."""
    try:
        return Witness(starting.finish()), "reasons from eBPF"
    except SensorFailed as failed:
        return None, f"{LESS}: {problem(failed.problem)}"


def out(chosen: argparse.Namespace) -> Show:
    """Lines as they come: text, CSV, or beside JSON progress for a person on the terminal."""
    if chosen.csv:
        return CsvLines(sys.stdout)
    if chosen.json and not sys.stderr.isatty():
        return lambda _plan, _evidence, _step: None
    return TextLines(sys.stderr if chosen.json else sys.stdout)


class TextLines:
    """Writes what a person reads."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._conditions: Conditions | None = None

    def __call__(self, plan: Plan, evidence: str, step: Step | Report | None) -> None:
        text = self._text(plan, evidence, step)
        if text:
            print(text, file=self._file, flush=True)

    def _text(self, plan: Plan, evidence: str, step: Step | Report | None) -> str:
        match step:
            case None:
                return probe_text.opening(plan, evidence)
            case Conditions():
                self._conditions = step
                return probe_text.conditions(step)
            case Exchange():
                return probe_text.exchange(step, plan, self._conditions) if self._conditions else ""
            case Series():
                return probe_text.series(step)
            case Report():
                return probe_text.verdict(step)


class CsvLines:
    """Writes a line for each exchange, titles first."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._conditions: Conditions | None = None

    def __call__(self, _plan: Plan, _evidence: str, step: Step | Report | None) -> None:
        if step is None:
            print(probe_rows.csv_title(), file=self._file, flush=True)
        elif isinstance(step, Conditions):
            self._conditions = step
        elif isinstance(step, Exchange) and self._conditions is not None:
            print(probe_rows.csv_line(step, self._conditions), file=self._file, flush=True)
