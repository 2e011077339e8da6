"""The C that reads hostile bytes, run here on any bytes at all, beside a plain reading of the RFCs in Python."""

import ctypes as C
from typing import Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.native import SECRETS, Packet, build, function
from tfotop.model.latency import BUCKETS, bounds_us
from tfotop.sources.layout import NO_COOKIE_LEN
from tfotop.sources.records import cookie_fingerprint, fingerprint
from tfotop.words import OPTIONS

NATIVE: Final = (
    """
u32 name_cookie(const u8 *cookie, u32 len) { return fingerprint(cookie, len); }
u32 extensions(struct __sk_buff *skb, u8 next) { return skip_extensions(skb, next); }
void parse(struct __sk_buff *skb, u32 len, struct options *o)
{
	struct segment s = { .tcp_at = 0, .options_len = len };

	o->cookie_len = NO_COOKIE_LEN;
	read_options(skb, &s, o, 1);
}
int segment(struct __sk_buff *skb, struct segment *s) { return read_segment(skb, s); }
"""
    + function("peers.h", "bucket_of")
    + "u32 bucket(u32 us) { return bucket_of(us); }\n"
)


class Options(C.Structure):
    """struct options of bpf/packet.h."""

    _fields_ = [
        ("cookie_id", C.c_uint32),
        ("tsval", C.c_uint32),
        ("tsecr", C.c_uint32),
        ("cookie_len", C.c_uint8),
        ("kind", C.c_uint8),
    ]


class Seen(NamedTuple):
    """What the options of one segment say."""

    cookie_len: int
    cookie_id: str | None
    option: str | None
    timestamps: tuple[int, int]


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> C.CDLL:
    return build(tmp_path_factory.mktemp("packet"), NATIVE)


def in_c(native: C.CDLL, options: bytes, in_place: int = 0) -> Seen:
    found = Options()
    native.parse(C.byref(Packet.of(bytes(20) + options, in_place)), len(options), C.byref(found))
    cookie_id = fingerprint(found.cookie_id)
    return Seen(found.cookie_len, cookie_id, OPTIONS[found.kind], (found.tsval, found.tsecr))


def in_python(options: bytes) -> Seen:
    """tcp_parse_options and tcp_parse_fastopen_option (net/ipv4/tcp_input.c), RFC 7413 section 4.1.1, RFC 6994."""
    at, cookie, experimental, timestamps = 0, None, False, (0, 0)
    while at + 2 <= len(options) and options[at] != 0:
        kind, size = options[at], options[at + 1]
        if kind == 1:
            at += 1
            continue
        if size < 2 or at + size > len(options):
            break
        body = options[at + 2 : at + size]
        if kind == 8 and size == 10:
            timestamps = int.from_bytes(body[:4]), int.from_bytes(body[4:])
        if size % 2 == 0 and (kind == 34 or (kind == 254 and body[:2] == b"\xf9\x89")):
            experimental = kind == 254
            cookie = body[2:] if experimental else body
        at += size
    if cookie is None or len(cookie) in (2,) or len(cookie) > 16:
        return Seen(NO_COOKIE_LEN, None, None, timestamps)
    name = cookie_fingerprint(SECRETS)(cookie) if cookie else None
    return Seen(len(cookie), name, "experimental" if experimental else "standard", timestamps)


def option(kind: int, body: bytes, size: int | None = None) -> bytes:
    return bytes([kind, len(body) + 2 if size is None else size]) + body


COOKIE: Final = bytes(range(1, 9))
MAGIC: Final = b"\xf9\x89"
FAST_OPEN: Final = st.builds(
    option,
    st.sampled_from([34, 254]),
    st.binary(max_size=18) | st.binary(max_size=18).map(lambda cookie: MAGIC + cookie),
    st.none() | st.sampled_from([0, 1, 2, 3, 255]),
)
ANY_OPTION: Final = (
    FAST_OPEN | st.just(b"\1") | st.binary(min_size=8, max_size=8).map(lambda body: option(8, body)) | st.binary()
)


USUAL: Final = option(2, b"\5\xb4") + option(4, b"") + option(8, bytes(range(8))) + b"\1" + option(3, b"\7")
REQUEST: Final = USUAL + option(34, b"") + b"\1\1"
HIT: Final = USUAL + option(34, COOKIE) + b"\1\1"


