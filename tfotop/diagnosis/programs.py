"""How the programs that do Fast Open are told to: their own directives, by the name of the process.

From their manuals and sources: nginx (ngx_http_core_module, ``listen``), HAProxy (``bind`` and ``server``, ``tfo``; the
queue is the backlog, src/proto_tcp.c), Apache Traffic Server (records, ``sock_option_flag_in``, bit 8), Knot DNS
(``server.tcp-fastopen``), PowerDNS and dnsdist, Envoy, Varnish (parameter ``tcp_fastopen``), h2o, MongoDB. Unbound, NSD
and BIND decide when they are built; systemd-resolved always asks (src/resolve, TCP_FASTOPEN 5).
"""

from typing import Final, NamedTuple

from tfotop.sample import Listener, Process

QUEUE: Final = 256


class Program(NamedTuple):
    """``server`` and ``client``: the configuration, ``{address}``, ``{port}`` and ``{queue}`` to be filled in.

    ``apply``: the command after it. ``by_itself``: it asks for a queue although nobody configured that.
    """

    names: tuple[str, ...]
    server: str | None
    client: str | None
    apply: str | None
    by_itself: bool = False


PROGRAMS: Final = (
    Program(
        ("nginx",),
        "nginx.conf, in the server block: listen {address}:{port} fastopen={queue};",
        None,  # its upstream connections cannot
        "systemctl restart nginx",
    ),
    Program(
        ("haproxy",),
        "haproxy.cfg, in the frontend: bind {address}:{port} tfo backlog {queue}",
        "haproxy.cfg, in the backend: server NAME ADDRESS:PORT tfo"
        "  (with: retry-on conn-failure empty-response response-timeout)",
        "systemctl restart haproxy",
    ),
    Program(
        ("traffic_server", "[TS_MAIN]"),
        "records.config: CONFIG proxy.config.net.sock_option_flag_in INT 9"
        "  (the old value | 8), CONFIG proxy.config.net.sock_option_tfo_queue_size_in INT {queue}",
        "records.config: CONFIG proxy.config.net.sock_option_flag_out INT 9  (the old value | 8)",
        "traffic_ctl server restart",
    ),
    Program(
        ("unbound",),
        "unbound: no directive; build it with ./configure --enable-tfo-server (its queue is 5)",
        "unbound: no directive; build it with ./configure --enable-tfo-client",
        "systemctl restart unbound",
        by_itself=True,
    ),
    Program(
        ("nsd",),
        "nsd: no directive; build it with ./configure --enable-tcp-fastopen",
        None,
        "systemctl restart nsd",
        by_itself=True,
    ),
    Program(("knotd",), "knot.conf, in server: tcp-fastopen: on", None, "systemctl restart knot"),
    Program(
        ("named",),
        "named.conf has no directive; build BIND with ./configure --enable-tcp-fastopen",
        None,
        "systemctl restart named",
        by_itself=True,
    ),
    Program(
        ("systemd-resolve", "systemd-resolved"),
        "resolved.conf has no directive: it always asks for a queue of 5; only the sysctl decides",
        "resolved.conf: DNSOverTLS=yes  (its DNS over TLS always uses Fast Open)",
        "systemctl restart systemd-resolved",
        by_itself=True,
    ),
    Program(("systemd",), "in the .socket unit, [Socket]: FastOpen=true", None, "systemctl restart NAME.socket"),
    Program(("pdns_server",), "pdns.conf: tcp-fast-open={queue}", None, "systemctl restart pdns"),
    Program(
        ("pdns_recursor", "pdns-recursor"),
        "recursor.conf: tcp-fast-open={queue}  (YAML: incoming.tcp_fast_open: {queue})",
        "recursor.conf: tcp-fast-open-connect=yes  (YAML: outgoing.tcp_fast_open_connect: true)",
        "systemctl restart pdns-recursor",
    ),
    Program(
        ("dnsdist",),
        'dnsdist.conf: addLocal("{address}:{port}", {{tcpFastOpenQueueSize={queue}}})',
        'dnsdist.conf: newServer({{address="ADDRESS", tcpFastOpen=true}})',
        "systemctl restart dnsdist",
    ),
    Program(("envoy",), "in the listener: tcp_fast_open_queue_length: {queue}", None, None),
    Program(("varnishd",), "on the command line of varnishd: -p tcp_fastopen=on", None, "systemctl restart varnish"),
    Program(("h2o",), "h2o.conf, at the top level: tcp-fastopen: {queue}", None, "systemctl restart h2o", True),
    Program(
        ("mongod", "mongos"),
        "mongod.conf: setParameter: {{tcpFastOpenServer: true, tcpFastOpenQueueSize: {queue}}}",
        "mongod.conf: setParameter: {{tcpFastOpenClient: true}}",
        "systemctl restart mongod",
    ),
    Program(("curl",), None, "curl --tcp-fastopen  (libcurl: CURLOPT_TCP_FASTOPEN)", None),
    Program(("httping",), None, "httping -F", None),
)
BY_NAME: Final = {name: program for program in PROGRAMS for name in program.names}
ANY_SERVER: Final = "in the program, before listen(): setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue)"
ANY_CLIENT: Final = (
    "in the program, before connect(): setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one)"
    "  (for requests that may be repeated)"
)


def program(process: Process | None) -> Program | None:
    """What is known of a process's program; an early master of HAProxy or nginx has the same name as its workers."""
    return BY_NAME.get(process.comm) if process else None


def asked(listener: Listener) -> bool:
    """Whether somebody configured a Fast Open queue here: programs that always ask say nothing of what is wanted."""
    known = program(listener.process)
    return bool(listener.max_qlen) and not (known and known.by_itself)


def server_config(listener: Listener, queue: int = QUEUE) -> str:
    """The configuration that gives this listener a queue."""
    known = program(listener.process)
    if known is None or known.server is None:
        return ANY_SERVER
    address = f"[{listener.address}]" if ":" in listener.address else listener.address
    return known.server.format(address=address, port=listener.port, queue=queue)


def client_config(process: Process | None) -> str:
    """The configuration that makes this program connect with Fast Open."""
    known = program(process)
    if known is not None and known.client is None:
        return f"{known.names[0]} cannot connect with Fast Open"
    return known.client.format() if known and known.client else ANY_CLIENT


def restart(listener: Listener) -> str | None:
    """The command that makes its program listen anew."""
    known = program(listener.process)
    return known.apply if known else None
