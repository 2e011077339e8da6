"""Drive the screen as its user and its feed do, and read what is on it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from textual.pilot import Pilot

from tests.scenarios import make
from tests.scenarios.build import peer, sample, sensor
from tfotop.model.fold import fold
from tfotop.model.selection import Selection
from tfotop.model.state import Model
from tfotop.sample import Peer, Sample
from tfotop.views.tui.app import TfotopApp
from tfotop.views.tui.messages import ModelReady
from tfotop.views.tui.travel import Past
from tfotop.views.tui.widgets.peers import PeersTable

NORMAL: Final = (80, 24)
LARGE: Final = (120, 40)


def app(selection: Selection | None = None, past: Past | None = None) -> TfotopApp:
    return TfotopApp("web-3", "6.18.44", 1.0, selection, past=past)


def models(samples: Iterable[Sample]) -> list[Model]:
    """The model after each sample."""
    result: list[Model] = []
    for one in samples:
        result.append(fold(result[-1] if result else None, one))
    return result


def of_peers(*addresses: str, before: Model | None = None, at_s: float = 0, **given: object) -> Model:
    """A model in which these peers have just been seen, the last one newest."""
    changed: list[Peer] = [peer(address, **given) for address in addresses]
    return fold(before, sample(at_s, sensor=sensor(peers=tuple(changed))))


async def feed(pilot: Pilot[None], *fed: Model) -> None:
    """Deliver models, each seen before the next."""
    for model in fed:
        pilot.app.post_message(ModelReady(model))
        await pilot.pause()


@asynccontextmanager
async def running(
    *fed: Model, size: tuple[int, int] = NORMAL, selection: Selection | None = None, past: Past | None = None
) -> AsyncIterator[Pilot[None]]:
    """The screen, after some models."""
    async with app(selection, past).run_test(size=size) as pilot:
        await feed(pilot, *fed)
        yield pilot


async def settled(pilot: Pilot[None]) -> None:
    """Wait for what is made beside the screen, and for its place on it."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait for all that comes of them."""
    await pilot.press(*keys)
    await settled(pilot)


def lines(pilot: Pilot[None]) -> list[str]:
    """What the terminal shows, line by line."""
    return [strip.text for strip in pilot.app.screen._compositor.render_strips()]


def shown(pilot: Pilot[None]) -> list[str]:
    """The addresses in the table, from the top."""
    table = pilot.app.query_one(PeersTable)
    rows = [table.render_line(y).text for y in range(2, table.size.height)]
    return [row.split()[0] for row in rows if row.strip()]


def cursor(pilot: Pilot[None]) -> str | None:
    """The address in the row of the cursor; None if it is out of sight."""
    table = pilot.app.query_one(PeersTable)
    style = table.get_component_rich_style("peers--cursor")
    strips = (table.render_line(y) for y in range(2, table.size.height))
    marked = [strip.text.split()[0] for strip in strips if any(segment.style == style for segment in strip)]
    assert len(marked) <= 1
    return marked[0] if marked else None


def scenario(name: str, second: int = -1) -> Model:
    """The model after a recorded scenario, or at one second of it."""
    return models(make.load(name))[second]
