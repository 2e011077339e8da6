"""What stands above the rates: constant words, since when, and how it ends."""

from collections.abc import Callable

import pytest
from rich.cells import cell_len

from tests.scenarios import make
from tests.scenarios.build import NO_EBPF, SECOND, START_WALL_NS, sample, sensor, total
from tests.tui.screen import models
from tfotop.model.state import Model
from tfotop.sample import Sample, Total
from tfotop.views.tui.alerts import Alert, Alerts, lines, wrapped

pytestmark = pytest.mark.usefixtures("utc")

Totals = Callable[[int], tuple[Total, ...]]


def run(seconds: int, totals: Totals) -> list[Model]:
    """A model for each second."""
    return models([sample(t, sensor=sensor(*totals(t))) for t in range(seconds)])


def bad_cookies(last: int, first: int = 1) -> Totals:
    """Seven a second from ``first`` to ``last``."""

    def at(t: int) -> tuple[Total, ...]:
        number = 7 * max(0, min(t, last) - first + 1)
        return (total("rejected", number, "bad_cookie", data=True),) if number else ()

    return at


def shown(of: list[Model]) -> list[Alert | None]:
    alerts = Alerts()
    return [alerts.update(model) for model in of]


def test_nothing_is_wrong() -> None:
    assert shown(models(make.load("healthy"))) == [None] * 12


def test_it_stands_still_while_its_numbers_change() -> None:
    found = shown(run(12, bad_cookies(last=99)))
    assert found[0] is None
    assert len(set(found[2:])) == 1
    assert found[2] is not None
    assert found[2].text.startswith("bad cookie")
    assert found[2].since_ns == START_WALL_NS + SECOND
    assert found[2].fix
    assert found[2].ended_ns is None


def test_it_says_that_it_ended_and_goes_away() -> None:
    found = shown(run(90, bad_cookies(last=3)))
    assert [one and one.ended_ns for one in found[3:14]] == [None] * 11
    assert {one and one.ended_ns for one in found[14:64]} == {START_WALL_NS + 3 * SECOND}
    assert found[64:] == [None] * 26


def test_what_comes_and_goes_from_second_to_second_does_not_flicker() -> None:
    def every_other(t: int) -> tuple[Total, ...]:
        return (total("rejected", (t + 1) // 2, "bad_cookie", data=True),) if t else ()

    found = shown(run(20, every_other))
    assert {one and one.text for one in found[2:]} == {found[2] and found[2].text}
    assert {one and one.ended_ns for one in found[2:]} == {None}


def test_one_that_has_ended_does_not_hide_a_worse_one() -> None:
    def one_after_the_other(t: int) -> tuple[Total, ...]:
        worse = (total("rejected", t - 3, "no_key", data=True),) if t > 3 else ()
        return (*bad_cookies(last=2)(t), *worse)

    texts = [one.text if one else "" for one in shown(run(8, one_after_the_other))]
    assert texts[3].startswith("bad cookie")
    assert "no Fast Open key" in texts[4]


def test_a_worse_one_comes_at_once_and_a_lesser_one_waits() -> None:
    def both(t: int) -> tuple[Total, ...]:
        lesser = total("rejected", t, "bad_cookie", data=True)
        worse = total("rejected", min(t, 5) - 2, "no_key", data=True)
        return (*((lesser,) if t else ()), *((worse,) if t > 2 else ()))

    texts = [one.text if one else "" for one in shown(run(20, both))]
    assert texts[2].startswith("bad cookie")
    assert "no Fast Open key" in texts[3]
    assert texts[3:16] == [texts[3]] * 13
    assert texts[16].startswith("bad cookie")


def since(alerts: Alerts, model: Model) -> int | None:
    """Since when what is shown is there, in seconds of the scenario."""
    found = alerts.update(model)
    assert found is not None
    return None if found.since_ns is None else (found.since_ns - START_WALL_NS) // SECOND


def test_back_in_time_it_is_there_since_when_it_began() -> None:
    of = run(12, bad_cookies(last=99, first=2))
    alerts = Alerts()
    for model in of:
        alerts.update(model)
    assert [since(alerts, of[t]) for t in (5, 3, 9, 11)] == [2, 2, 2, 2]
    assert alerts.update(of[1]) is None


def test_what_began_while_nobody_looked_began_at_an_unknown_time() -> None:
    """The screen was paused, or looked at a time at which another spell of the same finding was on."""
    of = run(40, bad_cookies(last=99, first=2))
    alerts = Alerts()
    for model in of[:2]:
        alerts.update(model)
    assert since(alerts, of[30]) is None
    assert since(alerts, of[31]) is None
    late = Alerts()
    for model in of[20:]:
        late.update(model)
    assert since(late, of[35]) == 20
    assert since(late, of[10]) is None


def test_what_cannot_be_read_comes_behind_what_is_wrong() -> None:
    def at(t: int, *totals: Total) -> Sample:
        return sample(t, sensor=sensor(*totals), problems=(NO_EBPF,))

    blind, wrong = shown(models([at(0), at(1, total("rejected", 1, "bad_cookie", data=True))]))
    assert blind == Alert("not known: sensor: bcc is not installed (install python3-bpfcc)")
    assert wrong is not None
    assert wrong.text.startswith("bad cookie")
    assert wrong.more >= 1


LONG = Alert("x" * 200, "y" * 200, START_WALL_NS, None, 3)
SHORT = Alert("it is off", "sysctl -w a=3", START_WALL_NS)
WORDS = Alert("word " * 20 + "end", None, START_WALL_NS)


@pytest.mark.parametrize(
    ("alert", "width", "expected"),
    [
        (None, 80, ["ok  no finding", "", ""]),
        (SHORT, 80, [f"{'! it is off':72}14:13:20", f"{'  fix: sysctl -w a=3':64}d doctor  Y copy", ""]),
        (SHORT, 120, [f"{'! it is off':106}since 14:13:20", f"{'  fix: sysctl -w a=3':104}d doctor  Y copy", ""]),
        (SHORT._replace(ended_ns=START_WALL_NS + SECOND), 80, [f"{'! it is off':66}ended 14:13:21"]),
        (
            WORDS,
            80,
            [f"{'! ' + 'word ' * 12:72}14:13:20", "  " + "word " * 8 + "end", f"{'':64}d doctor  Y copy"],
        ),
        (
            LONG,
            80,
            [
                f"! {'x' * 62:70}14:13:20",
                f"  {'x' * 77}…",
                f"  fix: {'y' * 43}…  (+3 more)  d doctor  Y copy",
            ],
        ),
        (LONG, 20, ["! xx        14:13:20", f"  {'x' * 17}…", f"  fix: {'y' * 12}…"]),
    ],
    ids=str,
)
def test_lines(alert: Alert | None, width: int, expected: list[str]) -> None:
    found = lines(alert, width, 3, ("d doctor", "Y copy"))
    assert len(found) == 3
    assert found[: len(expected)] == expected
    assert all(cell_len(line) <= width for line in found)


def test_lines_of_a_low_terminal() -> None:
    assert lines(LONG, 80, 1, ()) == [f"! {'x' * 67}…  14:13:20"]
    assert lines(WORDS, 80, 2, ("d doctor",)) == [
        "! " + "word " * 13 + "wo…  14:13:20",
        f"{'':72}d doctor",
    ]


def test_wrapped() -> None:
    assert wrapped(SHORT, 20) == ["! it is off", "fix: sysctl -w a=3"]
    assert wrapped(None, 20) == []
