"""Recorded samples, folded as they come: of each model only what the scenario is about."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios import make
from tfotop.diagnosis.findings import findings
from tfotop.model import latency
from tfotop.model.fold import fold
from tfotop.model.state import Model
from tfotop.sample import Sample
from tfotop.views import json_lines

NAMES = list(make.SCENARIOS)


def models(samples: list[Sample]) -> list[Model]:
    """The model after each sample."""
    result: list[Model] = []
    for sample in samples:
        result.append(fold(result[-1] if result else None, sample))
    return result


def causes(model: Model) -> list[str]:
    return [finding.cause for finding in findings(model)]


def sooner(model: Model) -> dict[str, float | None]:
    return {p.reading.address: latency.rtt_delta_rtts(p.reading) for p in model.peers.values()}


def cookies(model: Model) -> dict[str, str]:
    return {p.reading.address: p.cookie for p in model.peers.values()}


Field = Callable[[Model], Any]

# scenario, second, field, value
EXPECTED: list[tuple[str, int, Field, Any]] = [
    ("healthy", -1, lambda m: (m.tier, m.btf, m.attached, m.agrees), (2, True, True, True)),
    ("healthy", -1, lambda m: m.rates.accepted_per_s, 13),
    ("healthy", -1, lambda m: m.rates.requests_per_s, 3),
    ("healthy", -1, lambda m: m.rates.rejected_per_s, 0),
    ("healthy", -1, lambda m: round(m.rates.saved_s_per_s, 3), round(8 * 0.02238 + 4 * 0.03108 + 0.03108, 3)),
    ("healthy", -1, causes, []),
    ("healthy", 0, lambda m: m.agrees, None),
    ("healthy", 0, lambda m: [p.reading.role for p in m.peers.values()], ["server"] * 3),
    (
        "healthy",
        -1,
        lambda m: {address: rtts and round(rtts, 1) for address, rtts in sooner(m).items()},
        {
            "203.0.113.9": 1.0,
            "2001:db8:85a3:8d3:1319:8a2e:370:7348": 1.0,
            "198.51.100.20": None,
            "2001:db8::7": 1.0,
        },
    ),
    (
        "healthy",
        -1,
        cookies,
        {
            "203.0.113.9": "valid",
            "2001:db8:85a3:8d3:1319:8a2e:370:7348": "valid",
            "198.51.100.20": "none",
            "2001:db8::7": "valid",
        },
    ),
    ("rejected", 5, causes, []),
    ("rejected", 6, lambda m: [cause[:44] for cause in causes(m)], ["412 handshakes (412/s): bad cookie: rejected"]),
    ("rejected", -1, lambda m: (m.rates.rejected_per_s, m.rates.accepted_per_s, m.agrees), (412, 1200, True)),
    ("rejected", -1, cookies, {"203.0.113.9": "valid", "10.2.4.17": "rejected"}),
    ("rejected", -1, lambda m: m.losses.records_limited, 1012 * 11),
    ("server_bit_off", 6, lambda m: causes(m)[0][:43], "30 handshakes (5/s): the server bit 0x2 of "),
    ("server_bit_off", 7, lambda m: causes(m)[-1][:32], "30 handshakes (none now): the se"),
    ("server_bit_off", 6, cookies, {"10.2.4.17": "refused"}),
    ("server_bit_off", 7, cookies, {"10.2.4.17": "granted"}),
    ("server_bit_off", -1, lambda m: (m.agrees, m.rates.requests_per_s), (True, 5)),
    ("tier_0", -1, lambda m: (m.tier, m.attached, m.agrees, dict(m.peers)), (0, False, None, {})),
    ("tier_0", -1, lambda m: (m.rates.accepted_per_s, m.rates.saved_s_per_s), (10, None)),
    ("tier_0", 4, lambda m: [cause[:20] for cause in causes(m)], ["cookies are rejected"]),
    ("tier_0", 5, causes, []),
    ("tier_0", -1, lambda m: [p.source for p in m.problems], ["sensor"]),
    ("empty", -1, lambda m: [n.agrees for n in m.namespaces], [True, True]),
    ("empty", -1, lambda m: (m.rates.accepted_per_s, m.rates.saved_s_per_s), (0, 0)),
    ("empty", -1, lambda m: (causes(m), dict(m.peers), m.totals), ([], {}, ())),
]


@pytest.mark.parametrize(
    ("name", "second", "field", "value"),
    EXPECTED,
    ids=[f"{row[0]}-{row[1]}-{number}" for number, row in enumerate(EXPECTED)],
)
def test_what_the_scenario_is_about(name: str, second: int, field: Field, value: Any) -> None:
    assert field(models(make.load(name))[second]) == value


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_the_script_makes(name: str) -> None:
    assert tuple(make.load(name)) == make.SCENARIOS[name], "run: python -m tests.scenarios.make"


def test_no_file_is_left_over() -> None:
    assert {path.stem for path in make.HERE.glob("*.jsonl")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_samples_make_the_same_models_and_the_same_json(name: str) -> None:
    first, second = models(make.load(name)), models(make.load(name))
    assert first == second
    lines = [[json_lines.line(json_lines.stream(model)) for model in run] for run in (first, second)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_models_do_not_depend_on_where_the_run_was_interrupted(name: str) -> None:
    """fold keeps nothing outside the model: folding other samples in between changes nothing."""
    samples, other = make.load(name), make.load("rejected")
    chance = random.Random(7)
    model, expected = None, models(samples)[-1]
    for sample in samples:
        models(chance.sample(other, 3))
        model = fold(model, sample)
    assert model == expected
