"""The scores of ssh-audit and lynis for a lab host before and after the guide: `python -m bench.scores [--write]`.

Prints a table in Markdown; `--write` puts it into docs/hardening-scores.md.
"""

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from local.lab.api import Lab, LabHost

NAME = "score1"
DOCUMENT = Path("docs/hardening-scores.md")
TABLE = re.compile(r"(?<=<!-- scores -->\n).*(?=<!-- end -->)", re.S)
LYNIS = (
    "export DEBIAN_FRONTEND=noninteractive; apt-get install -qy --no-install-recommends lynis </dev/null >/dev/null;"
    "lynis audit system --quick --no-colors --quiet >/dev/null 2>&1; cat /var/log/lynis-report.dat;"
    "rm -f /var/log/lynis*; apt-get purge -qy --autoremove lynis </dev/null >/dev/null"
)


@dataclass(frozen=True)
class Scores:
    """`index`: lynis' hardening index, 0 to 100. `warnings`, `suggestions`: the number of each in lynis.

    `firewall`: whether lynis sees one with rules. `failed`, `warned`: algorithms that ssh-audit calls insecure, or
    doubtful, by kind.
    """

    index: int
    warnings: int
    suggestions: int
    firewall: bool
    failed: dict[str, list[str]]
    warned: dict[str, list[str]]


def scores(host: LabHost) -> Scores:
    """Run both tools."""
    report = host.exec(LYNIS, limit=1800).stdout
    (index,) = re.findall(r"^hardening_index=(\d+)$", report, re.M)
    argv = [str(Path(sys.executable).with_name("ssh-audit")), "-j", "--skip-rate-test", host.ipv4]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    audit = json.loads(told.stdout)
    return Scores(
        index=int(index),
        warnings=len(re.findall(r"^warning\[\]=", report, re.M)),
        suggestions=len(re.findall(r"^suggestion\[\]=", report, re.M)),
        firewall="firewall_active=1" in report and "firewall_empty_ruleset=1" not in report,
        failed=_rated(audit, "fail"),
        warned=_rated(audit, "warn"),
    )


def _rated(audit: dict[str, list[dict[str, dict[str, list[str]]]]], grade: str) -> dict[str, list[str]]:
    kinds = ("kex", "key", "enc", "mac")
    rated = {
        kind: [str(one["algorithm"]) for one in audit.get(kind, []) if one.get("notes", {}).get(grade)]
        for kind in kinds
    }
    return {kind: names for kind, names in rated.items() if names}


def harden(host: LabHost) -> None:
    """Apply the guide, with the lab's own stack config."""
    config = yaml.safe_load(Path("stacks/Pulumi.lab.yaml").read_text(encoding="utf-8"))
    entries = config["config"]["stockade:hosts"]
    settings = {**entries.pop("web1"), "address": host.ipv4, "addresses": [host.ipv6]}
    entries[host.name] = settings
    with tempfile.TemporaryDirectory() as folder:
        here = Path.cwd()
        for entry in ("components", "hosts", "rules", "provider", "local", "policies", "__main__.py", ".venv", ".lab"):
            (Path(folder) / entry).symlink_to(here / entry)
        (Path(folder) / "Pulumi.yaml").write_text((here / "Pulumi.yaml").read_text())
        (Path(folder) / "stacks").mkdir()
        (Path(folder) / ".state").mkdir()
        (Path(folder) / "stacks" / "Pulumi.lab.yaml").write_text(yaml.safe_dump(config))
        subprocess.run([sys.executable, "-m", "local", "up", "--stack", "lab", "--yes"], cwd=folder, check=True)


def table(before: Scores, after: Scores) -> str:
    """The scores before and after, side by side."""
    rows = [
        ("lynis: hardening index (of 100)", before.index, after.index),
        ("lynis: warnings", before.warnings, after.warnings),
        ("lynis: suggestions", before.suggestions, after.suggestions),
        ("lynis: a firewall with rules", *("yes" if each.firewall else "no" for each in (before, after))),
        ("ssh-audit: insecure algorithms", *(_count(each.failed) for each in (before, after))),
        ("ssh-audit: doubtful algorithms", *(_count(each.warned) for each in (before, after))),
    ]
    lines = ["| | before | after |", "|---|---|---|", *(f"| {what} | {then} | {now} |" for what, then, now in rows)]
    left = [f"- {kind}: {', '.join(names)}" for kind, names in after.failed.items()]
    return "\n".join([*lines, "", "What ssh-audit still calls insecure:", "", *(left or ["- nothing"])]) + "\n"


def _count(names: dict[str, list[str]]) -> int:
    return sum(len(each) for each in names.values())


def main() -> None:
    """Measure on a separate host."""
    lab = Lab()
    (host,) = lab.up([NAME], "fresh")
    host.reset()
    try:
        before = scores(host)
        harden(host)
        text = table(before, scores(host))
    finally:
        lab.down([NAME])
    sys.stdout.write(text)
    if "--write" in sys.argv:
        document = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(TABLE.sub(lambda _: text, document), encoding="utf-8")


if __name__ == "__main__":
    main()
