"""Probes a host from the network, with real packets from another network namespace."""

import json
import re
import sys
from collections.abc import Iterable

from local.lab.api import Lab, LabHost

_PROBE = """
import json, socket, sys
answers = {}
for address in sys.argv[1].split(","):
    for port in map(int, sys.argv[2].split(",")):
        probe = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        probe.settimeout(3)
        try:
            probe.connect((address, port))
            answers[f"{address} {port}"] = "open"
        except ConnectionRefusedError:
            answers[f"{address} {port}"] = "refused"
        except TimeoutError:
            answers[f"{address} {port}"] = "silent"
        except OSError as error:
            answers[f"{address} {port}"] = error.strerror
        finally:
            probe.close()
print(json.dumps(answers))
"""


def probe_ports(lab: Lab, host: LabHost, ports: Iterable[int]) -> dict[str, dict[int, str]]:
    """Try TCP connections over both families: `{"ipv4": {22: "open", ...}, "ipv6": {...}}`."""
    text = ",".join(str(port) for port in ports)
    done = lab.outside([sys.executable, "-c", _PROBE, f"{host.ipv4},{host.ipv6}", text])
    answers: dict[str, dict[int, str]] = {"ipv4": {}, "ipv6": {}}
    for key, verdict in json.loads(done.stdout).items():
        address, port = key.split()
        answers["ipv6" if ":" in address else "ipv4"][int(port)] = verdict
    return answers


_PING = """
import os, socket, struct, sys
echo, reply, family, protocol = (
    (128, 129, socket.AF_INET6, socket.IPPROTO_ICMPV6) if ":" in sys.argv[1]
    else (8, 0, socket.AF_INET, socket.IPPROTO_ICMP)
)
probe = socket.socket(family, socket.SOCK_RAW, protocol)
probe.settimeout(3)
probe.connect((sys.argv[1], 0))
mark = os.urandom(8)
packet = struct.pack("!BBHHH", echo, 0, 0, 1, 1) + mark
total = sum(struct.unpack("!8H", packet))  # RFC 1071; for ICMPv6 the kernel does it
total = (total >> 16) + (total & 0xFFFF)
total += total >> 16
probe.send(packet[:2] + struct.pack("!H", ~total & 0xFFFF) + packet[4:])
for _ in range(100):
    answer = probe.recv(1500)
    body = answer if ":" in sys.argv[1] else answer[(answer[0] & 15) * 4 :]
    if body[0] == reply and body.endswith(mark):
        sys.exit(0)
sys.exit(1)
"""


def pings(lab: Lab, host: LabHost) -> dict[str, bool]:
    """Tell whether the host answers echo requests, by family."""
    addresses = {"ipv4": host.ipv4, "ipv6": host.ipv6}
    return {
        family: lab.outside([sys.executable, "-c", _PING, address], check=False).returncode == 0
        for family, address in addresses.items()
    }


def listen(host: LabHost, *ports: int) -> None:
    """Accept connections on `ports` of the host, over both families, until it is shut down."""
    for port in ports:
        for family in (4, 6):
            host.exec(["systemd-run", "-q", f"--unit=listen{family}-{port}", "nc", f"-{family}", "-lk", str(port)])
    wanted = " ".join(str(port) for port in ports)
    host.exec(
        f"for i in $(seq 50); do ready=1; for p in {wanted}; do "
        'for f in 4 6; do ss -ltn$f "sport = :$p" | grep -q LISTEN || ready=; done; done; '
        '[ -z "$ready" ] || exit 0; sleep 0.1; done; exit 1'
    )


TCP_PORTS = "1-1024,2222,8080,8443"
UDP_PORTS = "53,67-69,111,123,137,161,500,514,631,1900,5353"
_STATE = re.compile(r"(?P<port>\d+)/open/(?P<protocol>tcp|udp)/")
# By default a host sends at most one "unreachable" per second, which is too slow for a test.
_HURRY = "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit"


def scan(scanner: LabHost, host: LabHost) -> dict[str, dict[str, set[int]]]:
    """The ports that nmap on the host `scanner` finds open, by family and protocol."""
    host.exec(_HURRY)
    found: dict[str, dict[str, set[int]]] = {}
    for family, options, address in (("ipv4", [], host.ipv4), ("ipv6", ["-6"], host.ipv6)):
        ports = f"T:{TCP_PORTS},U:{UDP_PORTS}"
        argv = ["nmap", *options, "-n", "-Pn", "-T4", "-sS", "-sU", "-p", ports, "-oG", "-", address]
        told = scanner.exec(argv).stdout
        assert "Nmap done" in told, told
        opened = [(match["protocol"], int(match["port"])) for match in _STATE.finditer(told)]
        found[family] = {name: {port for protocol, port in opened if protocol == name} for name in ("tcp", "udp")}
    return found