@given(st.lists(ANY_OPTION).map(lambda options: b"".join(options)[:40]), st.integers(0, 60))
def test_options_are_read_as_the_kernel_reads_them(native: C.CDLL, options: bytes, in_place: int) -> None:
    assert in_c(native, options, in_place) == in_python(options)


@given(st.sampled_from([USUAL, REQUEST, HIT]), st.data())
def test_nearly_usual_options_are_read_so_too(native: C.CDLL, usual: bytes, data: st.DataObject) -> None:
    """The layout that is read at once, with one byte changed, cut short or with something behind it."""
    options, place = bytearray(usual), data.draw(st.integers(0, len(usual) - 1))
    options[place] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 8, 10, 34, 254, options[place]]) | st.integers(0, 255))
    changed = bytes(options[: data.draw(st.sampled_from([len(usual), place]))]) + data.draw(
        st.sampled_from([b"", b"\1"])
    )
    in_place = data.draw(st.sampled_from([0, 20 + place, 60]))
    assert in_c(native, changed[:40], in_place) == in_python(changed[:40])


@pytest.mark.parametrize("in_place", [0, 39, 40, 43, 44, 51, 52])
@pytest.mark.parametrize("options", [USUAL, REQUEST, HIT], ids=["without", "request", "cookie"])
def test_usual_options(native: C.CDLL, options: bytes, in_place: int) -> None:
    seen = in_c(native, options, in_place)
    assert seen == in_python(options)
    assert seen.timestamps == (0x00010203, 0x04050607)


@pytest.mark.parametrize(
    ("options", "cookie_len", "name"),
    [
        pytest.param(b"", NO_COOKIE_LEN, None, id="no options"),
        pytest.param(option(34, b""), 0, "standard", id="request"),
        pytest.param(option(34, COOKIE), 8, "standard", id="cookie"),
        pytest.param(option(34, bytes(16)), 16, "standard", id="longest"),
        pytest.param(option(34, bytes(4)), 4, "standard", id="shortest"),
        pytest.param(option(34, bytes(18)), NO_COOKIE_LEN, None, id="too long"),
        pytest.param(option(34, bytes(2)), NO_COOKIE_LEN, None, id="too short"),
        pytest.param(option(34, bytes(7)), NO_COOKIE_LEN, None, id="odd"),
        pytest.param(option(254, MAGIC), 0, "experimental", id="experimental request"),
        pytest.param(option(254, MAGIC + COOKIE), 8, "experimental", id="experimental cookie"),
        pytest.param(option(254, b"\xf9\x88" + COOKIE), NO_COOKIE_LEN, None, id="another experiment"),
        pytest.param(option(34, COOKIE, 255), NO_COOKIE_LEN, None, id="beyond the header"),
        pytest.param(option(34, COOKIE, 0), NO_COOKIE_LEN, None, id="length 0"),
        pytest.param(option(34, COOKIE, 1), NO_COOKIE_LEN, None, id="length 1"),
        pytest.param(option(34, COOKIE) + option(34, b""), 0, "standard", id="the last counts"),
        pytest.param(b"\0" + option(34, COOKIE), NO_COOKIE_LEN, None, id="behind the end"),
        pytest.param(b"\1" * 30 + option(34, COOKIE), 8, "standard", id="behind padding"),
        pytest.param(option(2, b"\5\xb4") + b"\1\3\3\7" + option(34, COOKIE), 8, "standard", id="behind others"),
    ],
)
def test_a_cookie_is_4_to_16_bytes_and_even(native: C.CDLL, options: bytes, cookie_len: int, name: str | None) -> None:
    seen = in_c(native, options)
    assert (seen.cookie_len, seen.option) == (cookie_len, name)


@given(st.binary(min_size=1, max_size=16))
def test_a_cookie_has_the_same_fingerprint_wherever_it_was_read(native: C.CDLL, cookie: bytes) -> None:
    native.name_cookie.restype = C.c_uint32
    number = native.name_cookie(cookie.ljust(16, b"\0"), len(cookie))
    assert f"{number >> 16:04x}" == cookie_fingerprint(SECRETS)(cookie)


def test_zeros_at_the_end_of_a_cookie_count(native: C.CDLL) -> None:
    assert in_c(native, option(34, bytes(4))).cookie_id != in_c(native, option(34, bytes(6))).cookie_id


