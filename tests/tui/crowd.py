"""What finding and ordering peers is tested on: a crowd, and what the screen says of it."""

from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.scenarios.build import peer, sample, sensor
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Process
from tfotop.views.tui.widgets.filter_bar import FilterBar
from tfotop.views.tui.widgets.peers import PeersTable

HOSTS = tuple(
    peer(f"10.0.{i % 3}.{i}", first_ns=i, last_ns=100 - i, port=(80, 443)[i % 2], outcomes={"accepted": i + 1})
    for i in range(9)
)
SICK = peer("10.0.7.7", outcomes={"rejected": 9}, last_outcome="rejected", process=Process(pid=1, comm="nginx"))


def crowd(*more: object, before: Model | None = None, at_s: float = 0) -> Model:
    return fold(before, sample(at_s, sensor=sensor(peers=(*HOSTS, *more))))


def told(pilot: Pilot[None]) -> str:
    """The line of the filter bar that is not typed."""
    status = pilot.app.query_one("#status", Static)
    return str(status.content) if status.display else ""


def typed(pilot: Pilot[None]) -> str | None:
    """What stands in the bar; None if it is closed."""
    return pilot.app.query_one(Input).value if pilot.app.query_one(FilterBar).is_open else None


def marks(pilot: Pilot[None]) -> str:
    """The line of titles."""
    return pilot.app.query_one(PeersTable).render_line(1).text
