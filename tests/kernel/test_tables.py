"""Tables of the kernel, read in batches: each entry once, also while entries are taken out between the batches."""

import os
from collections.abc import Iterator

import pytest

from tfotop.sources.libbpf import BATCH, LRU_HASH, Libbpf, Map

pytestmark = pytest.mark.sensor

ENTRIES = 5 * BATCH // 2
SIZE = 8  # of a key and of a value


@pytest.fixture
def table() -> Iterator[Map]:
    libbpf = Libbpf()
    fd = libbpf.lib.bpf_map_create(LRU_HASH, None, SIZE, SIZE, 16 * ENTRIES, None)
    assert fd >= 0, libbpf.refusal()
    try:
        yield Map(libbpf, fd, SIZE, SIZE)
    finally:
        os.close(fd)


def fill(table: Map) -> None:
    for number in range(ENTRIES):
        table.put(number.to_bytes(SIZE, "little"), (number * number).to_bytes(SIZE, "little"))


def numbers(batch: memoryview) -> list[int]:
    return batch.cast("Q").tolist()


def test_every_entry_comes_once_with_its_value(table: Map) -> None:
    fill(table)
    found = [pair for batch in table.batches() for pair in zip(*map(numbers, batch), strict=True)]
    assert sorted(found) == [(number, number * number) for number in range(ENTRIES)]


def test_entries_may_be_taken_out_between_the_batches(table: Map) -> None:
    fill(table)
    found = []
    for keys, _ in table.batches():
        assert len(keys) <= BATCH * SIZE
        for key in numbers(keys):
            assert table.take(key.to_bytes(SIZE, "little")) is not None
            found.append(key)
    assert sorted(found) == list(range(ENTRIES))
    assert [len(keys) for keys, _ in table.batches()] == [0]


def test_an_empty_table_has_nothing(table: Map) -> None:
    assert [(bytes(keys), bytes(values)) for keys, values in table.batches()] == [(b"", b"")]
