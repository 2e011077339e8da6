"""The findings of samples, and of a scenario that is otherwise at its end."""

from typing import Any

from msgspec.structs import replace

from tests.scenarios import doctor
from tests.scenarios.build import folded
from tfotop.diagnosis.finding import Finding
from tfotop.diagnosis.findings import findings
from tfotop.sample import Sample


def found(*samples: Sample) -> list[Finding]:
    return findings(folded(*samples))


def change(name: str, **of: Any) -> list[Finding]:
    """The findings of a scenario whose namespace is otherwise at the end."""
    first, last = doctor.load(name)
    return found(first, replace(last, namespaces=(replace(last.namespaces[0], **of), *last.namespaces[1:])))