def edges() -> list[int]:
    """Every value at which the bucket may change, and its neighbours."""
    near = (round(bound) + step for b in range(BUCKETS) for bound in bounds_us(b) for step in (-1, 0, 1))
    return sorted({*range(5000), *(max(0, v) for v in near), 2**31, 2**32 - 1})


def test_a_bucket_holds_what_its_bounds_say(native: C.CDLL) -> None:
    for us in edges():
        bucket = native.bucket(C.c_uint32(us))
        low, high = bounds_us(bucket)
        assert low <= us, (us, bucket)
        assert us < high or bucket == BUCKETS - 1, (us, bucket)


def extension(next_header: int, units: int = 0) -> bytes:
    """A hop-by-hop, routing or destination header of 8 bytes and more (RFC 8200, 4.2)."""
    return bytes([next_header, units]) + bytes(6 + 8 * units)


@pytest.mark.parametrize(
    ("first", "headers", "at"),
    [
        pytest.param(0, extension(6), 48, id="hop by hop"),
        pytest.param(60, extension(43) + extension(6, 2), 72, id="two"),
        pytest.param(44, bytes([6, 0, 0, 0, 0, 0, 0, 1]), 48, id="first fragment"),
        pytest.param(44, bytes([6, 0, 0, 8, 0, 0, 0, 1]), 0, id="later fragment"),
        pytest.param(44, bytes([6, 0, 1, 0, 0, 0, 0, 1]), 0, id="much later fragment"),
        pytest.param(51, bytes([6, 4]) + bytes(22), 64, id="authentication"),
        pytest.param(17, b"", 0, id="UDP"),
        pytest.param(0, b"", 0, id="cut short"),
        pytest.param(0, extension(0) * 20, 0, id="without end"),
    ],
)
def test_the_tcp_header_is_found_behind_extensions(native: C.CDLL, first: int, headers: bytes, at: int) -> None:
    assert native.extensions(C.byref(Packet.of(bytes(40) + headers)), first) == at


@given(st.integers(0, 255), st.binary(max_size=200))
def test_any_chain_of_extensions_ends(native: C.CDLL, first: int, headers: bytes) -> None:
    at = native.extensions(C.byref(Packet.of(bytes(40) + headers)), first)
    assert at == 0 or at >= 40


class Segment(C.Structure):
    """struct segment of bpf/packet.h."""

    _fields_ = [
        *((name, C.c_uint32) for name in ("tcp_at", "options_len", "payload", "seq", "ack")),
        ("source", C.c_uint16),
        ("dest", C.c_uint16),
        ("flags", C.c_uint8),
        ("v4", C.c_uint8),
    ]


def tcp(offset: int = 5, rest: bytes = b"") -> bytes:
    """An IPv4 header's 20 bytes, then TCP from port 1025 to 443, SYN."""
    ports = (1025).to_bytes(2) + (443).to_bytes(2)
    return bytes(20) + ports + (7).to_bytes(4) + (9).to_bytes(4) + bytes([offset << 4, 2]) + bytes(6) + rest


@pytest.mark.parametrize(
    ("content", "options_len", "payload"),
    [
        pytest.param(tcp(), 0, 0, id="bare"),
        pytest.param(tcp(6, bytes(4)), 4, 0, id="options"),
        pytest.param(tcp(15, bytes(45)), 40, 5, id="all options and data"),
    ],
)
@pytest.mark.parametrize("in_place", [0, 39, 40, 99])
def test_a_segment_is_read(native: C.CDLL, content: bytes, options_len: int, payload: int, in_place: int) -> None:
    packet, s = Packet.of(content, in_place), Segment()
    packet.cb[0], packet.cb[1] = 20, 1
    assert native.segment(C.byref(packet), C.byref(s)) == 1
    assert (s.source, s.dest, s.seq, s.ack, s.flags, s.v4) == (1025, 443, 7, 9, 2, 1)
    assert (s.options_len, s.payload) == (options_len, payload)


@pytest.mark.parametrize("content", [tcp()[:-1], tcp(4), tcp(0), tcp(15, bytes(39)), b""])
def test_a_segment_that_is_cut_short_or_lies_is_none(native: C.CDLL, content: bytes) -> None:
    packet = Packet.of(content)
    packet.cb[0] = 20
    assert native.segment(C.byref(packet), C.byref(Segment())) == 0
