"""Hosts that are no kernel: a client that sends what it likes, and a server that answers SYNs as it likes."""

import select
import socket
import threading
import time
from collections.abc import Callable
from itertools import count

from .namespaces import Namespace
from .segments import ACK, FIN, PSH, RST, SYN, Segment, experimental, fast_open, parse

ETH_P_ALL, PACKET_OUTGOING = 3, 4
_ports = count(20000)


class Handmade:
    """A host with addresses of its own on the link between two namespaces; no kernel answers in its stead.

    It lives in `home`, whose kernel drops what is not for it (no forwarding), and is made known to `peer` by
    permanent neighbour entries. Its packets pass no cgroup hook of `home`, but those of `peer`.
    """

    def __init__(self, home: Namespace, peer: Namespace, number: int = 9, device: str = "eth0") -> None:
        self.v4 = home.v4.rpartition(".")[0] + f".{number}"
        self.v6 = home.v6.rpartition(":")[0] + f":{number}"
        self._mac, here = peer.mac(device), home.mac(device)
        self._device = device
        for address in (self.v4, self.v6):
            peer.ip("neighbour", "replace", address, "lladdr", here, "dev", device, "nud", "permanent")
        self._sock = home.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._sock.bind((device, ETH_P_ALL))

    def send(self, target: str, segment: Segment) -> None:
        """Send a segment from this host to `target`, an address of the peer."""
        six = ":" in target
        packet = segment.packet(self.v6 if six else self.v4, target)
        mac = bytes.fromhex(self._mac.replace(":", ""))
        self._sock.sendto(packet, (self._device, 0x86DD if six else 0x0800, 0, 0, mac))

    def receive(
        self, port: int | None = None, timeout_s: float = 1.0, wake: socket.socket | None = None
    ) -> Segment | None:
        """The next segment to this host (and to its `port`); None after `timeout_s`, or when `wake` is readable."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select([self._sock, wake] if wake else [self._sock], [], [], left)[0]
            if not ready or wake in ready:
                return None
            packet, address = self._sock.recvfrom(65536)
            segment = parse(packet) if address[2] != PACKET_OUTGOING else None
            if segment and segment.target in (self.v4, self.v6) and port in (None, segment.dport):
                return segment
        return None

    def close(self) -> None:
        self._sock.close()

    def syn(self, dport: int, options: bytes = b"", payload: bytes = b"", **more: object) -> Segment:
        """A SYN from a port that was not used before."""
        return Segment(next(_ports), dport, SYN, 1000, 0, options, payload, **more)

    def ask(self, target: str, segment: Segment, timeout_s: float = 1.0) -> Segment | None:
        """Send a segment and return the answer to its port."""
        self.send(target, segment)
        return self.receive(segment.sport, timeout_s)

    def reset(self, target: str, syn: Segment, answer: Segment | None) -> None:
        """End the connection that `syn` began."""
        seq = answer.ack if answer else syn.seq + 1
        self.send(target, Segment(syn.sport, syn.dport, RST, seq))

    def cookie(self, target: str, dport: int, experimentally: bool = False) -> bytes | None:
        """Ask for a cookie as a first contact does; the connection is reset."""
        syn = self.syn(dport, experimental() if experimentally else fast_open())
        answer = self.ask(target, syn)
        self.reset(target, syn, answer)
        return cookie_of(answer) if answer else None


def cookie_of(segment: Segment) -> bytes | None:
    """The cookie in either encoding; b"" is a request, None no option."""
    if (standard := segment.option(34)) is not None:
        return standard
    tried = segment.option(254)
    return tried[2:] if tried is not None and tried[:2] == b"\xf9\x89" else None


Behaviour = Callable[[Segment], list[Segment]]


def syn_ack(acked: int | None = None, options: bytes = b"") -> Behaviour:
    """Acknowledge the SYN and `acked` bytes of its data (None: all)."""

    def behave(syn: Segment) -> list[Segment]:
        data = len(syn.payload) if acked is None else min(acked, len(syn.payload))
        return [syn.reply(SYN | ACK, seq=5000, ack=(syn.seq + 1 + data) % 2**32, options=b"\x02\x04\x05\xb4" + options)]

    return behave


def reset(syn: Segment) -> list[Segment]:
    return [syn.reply(RST | ACK)]


def silent(syn: Segment) -> list[Segment]:
    return []


def then_out_of_order(flag: int) -> Behaviour:
    """Take all the data, then send a RST or FIN ahead of its place: what disables a client (blackhole protection).

    The RST counts at once; the FIN when the socket is destroyed without any data received
    (`tcp_fastopen_active_disable_ofo_check`), so the server must not finish properly: `FakeServer.finishes`.
    """

    def behave(syn: Segment) -> list[Segment]:
        (answer,) = syn_ack()(syn)
        return [answer, syn.reply(flag | ACK, seq=5011)]

    return behave


class FakeServer:
    """Answers each SYN to it by `behaviour`, each request by `answer`; keeps the SYNs that it saw.

    A FIN is answered by a FIN, or if `finishes` is False only acknowledged.
    """

    finishes = True

    def __init__(self, home: Namespace, peer: Namespace, behaviour: Behaviour, answer: bytes = b"answer") -> None:
        self.host, self.behaviour, self.syns = Handmade(home, peer, 8), behaviour, list[Segment]()
        self.v4, self.v6, self._answer = self.host.v4, self.host.v6, answer
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="fake server", daemon=True)
        self._thread.start()
        home.closing(self)

    def close(self) -> None:
        if self._thread.is_alive():
            self._wake.send(b"x")
            self._thread.join(5)
            for sock in (self._wake, self._woken, self.host):
                sock.close()

    def _serve(self) -> None:
        while not select.select([self._woken], [], [], 0)[0]:
            segment = self.host.receive(timeout_s=60, wake=self._woken)
            for answer in self._answers(segment) if segment else ():
                self.host.send(segment.source, answer)

    def _answers(self, segment: Segment) -> list[Segment]:
        if segment.flags & SYN:
            self.syns.append(segment)
            answers = self.behaviour(segment)
            taken = any(a.flags & SYN and a.ack == segment.seq + 1 + len(segment.payload) for a in answers)
            quick = [segment.reply(ACK | PSH, seq=5001, payload=self._answer)] if taken and segment.payload else []
            return answers + (quick if len(answers) == 1 else [])
        if segment.flags & RST:
            return []
        if segment.payload:
            return [segment.reply(ACK | PSH, payload=self._answer)]
        return [segment.reply(ACK | FIN if self.finishes else ACK)] if segment.flags & FIN else []
