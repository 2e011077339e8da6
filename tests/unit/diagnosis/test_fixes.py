"""What mends a finding: the command, where it runs, and what it leaves as it was."""

import pytest
from msgspec.structs import replace

from tests.scenarios import doctor
from tests.scenarios.build import listener
from tests.unit.diagnosis.asking import change, found


@pytest.mark.parametrize("mode", [0, 1, 0x401, 0x605])
def test_the_other_bits_are_kept(mode: int) -> None:
    (finding,) = change("server_bit_off", sysctls=doctor.sysctls(mode))
    assert finding.fix is not None
    assert finding.fix.command == f"sysctl -w net.ipv4.tcp_fastopen={mode | 2}"
    assert finding.fix.undo == f"sysctl -w net.ipv4.tcp_fastopen={mode}"
    assert finding.fix.lasting is not None
    assert finding.fix.lasting.startswith(f"/etc/sysctl.d/90-tcp-fastopen.conf: net.ipv4.tcp_fastopen = {mode | 2}")


@pytest.mark.parametrize(
    ("name", "pid", "prefix"),
    [
        ("web", 321, "ip netns exec web "),
        (None, 321, "nsenter -t 321 -n "),
        ("-x; rm", 321, "nsenter -t 321 -n "),
        ("a b$(id)", None, "nsenter --net='/run/netns/a b$(id)' "),
        ("it's", None, """nsenter --net='/run/netns/it'"'"'s' """),
        (None, None, None),
    ],
)
def test_the_command_runs_in_the_namespace(name: str | None, pid: int | None, prefix: str | None) -> None:
    first, last = doctor.load("server_bit_off_in_web")
    mine, web = last.namespaces
    (finding,) = found(first, replace(last, namespaces=(mine, replace(web, name=name, pid=pid))))
    assert finding.fix is not None
    assert finding.fix.command == (prefix and f"{prefix}sysctl -w net.ipv4.tcp_fastopen=2")
    assert prefix or finding.fix.text


def test_a_backend_that_cannot() -> None:
    first, last = doctor.load("proxy_leg")
    assert last.sensor is not None
    nginx = tuple(replace(p, process=doctor.NGINX) for p in last.sensor.peers)
    (finding,) = found(first, replace(last, sensor=replace(last.sensor, peers=nginx)))
    assert finding.fix is not None
    assert finding.fix.config == "nginx cannot connect with Fast Open"


def test_two_listeners_of_one_port_both_get_a_queue() -> None:
    both = (listener(max_qlen=0), listener(address="0.0.0.0", cookie=78, max_qlen=0))
    (finding,) = change("no_queue", listeners=both)
    assert finding.fix is not None
    assert [queue.cookie for queue in finding.fix.queues] == [77, 78]
    assert finding.port == 443


def test_which_of_several_listeners_is_a_candidate() -> None:
    (finding,) = found(*doctor.load("no_queue_which"))
    assert finding.candidates == ("port 443 of nginx[812]", "port 80 of nginx[812]")
    assert "eBPF" in (finding.check or "")
    assert finding.fix is not None
    assert finding.fix.queues == ()
