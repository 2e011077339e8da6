"""bpf/handshake.h and its description in Python are the same bytes, and the same numbers mean the same words."""

import ctypes as C
import re
from collections.abc import Iterator
from itertools import chain
from struct import Struct
from typing import Final, NamedTuple

import pytest

from tests.unit.native import BPF, build
from tfotop import words
from tfotop.model import latency as model_latency
from tfotop.sample import Buckets, Latency, Micros, Peer, Process
from tfotop.sources import layout, records
from tfotop.sources.layout import Flow, RawHandshake

HEADER: Final = re.sub(r"/\*.*?\*/", "", (BPF / "handshake.h").read_text(), flags=re.S)
WIDTHS: Final = {"u8": 1, "char": 1, "u16": 2, "u32": 4, "u64": 8}
CODES: Final = {"B": 1, "H": 2, "I": 4, "Q": 8}

FILL_PEER: Final = """
void fill_peer(struct peer_key *key, struct peer *p)
{
	key->netns_cookie = 1; key->netns = 2; key->port = 443; key->role = SERVER;
	key->address[10] = key->address[11] = 255; key->address[12] = 10; key->address[15] = 7;
	p->first_ns = 11; p->last_ns = 12; p->socket_cookie = 13; p->epoch = 14; p->pid = 15;
	p->comm[0] = 'c'; p->comm[1] = 'u'; p->cookie_id = 0xabcd0001;
	for (int i = 0; i < OUTCOMES; i++)
		p->outcomes[i] = 100 + i;
	p->backup_key = 21; p->no_cookie = 22; p->syn_retransmits = 23;
	p->rtt_count = 2; p->rtt_us[0] = 31; p->rtt_us[1] = 32;
	p->last_outcome = REJECTED; p->last_reason = BAD_COOKIE;
	p->first_byte[0].count = 1; p->first_byte[0].recent_us[0] = 41; p->first_byte[0].buckets[3] = 1;
	p->first_byte[1].count = 1; p->first_byte[1].recent_us[0] = 51; p->first_byte[1].buckets[BUCKETS - 1] = 1;
}
"""


class Field(NamedTuple):
    """One member of a C struct as handshake.h declares it."""

    name: str
    type: str
    is_array: bool


def fields(struct: str) -> list[Field]:
    """The members of a struct of handshake.h, in order."""
    body = re.search(rf"struct {struct} \{{(.*?)\n\}};", HEADER, re.S)
    assert body, struct
    rows = re.findall(r"^\t(struct \w+|\w+) (\w+)(\[\w+\])?;", body[1], re.M)
    return [Field(name, kind, bool(array)) for kind, name, array in rows]


STRUCTS: Final = {name: fields(name) for name in re.findall(r"^struct (\w+) \{", HEADER, re.M)}
ENUMS: Final = {
    name: re.findall(r"^\s*(\w+)(?: = \w+)?\s*,?\s*$", body.replace(",", ",\n"), re.M)
    for name, body in re.findall(r"^enum (\w+) \{(.*?)\};", HEADER, re.M | re.S)
}


def _exports() -> Iterator[str]:
    for struct, members in STRUCTS.items():
        yield f"const u32 sizeof_{struct} = sizeof(struct {struct});"
        for name in (member.name for member in members):
            yield f"const u32 offsetof_{struct}_{name} = __builtin_offsetof(struct {struct}, {name});"
            yield f"const u32 sizeof_{struct}_{name} = sizeof(((struct {struct} *)0)->{name});"
    for name in ("NO_COOKIE_LEN", "UNKNOWN", "RECENT", "BUCKETS", *chain.from_iterable(ENUMS.values())):
        yield f"const u32 number_{name} = {name};"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> C.CDLL:
    return build(tmp_path_factory.mktemp("layout"), "\n".join(_exports()) + FILL_PEER)


def number(native: C.CDLL, name: str) -> int:
    return C.c_uint32.in_dll(native, name).value


def in_c(native: C.CDLL, struct: str, *but: str) -> list[tuple[int, int]]:
    """(offset, size) of each value that Python unpacks: text and addresses whole, other arrays one by one."""
    result = []
    for field in STRUCTS[struct]:
        if field.name in but or field.name.startswith("pad"):
            continue
        start, size = number(native, f"offsetof_{struct}_{field.name}"), number(native, f"sizeof_{struct}_{field.name}")
        width = size if WIDTHS[field.type] == 1 else WIDTHS[field.type]
        result += [(at, width) for at in range(start, start + size, width)]
    return result


def in_python(form: Struct) -> list[tuple[int, int]]:
    """The same of a Struct's format."""
    at, result = 0, []
    for times, code in re.findall(r"(\d*)([a-zA-Z])", form.format):
        count = int(times or 1)
        if code == "s":
            result.append((at, count))
        elif code != "x":
            result += [(at + i * CODES[code], CODES[code]) for i in range(count)]
        at += count * CODES.get(code, 1)
    return result


