"""Connections as fast as this machine makes them, on the loopback of a namespace of their own.

Each is one exchange: the request goes with the SYN where Fast Open lets it, the server answers and closes. Client and
server stand in one namespace, so tfotop sees two handshakes for each connection, one in either role.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from tests.kernel.bed import Namespace, listen, port_of, until
from tests.kernel.bed.namespaces import end
from tests.kernel.bed.traffic import MSG_FASTOPEN

from .running import cpu_s

SERVERS, CLIENTS = 2, 4
PEERS_MANY = 10_000
Mode = Literal["accepted", "plain"]

# Plain calls on descriptors: the interpreter's socket class would cost more than the kernel's handshake.
SERVER = """
import _socket, os, sys
listener = _socket.socket(fileno=int(sys.argv[1]))
accept, read, write, close = listener._accept, os.read, os.write, os.close
while True:
    fd, _ = accept()
    try:
        read(fd, 512)
        write(fd, b"answer")
    except OSError:
        pass
    close(fd)
"""
# The client waits 0.1 s at most. On loopback an answer from another CPU may overtake the SYN-ACK: the client, still in
# SYN_SENT, drops it, and the server sends it again only after 3 s. (A timeout of Python's would not wait in connect.)
CLIENT = f"""
import _socket, struct, sys, time
number, port, fast, peers, per_s = map(int, sys.argv[1:])
patience = struct.pack("ll", 0, 100_000)
due = time.monotonic()
while True:
    number += 1
    if per_s:
        due += 1 / per_s
        ahead = due - time.monotonic()
        if ahead > 0.001:
            time.sleep(ahead)
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, patience)
    try:
        if peers:
            n = number * 7919 % peers
            sock.setsockopt(_socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            sock.bind((f"127.{{1 + n // 62500}}.{{n // 250 % 250}}.{{n % 250 + 1}}", 0))
        server = f"127.0.0.{{1 + number % 16}}", port
        if fast:
            sock.sendto(b"request", {MSG_FASTOPEN}, server)
        else:
            sock.connect(server)
            sock.send(b"request")
        sock.recv(64)
    except OSError:
        pass
    sock.close()
"""


class Pace(NamedTuple):
    """Connections per second, and the CPU time that client and server together spend on each, kernel included.

    The work of a loopback packet is done in the time of who sends it, so the second tells what an eBPF program costs
    also where others use the machine.
    """

    per_s: float
    cpu_us: float


class Load:
    """A namespace with one listener, and processes that connect to it while ``on`` lasts."""

    def __init__(self) -> None:
        self.namespace = Namespace("bench")
        self._pids: list[int] = []
        try:
            self.namespace.sysctl("net.ipv4.tcp_fastopen", 3)
            self.namespace.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
            self.namespace.sysctl("net.ipv4.tcp_max_tw_buckets", 20_000)  # or they would be a million
            self._listener = listen(self.namespace, qlen=1024, backlog=1024)
        except BaseException:
            self.namespace.close()
            raise

    @contextmanager
    def on(self, mode: Mode = "accepted", peers: int = 0, per_s: int = 0) -> Iterator[None]:
        """Load for the length of a block, full or ``per_s`` connections a second.

        ``peers``: so many client addresses in turn; 0 is one for a server.
        """
        fd, port = self._listener.fileno(), port_of(self._listener)
        server = python(SERVER, fd)
        arguments = port, int(mode == "accepted"), peers, per_s // CLIENTS
        clients = [python(CLIENT, n * 1_000_003, *arguments) for n in range(CLIENTS)]
        started = []
        try:
            for argv in [server] * SERVERS + clients:
                started.append(self.namespace.popen(argv, pass_fds=[fd]))  # noqa: PERF401, all so far must be ended
            self._pids = [process.pid for process in started]
            before = self.connections()
            until(lambda: self.connections() > before + 1000, 20, "1000 connections")
            yield
        finally:
            for process in started:
                process.kill()
                end(process)

    def connections(self) -> int:
        """Connections accepted so far in the namespace, by the kernel's count (Tcp: PassiveOpens)."""
        names, values = (line.split() for line in self._snmp() if line.startswith("Tcp:"))
        return int(values[names.index("PassiveOpens")])

    def pace(self, seconds: float) -> Pace:
        """How it goes over the next ``seconds``."""
        before, used, started = self.connections(), self._cpu_s(), time.monotonic()
        time.sleep(seconds)
        made, spent = self.connections() - before, self._cpu_s() - used
        return Pace(made / (time.monotonic() - started), 1e6 * spent / max(made, 1))

    def _cpu_s(self) -> float:
        return sum(cpu_s(pid) for pid in self._pids)

    def close(self) -> None:
        self.namespace.close()

    def _snmp(self) -> list[str]:
        def read() -> list[str]:
            with open("/proc/thread-self/net/snmp") as file:
                return file.read().splitlines()

        return self.namespace.run(read)


def python(source: str, *arguments: object) -> list[str]:
    """The command that runs a small script as fast as this interpreter starts."""
    return [sys.executable, "-I", "-S", "-c", source, *map(str, arguments)]
