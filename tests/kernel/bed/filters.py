"""Middleboxes and failures as nft rules inside one namespace."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager

from .namespaces import Namespace

SYN, SYN_ACK = "tcp flags & (syn | ack) == syn", "tcp flags & (syn | ack) == (syn | ack)"
PURE_ACK = "tcp flags & (syn | ack | rst | fin) == ack"
PAYLOAD = "@ih,0,8 >= 0"  # matches only where there is a first byte after the TCP header (nft_payload, inner header)

# Several statements are several rules; each counts its packets before its verdict.
RULES: dict[str, tuple[str, ...]] = {
    "drop_syn": (f"{SYN} counter drop",),
    "drop_syn_option": (
        f"{SYN} tcp option fastopen exists counter drop",
        f"{SYN} tcp option 254 exists counter drop",
    ),
    "drop_syn_data": (f"{SYN} {PAYLOAD} counter drop",),
    "strip_syn_option": (f"{SYN} tcp option fastopen exists counter reset tcp option fastopen",),
    "strip_synack_option": (f"{SYN_ACK} tcp option fastopen exists counter reset tcp option fastopen",),
    "drop_syn_ack": (f"{SYN_ACK} counter drop",),
    "drop_ack": (f"{PURE_ACK} counter drop",),
    "drop_tcp": ("meta l4proto tcp counter drop",),
    "reset_syn": (f"{SYN} counter reject with tcp reset",),
    "unreachable": (f"{SYN} counter reject with icmpx type host-unreachable",),
    "unreachable_syn_option": (
        f"{SYN} tcp option fastopen exists counter reject with icmpx type host-unreachable",
    ),
}  # fmt: skip

_tables = itertools.count(1)


class Filter:
    """A rule of `RULES` (or nft text) in force on what a namespace receives, until closed."""

    def __init__(self, namespace: Namespace, rule: str, hook: str = "input") -> None:
        self._namespace, self._table = namespace, f"bed{next(_tables)}"
        self._met: int | None = None
        chain = f"type filter hook {hook} priority mangle; policy accept"
        rules = "\n".join(RULES.get(rule, (rule,)))
        self._nft(f"table inet {self._table} {{\nchain bed {{\n{chain};\n{rules}\n}}\n}}\n")

    def hits(self) -> int:
        """How many packets the rule has met, also when it is gone."""
        return self._count() if self._met is None else self._met

    def close(self) -> None:
        if self._met is None:
            self._met = self._count()
            self._nft(f"delete table inet {self._table}\n")

    def _count(self) -> int:
        listed = json.loads(self._namespace.command("nft", "-j", "list", "table", "inet", self._table))
        rules = [item["rule"]["expr"] for item in listed["nftables"] if "rule" in item]
        return sum(part["counter"]["packets"] for rule in rules for part in rule if "counter" in part)

    def _nft(self, text: str) -> None:
        self._namespace.command("nft", "-f", "-", input=text)


@contextmanager
def filtering(namespace: Namespace, rule: str, hook: str = "input") -> Iterator[Filter]:
    """A filter for the length of a block.

    >>> with filtering(bed.server, "drop_syn_option") as dropped:
    ...     exchange(...)
    >>> assert dropped.hits() == 1
    """
    placed = Filter(namespace, rule, hook)
    try:
        yield placed
    finally:
        placed.close()


@contextmanager
def hiding_synacks(server: Namespace, client: Namespace, device: str = "eth0") -> Iterator[None]:
    """The server's SYN-ACKs leave as copies without a socket, as IPsec has them leave: no cgroup hook sees them go.

    >>> with hiding_synacks(bed.server, bed.client):
    ...     exchange(...)
    """
    table = f"bed{next(_tables)}"
    chain = "type filter hook output priority mangle; policy accept"
    families = {"ip": client.v4, "ip6": client.v6}
    for family, address in families.items():
        rule = f'meta mark 1 accept\n{SYN_ACK} meta mark set 1 dup to {address} device "{device}" drop'
        server.command("nft", "-f", "-", input=f"table {family} {table} {{\nchain bed {{\n{chain};\n{rule}\n}}\n}}\n")
    try:
        yield
    finally:
        for family in families:
            server.command("nft", "delete", "table", family, table)
