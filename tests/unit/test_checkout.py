"""Properties of a checkout on any machine."""

import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_git_for_windows_converts_no_line_end(tmp_path: Path) -> None:
    """Its checkouts are used in WSL, in which a script with CRLF fails."""
    files = ("provider/pulumi-resource-pulumi-python", "Makefile", "stacks/Pulumi.staging.yaml")
    git = ["git", "-c", "core.autocrlf=true", "-C", str(REPOSITORY)]
    index = ["--work-tree", str(tmp_path)]
    subprocess.run([*git, *index, "checkout-index", "--force", f"--prefix={tmp_path}/", *files], check=True)
    for file in files:
        assert b"\r" not in (tmp_path / file).read_bytes()


def test_no_two_files_of_lab_tests_share_a_host() -> None:
    """They run in parallel."""
    users: dict[str, set[str]] = {}
    for file in (REPOSITORY / "tests/lab").rglob("test_*.py"):
        for name in re.findall(r'bring_up\("([a-z0-9-]+)"', file.read_text()):
            users.setdefault(name, set()).add(file.name)
    assert len(users) > 25
    assert {name: files for name, files in users.items() if len(files) > 1} == {}
