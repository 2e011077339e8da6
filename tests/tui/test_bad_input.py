"""Names from outside in every view: nothing that they hold reaches the terminal as it is, and no line is too long."""

import pytest
from rich.cells import cell_len

from tests.scenarios.build import (
    handshake,
    listener,
    measured,
    namespace,
    peer,
    sample,
    sensor,
    total,
)
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Metric, Problem, Process

from .screen import NORMAL, lines, press, running

NAMES = {
    "escape codes": "\x1b[2J\x1b]52;c;cm0gLXJmIC8=\x07",
    "wide": "データベースサーバー" * 3,
    "other ways": "\u202e\u200f\u2066evil",
    "joined": "👩\u200d👩\u200d👧\ufe0f e\u0301",
    "control": "a\x00b\nc\td\x9b31m",
    "markup": "[bold red]x[/] [@click=app.quit]y[/]",
    "empty": "",
}
KEYS = ("1", "2", "3", "4", "5", "d", "enter", "question_mark")


def named(name: str) -> Model:
    """Everything that has a name has this one."""
    process = Process(pid=7, comm=name)
    return fold(
        fold(None, sample(sensor=sensor())),
        sample(
            1,
            namespaces=(
                namespace(
                    name=name,
                    counters={f"TCPFastOpen{name}": 3},
                    listeners=(listener(process=process, own_key=name, max_qlen=0),),
                    metrics=(Metric(destination="10.0.0.1", fo_cookie_len=8, fo_cookie_id=name),),
                ),
            ),
            sensor=sensor(
                total("rejected", 9, "no_queue"),
                peers=(
                    peer("10.0.0.1", process=process, cookie_id=name, last_reason=name, with_tfo=measured(0)),
                    peer("10.0.0.1", role="client", process=process, cookie_id=name),
                ),
                handshakes=(handshake(peer="10.0.0.1:4000", comm=name, pid=7, cookie_id=name, reason=name),),
            ),
            problems=(Problem(source="keys", text=name, remedy=name),),
        ),
    )


@pytest.mark.parametrize("size", [NORMAL, (200, 60)], ids=str)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_names_in_every_view(name: str, size: tuple[int, int]) -> None:
    async with running(named(name), size=size) as pilot:
        for key in KEYS:
            await press(pilot, "escape", "escape", "1", "j", key)
            for line in lines(pilot):
                assert line.isprintable(), line
                assert cell_len(line) == size[0], line
        await press(pilot, "escape", "y")
        assert pilot.app.clipboard.isprintable()
