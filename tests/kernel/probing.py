"""A real ``tfotop probe`` in a namespace, and what it printed."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .bed import Namespace
from .bed.polling import PATIENCE

QUICK = ("-i", "0.02")


@dataclass(frozen=True)
class Probed:
    """``report`` is the object of ``--json``."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.out))

    @property
    def address(self) -> dict[str, Any]:
        """The only address that was probed."""
        (only,) = self.report["addresses"]
        return dict(only)

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        return list(self.address["exchanges"])

    @property
    def cause(self) -> str | None:
        cause: str | None = self.report["verdict"]["cause"]
        return cause


def probe_text(namespace: Namespace, *arguments: str, within: Sequence[str] = ()) -> Probed:
    """Run it to its end, as a person would."""
    command = [*within, sys.executable, "-m", "tfotop", "probe", *arguments]
    process = namespace.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=60 * PATIENCE)
    return Probed(process.returncode, out, err)


def probe(namespace: Namespace, *arguments: str, within: Sequence[str] = (), bpf: bool = False) -> Probed:
    """The same with ``--json``, quickly."""
    options = () if bpf else ("--no-bpf",)
    return probe_text(namespace, *arguments, "--json", *QUICK, *options, within=within)
