"""Network address translation by nft rules inside one namespace."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from .namespaces import Namespace

PRIORITIES = {"prerouting": -100, "output": -100, "postrouting": 100}  # NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC

_tables = itertools.count(1)


@contextmanager
def translating(namespace: Namespace, hook: str, rule: str) -> Iterator[None]:
    """A rule of a nat chain at a hook of netfilter, for the length of a block.

    >>> with translating(bed.server, "prerouting", "tcp dport 81 redirect to :8080"):
    ...     exchange(...)
    """
    table = f"nat{next(_tables)}"
    chain = f"type nat hook {hook} priority {PRIORITIES[hook]}; policy accept"
    namespace.command("nft", "-f", "-", input=f"table inet {table} {{\nchain bed {{\n{chain};\n{rule}\n}}\n}}\n")
    try:
        yield
    finally:
        namespace.command("nft", "delete", "table", "inet", table)
