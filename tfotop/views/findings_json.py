"""What ``tfotop doctor --json`` prints: one object. Unknown is null, and a field is never left out."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tfotop.diagnosis.finding import Finding
from tfotop.diagnosis.findings import status
from tfotop.diagnosis.missed import Saving, savings
from tfotop.model.state import Model

WORDS: Final = ("healthy", "wrong", "cannot tell")


def report(model: Model, found: Sequence[Finding], missing: Sequence[str], window_s: float) -> dict[str, Any]:
    """The findings, worst first, what could not be known, and the estimate."""
    return {
        "ts_ns": model.wall_ns,
        "window_s": round(window_s, 3),
        "tier": model.tier,
        "btf": model.btf if model.attached else None,
        "status": WORDS[status(found, missing)],
        "findings": [finding(one) for one in found],
        "cannot_tell": list(missing),
        "estimates": [_saving(one, window_s) for one in savings(model)] if model.attached else None,
        "problems": [msgspec.structs.asdict(p) for p in model.problems],
    }


def finding(one: Finding) -> dict[str, Any]:
    """One finding with all its fields."""
    fix = one.fix
    words = (
        None if fix is None else {name: getattr(fix, name) for name in ("command", "config", "text", "lasting", "undo")}
    )
    return {
        "id": one.id,
        "severity": one.severity,
        "cause": one.cause,
        "role": one.role,
        "netns": one.netns,
        "port": one.port,
        "handshakes": one.count,
        "now": one.now,
        "tier": one.tier,
        "evidence": [msgspec.structs.asdict(piece) for piece in one.evidence],
        "candidates": list(one.candidates),
        "check": one.check,
        "fix": words,
        "verify": one.verify,
        "unknown": one.unknown,
    }


def _saving(saving: Saving, window_s: float) -> dict[str, Any]:
    """``saved_ms_per_s``: milliseconds of waiting that clients would be spared in each second."""
    return {
        "role": saving.role,
        "estimate": True,
        "handshakes": saving.handshakes,
        "from_known_peers": saving.from_known_peers,
        "share": saving.share,
        "median_rtt_us": saving.median_rtt_us,
        "saved_ms_per_s": saving.saved_ms / window_s if window_s else None,
    }
