"""What auditors say of lab hosts before and after hardening: `python -m bench.audit.scores [--write]`.

Prints docs/hardening-scores.md's generated part; `--write` puts it there.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.audit.auditors import Lynis, SshAudit, lynis, nmap, openscap, ssh_audit
from bench.audit.reasons import LYNIS_REASONS, SCAP_REASONS
from local.lab.api import Lab, LabHost

HOST, OLDER = "score1", "score2"
DOCUMENT = Path("docs/hardening-scores.md")
MADE = re.compile(r"(?<=<!-- scores -->\n).*(?=<!-- end -->)", re.S)
GUIDE: dict[str, Any] = {
    "packages": {"absent": ["exim4-daemon-light", "rpcbind"]},
    "firewall": {"preset": "web"},
    "sshd": {},
    "fail2ban": {},
    "updates": {},
    "listeners": {},
}
"""The chapters of the guide, as the guide has them."""
STRICT: dict[str, Any] = {
    **GUIDE,
    "sysctl": {},
    "timeSync": {"daemon": "chrony"},
    "sshd": {
        "algorithms": "modern",
        "maxAuthTries": 3,
        "loginGraceTime": 60,
        "x11Forwarding": False,
        "agentForwarding": False,
        "settings": {
            "AllowTcpForwarding": False,
            "ClientAliveCountMax": 2,
            "Compression": False,
            "LogLevel": "VERBOSE",
            "MaxSessions": 2,
            "TCPKeepAlive": False,
        },
    },
}
"""What `stockade init` writes, and what lynis also asks of sshd."""
SECTIONS = ("FIRE", "SSH", "AUTH", "PKGS")
"""lynis' sections on what the guide is about."""


@dataclass(frozen=True)
class Scores:
    """What three auditors say of one state of a host."""

    lynis: Lynis
    ssh: SshAudit
    ports: Mapping[str, str]


def scores(lab: Lab, host: LabHost) -> Scores:
    """Ask the auditors."""
    return Scores(lynis(host), ssh_audit(host), nmap(lab, host))


def harden(folder: Path, host: LabHost, chapters: Mapping[str, Any], sudo: str) -> None:
    """Apply chapters to a host, for an admin with this kind of sudo, in a project of its own."""
    key = str(host.key_file)
    admin = {"user": "deploy", "privateKeyFile": key}
    user = {"name": "deploy", "sudo": sudo, "keyFiles": [f"{key}.pub"]}
    if sudo == "password":
        admin["sudoPassword"] = user["password"] = "correct horse battery"  # noqa: S105 of a lab host
    entry = {
        "address": host.ipv4,
        "addresses": [host.ipv6],
        "hostKey": host.host_key,
        "bootstrap": {"user": "root", "privateKeyFile": key},
        "admin": admin,
    }
    settings = {"hosts": {host.name: entry}, "users": [user], **chapters}
    config = {"config": {f"stockade:{name}": value for name, value in settings.items()}}
    if not folder.is_dir():
        here = Path.cwd()
        for made in ("stacks", ".state"):
            (folder / made).mkdir(parents=True)
        for name in ("components", "hosts", "rules", "provider", "local", "policies", "cli", "__main__.py", ".venv"):
            (folder / name).symlink_to(here / name)
        (folder / "Pulumi.yaml").write_text((here / "Pulumi.yaml").read_text())
    (folder / "stacks" / "Pulumi.lab.yaml").write_text(yaml.safe_dump(config))
    subprocess.run([sys.executable, "-m", "cli", "up", "--stack", "lab", "--yes"], cwd=folder, check=True)


