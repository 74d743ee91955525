"""What a checkout is like, whoever makes it."""

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_git_for_windows_converts_no_line_end(tmp_path: Path) -> None:
    """What it checks out runs in WSL: a script with CRLF does not."""
    files = ("provider/pulumi-resource-pulumi-python", "Makefile", "stacks/Pulumi.staging.yaml")
    git = ["git", "-c", "core.autocrlf=true", "-C", str(REPOSITORY)]
    index = ["--work-tree", str(tmp_path)]
    subprocess.run([*git, *index, "checkout-index", "--force", f"--prefix={tmp_path}/", *files], check=True)
    for file in files:
        assert b"\r" not in (tmp_path / file).read_bytes()
