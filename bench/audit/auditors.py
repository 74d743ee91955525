"""Auditors that are not ours, run against a lab host: lynis, ssh-audit, OpenSCAP and nmap.

The last two are this machine's own: `make scores` installs openscap-scanner, ssg-debian and nmap.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from local.lab.api import Lab, LabHost

_LYNIS = (
    "export DEBIAN_FRONTEND=noninteractive; apt-get install -qy --no-install-recommends lynis </dev/null >/dev/null;"
    "lynis audit system --quick --no-colors --quiet >/dev/null 2>&1; cat /var/log/lynis-report.dat;"
    "rm -f /var/log/lynis*; apt-get purge -qy --autoremove lynis </dev/null >/dev/null"
)
_CONTENT = Path("/usr/share/xml/scap/ssg/content/ssg-debian11-ds.xml")
_PROFILE = "xccdf_org.ssgproject.content_profile_anssi_np_nt28_restrictive"
_RULE = "xccdf_org.ssgproject.content_rule_"
_UDP = "53,67,68,69,111,123,137,161,500,514,546,631,1900,5353"


@dataclass(frozen=True)
class Lynis:
    """`index`: 0 to 100. `warnings`, `suggestions`: what lynis reports, as `TEST text (detail)`."""

    index: int
    warnings: tuple[str, ...]
    suggestions: tuple[str, ...]
    firewall: bool


@dataclass(frozen=True)
class SshAudit:
    """Algorithms that ssh-audit calls insecure or doubtful, with its reasons."""

    insecure: dict[str, str]
    doubtful: dict[str, str]


def lynis(host: LabHost) -> Lynis:
    """Run lynis on the host; it is installed for that, and removed again."""
    report = host.exec(_LYNIS, limit=1800).stdout
    (index,) = re.findall(r"^hardening_index=(\d+)$", report, re.M)
    return Lynis(
        int(index),
        _reported(report, "warning"),
        _reported(report, "suggestion"),
        "firewall_active=1" in report and "firewall_empty_ruleset=1" not in report,
    )


def _reported(report: str, kind: str) -> tuple[str, ...]:
    rows = (line.split("|") for line in re.findall(rf"^{kind}\[\]=(.*)$", report, re.M))
    return tuple(f"{test} {text}{f' ({detail})' if detail not in ('', '-') else ''}" for test, text, detail, *_ in rows)


def ssh_audit(host: LabHost) -> SshAudit:
    """Run ssh-audit against the host's sshd."""
    argv = [str(Path(sys.executable).with_name("ssh-audit")), "-j", "--skip-rate-test", host.ipv4]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    report = json.loads(done.stdout)
    found = [one for kind in ("kex", "key", "enc", "mac") for one in report[kind]]
    insecure, doubtful = (
        {one["algorithm"]: "; ".join(one["notes"][grade]) for one in found if one["notes"].get(grade)}
        for grade in ("fail", "warn")
    )
    return SshAudit(insecure, {name: why for name, why in doubtful.items() if name not in insecure})


def openscap(host: LabHost) -> dict[str, str]:
    """Judge a Debian 11 host by the restrictive profile of ANSSI: result by rule, without those not selected."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        argv = ["oscap", "xccdf", "eval", "--profile", _PROFILE, "--results", str(results), str(_CONTENT)]
        root = {"OSCAP_PROBE_ROOT": f"/proc/{host.status().init_pid}/root"}
        subprocess.run(argv, env={**os.environ, **root}, capture_output=True, timeout=600, check=False)
        found = {}
        for rule in ElementTree.parse(results).iter():  # noqa: S314 the scanner wrote it just now
            if rule.tag.endswith("}rule-result"):
                (result,) = (child.text or "" for child in rule if child.tag.endswith("}result"))
                found[rule.attrib["idref"].removeprefix(_RULE)] = result
    return {rule: result for rule, result in found.items() if result not in ("notselected", "notapplicable")}


def nmap(lab: Lab, host: LabHost) -> dict[str, str]:
    """Scan the host from another machine on its network: open ports by protocol and family."""
    found = {}
    for family, address in (("-4", host.ipv4), ("-6", host.ipv6)):
        for protocol, how in (("tcp", ["-sS", "-p-"]), ("udp", ["-sU", "-p", _UDP])):
            argv = ["nmap", family, "-Pn", "-n", "-T4", "--min-rate", "2000", *how, "-oG", "-", address]
            shown = lab.outside(argv, limit=600).stdout
            ports = re.findall(rf"(\d+)/open/{protocol}", shown)
            found[f"{protocol} over IPv{family[1]}"] = ", ".join(ports) or "none"
    return found