def document(states: Sequence[Scores], scap: Sequence[Mapping[str, str]]) -> str:
    """The generated part of the document. `states`: before, after the guide, after the strict settings."""
    strict = states[-1]
    return "\n".join(
        [
            "| | before | the guide | strict |",
            "|---|---|---|---|",
            *(f"| {' | '.join(map(str, row))} |" for row in _rows(states)),
            "",
            "What ssh-audit still calls doubtful:",
            "",
            *_listed(f"`{name}`: {why}" for name, why in strict.ssh.doubtful.items()),
            "",
            "What lynis still suggests about the firewall, SSH, authentication and packages, and why it stays:",
            "",
            *_listed(f"{text}: {_reason(LYNIS_REASONS, text)}" for text in _within(strict.lynis)),
            "",
            "OpenSCAP, the restrictive profile of ANSSI on Debian 11 (`ssg-debian`):",
            "",
            "| | before | strict |",
            "|---|---|---|",
            *(f"| {what} | {' | '.join(_counted(one, what) for one in scap)} |" for what in ("pass", "fail")),
            "",
            "The rules that fail with the strict settings, and why:",
            "",
            *_listed(_failing(scap[-1])),
            "",
            "The strict settings (the admin has `sudo: password`):",
            "",
            *(f"    {line}" for line in _yaml(STRICT)),
            "",
        ]
    )


def _rows(states: Sequence[Scores]) -> list[tuple[object, ...]]:
    def row(what: str, *cells: object) -> tuple[object, ...]:
        return what, *cells

    ports = sorted(states[0].ports)
    about = "lynis: suggestions about firewall, SSH, authentication, packages"
    return [
        row("ssh-audit: insecure algorithms", *(len(each.ssh.insecure) for each in states)),
        row("ssh-audit: doubtful algorithms", *(len(each.ssh.doubtful) for each in states)),
        row("lynis: hardening index (of 100)", *(each.lynis.index for each in states)),
        row("lynis: warnings", *(len(each.lynis.warnings) for each in states)),
        row("lynis: suggestions", *(len(each.lynis.suggestions) for each in states)),
        row(about, *(len(_within(each.lynis)) for each in states)),
        row("lynis: a firewall with rules", *("yes" if each.lynis.firewall else "no" for each in states)),
        *(row(f"nmap: open {name}", *(each.ports[name] for each in states)) for name in ports),
    ]  # fmt: skip


def _within(found: Lynis) -> list[str]:
    return [text for text in (*found.warnings, *found.suggestions) if text.startswith(SECTIONS)]


def _reason(reasons: Mapping[str, str], text: str) -> str:
    """The reason for a finding. Raises LookupError if there is none: then it must be mended, or given one."""
    found = [why for start, why in reasons.items() if text.startswith(start)]
    if not found:
        raise LookupError(f"bench/audit/reasons.py has no reason for: {text}")
    return found[0]


def _failing(scap: Mapping[str, str]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for rule in sorted(rule for rule, result in scap.items() if result == "fail"):
        by_reason.setdefault(_reason(SCAP_REASONS, rule), []).append(f"`{rule}`")
    return [f"{', '.join(rules)}: {why}" for why, rules in by_reason.items()]


def _counted(scap: Mapping[str, str], result: str) -> str:
    return str(sum(one == result for one in scap.values()))


def _listed(lines: Any) -> list[str]:
    return [f"- {line}" for line in lines] or ["- nothing"]


def _yaml(chapters: Mapping[str, Any]) -> list[str]:
    named = {f"stockade:{name}": value for name, value in chapters.items()}
    return yaml.safe_dump(named, sort_keys=False, default_flow_style=None, width=100).splitlines()


def main() -> None:
    """Measure on hosts of their own."""
    lab = Lab()
    lab.down([HOST, OLDER])
    with tempfile.TemporaryDirectory() as folder:
        try:
            (host,), (older,) = lab.up([HOST], "fresh"), lab.up([OLDER], "debian-11")
            states = [scores(lab, host)]
            for chapters, sudo in ((GUIDE, "nopasswd"), (STRICT, "password")):
                harden(Path(folder) / "one", host, chapters, sudo)
                states.append(scores(lab, host))
            scap = [openscap(older)]
            harden(Path(folder) / "older", older, STRICT, "password")
            scap.append(openscap(older))
        finally:
            lab.down([HOST, OLDER])
    text = document(states, scap)
    sys.stdout.write(text)
    if "--write" in sys.argv:
        there = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(MADE.sub(lambda _: text, there), encoding="utf-8")


if __name__ == "__main__":
    main()
