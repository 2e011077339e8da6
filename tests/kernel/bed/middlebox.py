"""What a relay may do to the Ethernet frames that pass it."""

from collections.abc import Callable
from dataclasses import replace

from .segments import ACK, SYN, Segment, parse

ETHERNET = 14
Rule = Callable[[bytes], bytes | None]  # a frame, as it goes on; None: dropped


def passing(frame: bytes) -> bytes | None:
    return frame


def drop_syn(frame: bytes) -> bytes | None:
    return None if _syn(frame) else frame


def drop_syn_option(frame: bytes) -> bytes | None:
    """Drop SYNs with the Fast Open option in either encoding."""
    return None if (syn := _syn(frame)) and _has_option(syn) else frame


def drop_syn_data(frame: bytes) -> bytes | None:
    """Drop SYNs that carry data."""
    return None if (syn := _syn(frame)) and syn.payload else frame


def trim_syn_data(frame: bytes) -> bytes | None:
    """Let SYNs go on without their data."""
    return _rebuilt(frame, syn, payload=b"") if (syn := _syn(frame)) and syn.payload else frame


def strip_syn_option(frame: bytes) -> bytes | None:
    """Overwrite the Fast Open option of SYNs with NOPs, the data goes on."""
    return _rebuilt(frame, syn, options=_nops(syn.options)) if (syn := _syn(frame)) and _has_option(syn) else frame


def strip_option(frame: bytes) -> bytes | None:
    """Overwrite the Fast Open option with NOPs in SYNs and in SYN-ACKs."""
    segment = parse(frame[ETHERNET:])
    if segment and segment.flags & SYN and _has_option(segment):
        return _rebuilt(frame, segment, options=_nops(segment.options))
    return frame


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (passing, drop_syn, drop_syn_option, drop_syn_data, trim_syn_data, strip_syn_option, strip_option)
}


def _syn(frame: bytes) -> Segment | None:
    segment = parse(frame[ETHERNET:])
    return segment if segment and segment.flags & (SYN | ACK) == SYN else None


def _has_option(segment: Segment) -> bool:
    return segment.option(34) is not None or (segment.option(254) or b"")[:2] == b"\xf9\x89"


def _nops(options: bytes) -> bytes:
    """The same options, both Fast Open encodings overwritten."""
    done, rest = b"", options
    while rest and rest[0] != 0:
        size = 1 if rest[0] == 1 else max(2, rest[1])
        done += b"\x01" * size if rest[0] in (34, 254) else rest[:size]
        rest = rest[size:]
    return done + rest


def _rebuilt(frame: bytes, segment: Segment, **changes: bytes) -> bytes:
    changed = replace(segment, **changes)
    return frame[:ETHERNET] + changed.packet(segment.source, segment.target)
