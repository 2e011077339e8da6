"""The pictures of this folder, from recorded scenarios: ``make screenshots`` makes them, a test finds stale ones."""

import asyncio
import os
import re
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.scenarios import make
from tfotop.model.fold import fold
from tfotop.views.tui.app import TfotopApp
from tfotop.views.tui.messages import ModelReady

HERE: Final = Path(__file__).parent
CLOCK: Final = {"TZ": "UTC"}  # the header shows local time
LEFT_OUT: Final = ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FILTERS", "TEXTUAL_COLOR_SYSTEM", "COLUMNS", "LINES")
FONT: Final = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)


class Shot(NamedTuple):
    """A screen: the scenario up to one of its seconds, the terminal, and the keys that lead to it."""

    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    scenario: str = "incident"
    seconds: int | None = None


SHOTS: Final = {
    "overview-120x40": Shot((120, 40), ("down",)),
    "overview-80x24": Shot((80, 24), ("down",)),
    "overview-200x60": Shot((200, 60), ("down",)),
    "ladder-accepted": Shot((120, 30), ("3", "down", "down", "enter")),
    "ladder-rejected": Shot((120, 30), ("3", "down", "enter")),
    "latency": Shot((120, 30), ("5",)),
    "counters": Shot((120, 30), ("4", "down", "down", "down", "down")),
    "doctor": Shot((120, 30), ("d",)),
    "doctor-line": Shot((80, 24), ("down",), "server_bit_off", 7),
}


async def picture(shot: Shot) -> str:
    """The SVG of a screen."""
    app = TfotopApp("web-3", "6.18.44", 1.0)
    async with app.run_test(size=shot.size) as pilot:
        model = None
        for sample in make.load(shot.scenario)[: shot.seconds]:
            model = fold(model, sample)
            app.post_message(ModelReady(model))
            await pilot.pause()
        await pilot.press(*shot.keys)
        await app.workers.wait_for_complete()
        await pilot.pause()
        svg = app.export_screenshot(title="tfotop")
    # Fonts of another host would be fetched by whoever looks; and no line ends in a blank.
    return "\n".join(line.rstrip() for line in FONT.sub("\n", svg).splitlines()) + "\n"


def pictures() -> dict[str, str]:
    """All of them, by the names of their files."""
    for name in LEFT_OUT:
        os.environ.pop(name, None)
    os.environ.update(CLOCK)
    time.tzset()
    return {f"{name}.svg": asyncio.run(picture(shot)) for name, shot in SHOTS.items()}


if __name__ == "__main__":
    for name, svg in pictures().items():
        (HERE / name).write_text(svg, "utf-8")
