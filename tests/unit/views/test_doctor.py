"""The findings as text, as JSON and as a view of the screen."""

import json
import shlex

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from tests.scenarios import doctor
from tests.scenarios.build import folded, listener
from tfotop.diagnosis.finding import Finding
from tfotop.diagnosis.findings import findings, gaps
from tfotop.model.state import Model
from tfotop.sample import Process
from tfotop.views import doctor_text, findings_json, json_lines
from tfotop.views.tui import doctor_view

EVIL = "\x1b[2Jng\nx"


def text(model: Model, width: int = 100) -> str:
    return doctor_text.report(model, findings(model), gaps(model), 3.0, width)


def evil() -> Model:
    """A process and a namespace with escape codes in their names."""
    first, last = doctor.load("server_bit_off_in_web")
    mine, web = last.namespaces
    listeners = (listener(process=Process(pid=1, comm=EVIL)),)
    return folded(first, replace(last, namespaces=(mine, replace(web, name=EVIL, pid=None, listeners=listeners))))


def test_the_text_of_one_finding() -> None:
    shown = text(folded(*doctor.load("blackhole")))
    assert shown == (
        "something is wrong (1 finding). Watched 3.0 s, evidence: eBPF; 0 handshakes with Fast Open and 7\n"
        "without; settings only could be judged: try --for 60 while clients connect.\n"
        "\n"
        "1. BROKEN: 7 handshakes (2/s): blackhole protection has disabled Fast Open here for at most 600 s\n"
        "   more, after 192.0.2.77:443 gave no answer\n"
        "   evidence   net.ipv4.tcp_fastopen_blackhole_timeout_sec = 600\n"
        "              [/proc/sys/net/ipv4/tcp_fastopen_blackhole_timeout_sec; no privileges]\n"
        "   evidence   sent without Fast Open: blackhole = 7 handshakes (2/s)  [eBPF, at each handshake]\n"
        "   evidence   started by a connection to 192.0.2.77:443 = unanswered, SYN sent 4 times, 70 B of data\n"
        "              [eBPF, at each handshake]\n"
        "   fix        sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=600\n"
        "   advice     it ends now and comes again if the path is not mended; 0 switches the protection off\n"
        "              for good\n"
        "   to last    nothing to make last: the value is unchanged\n"
        "   verify     tfotop events --role client: no more `plain: blackhole protection active`\n"
        "   id         blackhole\n"
        "\n"
        "cannot tell: the kernel's counters could not be read"
    )


@pytest.mark.parametrize("name", list(doctor.CASES))
@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_are_no_wider_than_the_terminal_but_for_what_is_to_be_copied(name: str, width: int) -> None:
    model = folded(*doctor.load(name))
    copied = {part for one in findings(model) if one.fix for part in (one.fix.command, one.fix.undo) if part}
    for line in text(model, width).splitlines():
        whole = any(command in line for command in copied)
        assert whole or cell_len(line) <= width or len(line.split()) <= 2, line


@pytest.mark.parametrize("name", list(doctor.CASES))
def test_a_command_is_printed_whole(name: str) -> None:
    model = folded(*doctor.load(name))
    lines = text(model, 40).splitlines()
    for one in findings(model):
        if one.fix and one.fix.command:
            assert f"   {'fix':11}{one.fix.command}" in lines
            assert shlex.split(one.fix.command)


def test_a_healthy_host_is_one_sentence() -> None:
    assert (
        text(folded(*doctor.load("healthy"))).splitlines()[0].startswith("nothing is wrong (0 findings). Watched 3.0 s")
    )


def test_the_estimate_is_marked_as_one() -> None:
    last = text(folded(*doctor.load("busy_without_fast_open")), 200).splitlines()[-1]
    assert last == (
        "estimate, server: 89998 of 90000 handshakes without Fast Open (100 %) came from peers seen before x their RTT"
        " (median 22.00 ms): Fast Open would save ~659985.33 ms of waiting in each second"
    )


def test_names_with_escape_codes_are_harmless() -> None:
    model = evil()
    for shown in (text(model), "\n".join(doctor_view.lines(model, 100))):
        assert "\x1b" not in shown
        assert all(line.isprintable() for line in shown.splitlines())


FIELDS = ["id", "severity", "cause", "role", "netns", "port", "handshakes", "now", "tier", "evidence", "candidates",
          "check", "fix", "verify", "unknown"]  # fmt: skip


@pytest.mark.parametrize("name", list(doctor.CASES))
def test_json_has_every_field_of_every_finding(name: str) -> None:
    model = folded(*doctor.load(name))
    line = json_lines.line(findings_json.report(model, findings(model), gaps(model), 3.0))
    assert "\n" not in line
    report = json.loads(line)
    assert list(report) == [
        "ts_ns", "window_s", "tier", "btf", "status", "findings", "cannot_tell", "estimates", "problems"
    ]  # fmt: skip
    for finding in report["findings"]:
        assert list(finding) == FIELDS
        assert [list(piece) for piece in finding["evidence"]] == [["what", "value", "source", "tier"]] * len(
            finding["evidence"]
        )
        assert finding["fix"] is None or list(finding["fix"]) == ["command", "config", "text", "lasting", "undo"]


@pytest.mark.parametrize(
    ("name", "status"), [("healthy", "healthy"), ("queue_small", "wrong"), ("totals_differ", "cannot tell")]
)
def test_the_status(name: str, status: str) -> None:
    model = folded(*doctor.load(name))
    assert findings_json.report(model, findings(model), gaps(model), 3.0)["status"] == status


def test_without_ebpf_there_is_no_estimate() -> None:
    model = folded(*doctor.load("busy_without_fast_open_or_ebpf"))
    assert findings_json.report(model, [], [], 3.0)["estimates"] is None


def test_no_secret_is_in_it() -> None:
    """Keys and cookies are fingerprints of four digits; the commands that move keys name files."""
    model = folded(*doctor.load("keys_differ_namespaces"))
    for finding in findings_json.report(model, findings(model), gaps(model), 3.0)["findings"]:
        for piece in finding["evidence"]:
            if "fingerprint" in piece["what"]:
                assert len(piece["value"]) == 4


# The screen


@pytest.mark.parametrize("width", [20, 79, 119])
def test_the_view_fits(width: int) -> None:
    for case in doctor.CASES.values():
        assert all(cell_len(line) <= width for line in doctor_view.lines(folded(*case), width))


def test_the_view_folds_a_long_command_and_loses_nothing_of_it() -> None:
    model = folded(*doctor.load("keys_differ_namespaces"))
    (finding,) = findings(model)
    assert finding.fix is not None
    command = " ".join((finding.fix.command or "-").split())
    assert command in " ".join(" ".join(doctor_view.lines(model, 60)).split())  # folded at blanks only


def test_the_view_names_each_finding_and_what_is_missing() -> None:
    lines = doctor_view.lines(folded(*doctor.load("backup_key")), 100)
    assert lines[0] == "cannot tell (1 finding)."
    assert lines[1] == "cannot tell: the kernel's counters could not be read"
    assert any(line.startswith("1. ADVICE: a key rotation is under way") for line in lines)
    assert doctor_view.lines(None, 100) == [doctor_view.NOTHING_YET]


def ids(found: list[Finding]) -> list[str]:
    return [one.id for one in found]


def test_advice_does_not_shout_on_the_screen() -> None:
    assert ids(findings(folded(*doctor.load("cookie_unused")))) == ["cookie_unused"]
    assert "something is wrong" not in doctor_view.lines(folded(*doctor.load("cookie_unused")), 100)[0]
