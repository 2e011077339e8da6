"""What does not show a screen, watch a kernel or talk netlink does not load the libraries for it.

The import contracts (pyproject.toml) check each import statement; this checks what a fresh interpreter really loads.
"""

import subprocess
import sys

import pytest

HEAVY = ("textual", "rich", "bcc", "pyroute2", "psutil")
REPORT = "import sys, {module}; print(*(name for name in {heavy} if name in sys.modules))"


def loaded(module: str) -> list[str]:
    """The heavy libraries that importing a module brings into a fresh interpreter."""
    command = [sys.executable, "-c", REPORT.format(module=module, heavy=HEAVY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "module",
    [
        "tfotop.cli",
        "tfotop.sample",
        "tfotop.words",
        "tfotop.model.fold",
        "tfotop.diagnosis",
        "tfotop.probe.course",
        "tfotop.probe.verdict",
        "tfotop.recording",
        "tfotop.views.json_lines",
        "tfotop.views.probe_rows",
        "tfotop.views.probe_text",
        "tfotop.views.text",
    ],
)
def test_loads_no_heavy_library(module: str) -> None:
    assert loaded(module) == []


@pytest.mark.parametrize("module", ["textual", "psutil", "pyroute2"])
def test_the_check_itself_sees_a_heavy_library(module: str) -> None:
    assert module in loaded(module)