@pytest.mark.parametrize(
    ("struct", "form"),
    [
        ("flow", layout.FLOW),
        ("handshake", layout.HANDSHAKE),
        ("total_key", layout.TOTAL_KEY),
        ("peer_key", layout.PEER_KEY),
        ("latency", layout.LATENCY),
    ],
)
def test_every_value_stands_at_the_same_place(native: C.CDLL, struct: str, form: Struct) -> None:
    assert in_python(form) == in_c(native, struct)
    assert form.size == number(native, f"sizeof_{struct}")


def test_a_peer_is_its_head_and_two_latencies(native: C.CDLL) -> None:
    assert in_python(layout.PEER_HEAD) == in_c(native, "peer", "first_byte")
    assert layout.PEER_HEAD.size == number(native, "offsetof_peer_first_byte")
    assert number(native, "sizeof_peer") == layout.PEER_SIZE


def test_a_record_is_a_flow_and_a_handshake(native: C.CDLL) -> None:
    assert [field.name for field in STRUCTS["record"]] == ["flow", "handshake"]
    assert layout.FLOW.size == number(native, "offsetof_record_handshake")
    assert number(native, "sizeof_record") == layout.RECORD_SIZE


def test_no_struct_is_left_out() -> None:
    assert set(STRUCTS) == {"flow", "handshake", "record", "total_key", "peer_key", "latency", "peer"}


@pytest.mark.parametrize(("struct", "described"), [("flow", Flow), ("handshake", RawHandshake)])
def test_the_fields_have_the_same_names_in_the_same_order(struct: str, described: type) -> None:
    assert list(described._fields) == [f.name for f in STRUCTS[struct] if not f.name.startswith("pad")]


def test_the_constants_are_the_same(native: C.CDLL) -> None:
    for name in ("NO_COOKIE_LEN", "UNKNOWN", "RECENT", "BUCKETS", "OUTCOMES", "UNDECIDED"):
        assert getattr(layout, name) == number(native, f"number_{name}"), name
    assert (model_latency.BUCKETS, model_latency.FEW) == (layout.BUCKETS, layout.RECENT)


@pytest.mark.parametrize(
    ("enum", "tuple_of_words"),
    [
        ("role", words.ROLES),
        ("outcome", (*words.OUTCOMES, "outcomes", "undecided")),
        ("variant", words.VARIANTS),
        ("option", words.OPTIONS),
        ("reason", words.REASONS),
        ("tally", (*layout.TALLIES, "tallies")),
    ],
)
def test_a_number_means_the_same_word(native: C.CDLL, enum: str, tuple_of_words: tuple[str | None, ...]) -> None:
    in_header = [None if name.startswith(f"NO_{enum}".upper()) else name.lower() for name in ENUMS[enum]]
    same = ["reset" if word == "peer_reset" else word for word in in_header]  # RESET is taken by the outcome
    assert same == list(tuple_of_words)
    numbered = [number(native, f"number_{name}") for name in ENUMS[enum] if name != "UNDECIDED"]
    assert numbered == list(range(len(numbered)))


def test_no_enum_is_left_out() -> None:
    assert set(ENUMS) == {"role", "outcome", "variant", "option", "reason", "tally"}


def test_every_reason_has_words_for_the_screen() -> None:
    assert set(words.REASON_WORDS) == set(words.REASONS) - {None}


def test_a_peer_that_c_filled_by_name_reads_the_same(native: C.CDLL) -> None:
    key, value = C.create_string_buffer(layout.PEER_KEY.size), C.create_string_buffer(layout.PEER_SIZE)
    native.fill_peer(key, value)
    owner = Process(pid=5, comm="nginx")
    asked: list[tuple[int | None, int]] = []
    found = records.peer(key.raw, value.raw, lambda netns, cookie: asked.append((netns, cookie)) or owner)
    assert asked == [(2, 13)]
    assert found == Peer(
        netns=2,
        netns_cookie=1,
        role="server",
        address="10.0.0.7",
        port=443,
        first_ns=11,
        last_ns=12,
        outcomes={outcome: 100 + i for i, outcome in enumerate(words.OUTCOMES)},
        last_outcome="rejected",
        last_reason="bad_cookie",
        backup_key=21,
        no_cookie=22,
        syn_retransmits=23,
        cookie_id="abcd",
        socket_cookie=13,
        process=owner,
        rtt_us=Micros((31, 32)),
        without_tfo=Latency(count=1, recent_us=Micros((41,)), buckets=Buckets({3: 1})),
        with_tfo=Latency(count=1, recent_us=Micros((51,)), buckets=Buckets({layout.BUCKETS - 1: 1})),
    )
