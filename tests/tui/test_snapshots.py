"""Pictures of the screen. Look at them when they change; ``pytest --snapshot-update tests/tui`` takes them anew."""

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from tests.scenarios.build import latency
from tests.tui.screen import LARGE, NORMAL, app, feed, of_peers, press, scenario
from tfotop.model.state import Model
from tfotop.sample import Process

Compare = Callable[..., bool]


def after(model: Model, *keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def run(pilot: Pilot[None]) -> None:
        await feed(pilot, model)
        await press(pilot, *keys)

    return run


SIZES = {"80x24": NORMAL, "120x40": LARGE, "200x60": (200, 60), "40x12": (40, 12)}
VIEWS = {
    "peers": ("down",),
    "ladder": ("down", "enter"),
    "listeners": ("2",),
    "handshakes": ("3", "down"),
    "handshake": ("3", "down", "enter"),
    "counters": ("4", "down", "down"),
    "latency": ("5",),
    "help": ("question_mark",),
    "palette": ("ctrl+p",),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("keys", VIEWS.values(), ids=VIEWS)
def test_view(keys: tuple[str, ...], size: tuple[int, int], snap_compare: Compare) -> None:
    assert snap_compare(app(), run_before=after(scenario("incident"), *keys), terminal_size=size)


@pytest.mark.parametrize("theme", ["dark", "light", "mono"])
def test_theme(theme: str, snap_compare: Compare) -> None:
    made = app()
    made.theme = theme
    assert snap_compare(made, run_before=after(scenario("incident"), "down"), terminal_size=NORMAL)


@pytest.mark.parametrize("size", [NORMAL, LARGE], ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", ["healthy", "rejected", "server_bit_off", "tier_0", "empty"])
def test_scenario(name: str, size: tuple[int, int], snap_compare: Compare) -> None:
    assert snap_compare(app(), run_before=after(scenario(name), "down", "down"), terminal_size=size)


@pytest.mark.parametrize("size", [NORMAL, LARGE], ids=["80x24", "120x40"])
def test_a_full_table_with_odd_names(size: tuple[int, int], snap_compare: Compare) -> None:
    names = ("\x1b[31mred\x1b[0m", "データベース", "\u202eevil", "שלום", "sixteen-bytes-xx")
    model = None
    for i in range(60):
        model = of_peers(
            f"2001:db8:{i:x}::{i:x}",
            before=model,
            process=Process(pid=i, comm=names[i % len(names)]),
            rtt_us=(1000 * i,),
            with_tfo=latency(10 * i),
            without_tfo=latency(1010 * i),
        )
    assert model is not None
    assert snap_compare(app(), run_before=after(model, "end", "up"), terminal_size=size)
