"""Rows of totals: summed over CPUs, and taken over from the kernel's table when their namespace is gone."""

import sys

import pytest

from tests.unit.sources.test_handshakes import Table
from tfotop.sources import layout, totals
from tfotop.sources.totals import Totals

ACCEPTED = (1, 3, 0, 0, 1, 0)


def row(cookie: int, *counts: int) -> tuple[bytes, bytes]:
    values = b"".join(count.to_bytes(8, sys.byteorder) for count in counts)
    return layout.TOTAL_KEY.pack(cookie, cookie + 1000, *ACCEPTED), values


def key(cookie: int) -> tuple[int, ...]:
    return (cookie, cookie + 1000, *ACCEPTED)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(totals, "MANY", 2)
    monkeypatch.setattr(totals, "MOST_GONE", 2)
    return Table(dict(row(cookie, cookie, 100) for cookie in range(1, 6)))


def test_rows_are_summed_over_the_cpus_with_what_was_settled_here(table: Table) -> None:
    reader = Totals(table)
    reader.add(key(1))
    assert reader.read()[key(1)] == 102
    assert sum(reader.read().values()) == 516


def test_rows_of_a_namespace_that_is_gone_twice_leave_the_kernel_and_stay_exact(table: Table) -> None:
    reader = Totals(table)
    for _ in range(2):
        assert reader.read([1, 2, 3])[key(4)] == 104
    assert len(table.entries) == 3
    assert reader.read([1, 2, 3]) == {key(cookie): 100 + cookie for cookie in range(1, 6)}


def test_a_namespace_that_is_missing_once_keeps_its_row(table: Table) -> None:
    reader = Totals(table)
    reader.read([1, 2, 3, 4])
    reader.read([1, 2, 3, 4, 5])
    assert len(table.entries) == 5


def test_the_oldest_are_added_up_without_their_namespace(table: Table) -> None:
    reader = Totals(table)
    for _ in range(3):
        rows = reader.read([5])
    assert sum(rows.values()) == 515
    assert rows[0, 0, *ACCEPTED] > 0
    assert len(rows) < 5


@pytest.mark.parametrize("alive", [None, []])
def test_without_cookies_nothing_is_cleared(table: Table, alive: list[int] | None) -> None:
    reader = Totals(table)
    for _ in range(3):
        reader.read(alive)
    assert len(table.entries) == 5


def test_a_small_table_is_left_alone(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MANY", 5)
    reader = Totals(table)
    for _ in range(3):
        reader.read([1])
    assert len(table.entries) == 5
