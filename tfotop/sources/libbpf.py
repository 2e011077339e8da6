"""The few functions of libbpf that tfotop needs: maps, the ring buffer, links and BTF, from file descriptors.

libbpf comes with the distribution's bcc. bpf(2) reports failure by errno; every call here turns it into OSError.
"""

import ctypes as C
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

SONAMES: Final = ("libbpf.so.1", "libbpf.so.0")
ON_RECORD = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_void_p, C.c_size_t)
LRU_HASH: Final = 9  # enum bpf_map_type (include/uapi/linux/bpf.h)
BATCH: Final = 512  # entries for each BPF_MAP_LOOKUP_BATCH


class Libbpf:
    """The loaded library. Raises OSError when it is not installed."""

    def __init__(self) -> None:
        self.lib = self._load()
        lib, pointer, fd = self.lib, C.c_void_p, C.c_int
        for name, result, arguments in (
            ("btf__load_vmlinux_btf", pointer, []),
            ("btf__find_by_name_kind", C.c_int, [pointer, C.c_char_p, C.c_uint32]),
            ("btf__type_by_id", pointer, [pointer, C.c_uint32]),
            ("btf__name_by_offset", C.c_char_p, [pointer, C.c_uint32]),
            ("bpf_link_create", C.c_int, [fd, fd, C.c_int, pointer]),
            ("bpf_map_lookup_elem", C.c_int, [fd, pointer, pointer]),
            ("bpf_map_update_elem", C.c_int, [fd, pointer, pointer, C.c_uint64]),
            ("bpf_map_delete_elem", C.c_int, [fd, pointer]),
            ("bpf_map_get_next_key", C.c_int, [fd, pointer, pointer]),
            ("bpf_map_lookup_and_delete_elem", C.c_int, [fd, pointer, pointer]),
            ("bpf_map_lookup_batch", C.c_int, [fd, pointer, pointer, pointer, pointer, pointer, pointer]),
            ("ring_buffer__new", pointer, [fd, ON_RECORD, pointer, pointer]),
            ("ring_buffer__consume", C.c_int, [pointer]),
            ("ring_buffer__poll", C.c_int, [pointer, C.c_int]),
            ("ring_buffer__epoll_fd", C.c_int, [pointer]),
            ("ring_buffer__free", None, [pointer]),
            ("libbpf_num_possible_cpus", C.c_int, []),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments

    @staticmethod
    def _load() -> C.CDLL:
        for soname in SONAMES:
            try:
                return C.CDLL(soname, use_errno=True)
            except OSError:
                continue
        raise OSError("libbpf is not installed")

    def refusal(self) -> int | None:
        """The errno with which the kernel refuses a small table of the sensor's kind; ``None``: it gives one.

        A table that evicts takes CAP_BPF (kernel/bpf/syscall.c, map_create). Libraries before 0.6 are not asked.
        """
        create = getattr(self.lib, "bpf_map_create", None)
        fd = create(LRU_HASH, None, 4, 4, 1, None) if create else None
        if fd is not None and fd < 0:
            return C.get_errno()
        if fd is not None:
            os.close(fd)
        return None

    def cpus(self) -> int:
        """Possible CPUs: the number of values that a per-CPU map returns for each key."""
        return int(self.lib.libbpf_num_possible_cpus())


def _failed(call: str) -> OSError:
    number = C.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")


class Map:
    """A BPF map by its descriptor. Keys and values are bytes of fixed size; per-CPU values come one after another."""

    def __init__(self, libbpf: Libbpf, fd: int, key_size: int, value_size: int) -> None:
        self._lib, self._fd = libbpf.lib, fd
        self._key_size, self._value_size = key_size, value_size
        self._value = C.create_string_buffer(value_size)
        self._batch: tuple[Any, Any] | None = None

    def get(self, key: bytes) -> bytes | None:
        """The value, ``None`` when the key is not there (any more)."""
        return self._value.raw if self._lib.bpf_map_lookup_elem(self._fd, key, self._value) == 0 else None

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        if self._lib.bpf_map_update_elem(self._fd, key, value, 0):
            raise _failed("bpf_map_update_elem")

    def delete(self, key: bytes) -> None:
        """Remove the key, if it is there."""
        self._lib.bpf_map_delete_elem(self._fd, key)

    def take(self, key: bytes) -> bytes | None:
        """Delete the key and return the value it had; ``None`` when somebody else was first."""
        taken = self._lib.bpf_map_lookup_and_delete_elem(self._fd, key, self._value) == 0
        return self._value.raw if taken else None

    def batches(self) -> Iterator[tuple[memoryview, memoryview]]:
        """All entries, in batches of (keys, values) laid out one after another, each valid until the next is asked for.

        Of a hash table entries may be deleted meanwhile: the kernel goes on by its buckets.
        """
        if self._batch is None:
            self._batch = _buffer(BATCH * self._key_size), _buffer(BATCH * self._value_size)
        (keys, all_keys), (values, all_values) = self._batch
        start, place, count, last = None, C.create_string_buffer(max(64, self._key_size)), C.c_uint32(), False
        while not last:
            count.value = BATCH
            if self._lib.bpf_map_lookup_batch(self._fd, start, place, keys, values, C.byref(count), None):
                if C.get_errno() != 2:  # ENOENT: this was the last batch
                    raise _failed("bpf_map_lookup_batch")
                last = True
            yield all_keys[: count.value * self._key_size], all_values[: count.value * self._value_size]
            start = place


def _buffer(size: int) -> tuple[Any, memoryview]:
    """Memory for the kernel to write to, and its bytes."""
    buffer = C.create_string_buffer(size)
    return buffer, memoryview(buffer).cast("B")


class Ring:
    """A BPF ring buffer: hands each record's bytes to ``on_record``, in order, from ``consume`` or ``poll``."""

    def __init__(self, libbpf: Libbpf, fd: int, on_record: Callable[[bytes], object]) -> None:
        def receive(_context: int, data: int, size: int) -> int:
            on_record(C.string_at(data, size))
            return 0

        self._lib, self._callback = libbpf.lib, ON_RECORD(receive)
        self._ring = self._lib.ring_buffer__new(fd, self._callback, None, None)
        if not self._ring:
            raise _failed("ring_buffer__new")

    def consume(self) -> None:
        """Take all records that are there now."""
        self._lib.ring_buffer__consume(self._ring)

    def poll(self, timeout_ms: int) -> None:
        """Wait for records, at most so long, and take them."""
        self._lib.ring_buffer__poll(self._ring, timeout_ms)

    def close(self) -> None:
        """Free the mapping; the descriptor stays the caller's."""
        if self._ring:
            self._lib.ring_buffer__free(self._ring)
            self._ring = None
