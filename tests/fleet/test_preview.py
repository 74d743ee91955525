"""`.ci/preview`, which writes the comment of a pull request, and `.ci/key`, which takes the key of a job."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from fleet.report import LIMIT
from tests.lab.stack import REPOSITORY, Result, Stack
from tests.policies.test_engines import HARDENED

from .conftest import ENGINES

OPENED = {"services": [{"name": "app", "ports": [8443]}]}


def _commented(stack: Stack) -> tuple[Result, str]:
    done = subprocess.run(
        [stack.folder / ".ci" / "preview", "test", "comment.md"],
        env={**os.environ, "PULUMI_CONFIG_PASSPHRASE": "test", **stack.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(done.returncode, done.stdout + done.stderr), (stack.folder / "comment.md").read_text()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_comment_says_what_matters_first_and_an_error_alone(tmp_path: Path, engine: str) -> None:
    stack = Stack(tmp_path / "project", environment={"STOCKADE_ENGINE": engine})
    for entry in (".ci", "policies"):
        (stack.folder / entry).symlink_to(REPOSITORY / entry)
    (stack.folder / "Makefile").write_text(".venv/ready:\n")
    hosts = {f"web{number}": {"address": f"198.51.100.{number}"} for number in range(1, 41)}
    stack.configure(**{**HARDENED, "hosts": hosts, "firewall": OPENED})
    shown, comment = _commented(stack)
    assert shown.status == 1, shown.output
    assert len(comment) <= LIMIT < len(shown.output)
    assert comment.startswith("<!-- stockade preview of test -->\n### test: **the preview failed**\n")
    assert "1 failed; " in comment[:200]
    assert "40 hosts: exposure-allowed: tcp/8443 from anywhere can be reached and must not be." in comment[:1000]
    assert "not shown here line by line: " in comment

    stack.configure(**{**HARDENED, "firewal": {}})
    shown, comment = _commented(stack)
    assert shown.status == 1
    assert "stockade:firewal: no setting has this name" in comment
    assert "delete" not in comment
    assert len(comment) < 1000

    stack.configure(**HARDENED)
    shown, comment = _commented(stack)
    assert shown.status == 0, shown.output
    assert comment.startswith("<!-- stockade preview of test -->\n### test: preview\n\n1 stack: 1 done; ")
    assert "every mandatory policy is kept" in comment
    assert "\n+    pulumi-python:dynamic/stockade:Sshd: (create)\n" in comment.replace("+        ", "+    ")


@pytest.mark.parametrize("as_file", [True, False], ids=["a file, as on GitLab", "text, as on GitHub"])
@pytest.mark.parametrize("end", ["\n", "", "\r\n"], ids=["LF", "none", "CRLF"])
def test_a_jobs_key_is_put_where_ssh_looks(tmp_path: Path, as_file: bool, end: str) -> None:
    made = tmp_path / "made"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", made], check=True)
    text = made.read_text().rstrip("\n")
    text = (text.replace("\n", "\r\n") if end == "\r\n" else text) + end
    given = tmp_path / "given"
    given.write_text(text, newline="")
    environment = {**os.environ, "HOME": str(tmp_path), "SSH_PRIVATE_KEY": str(given) if as_file else text}
    done = subprocess.run([REPOSITORY / ".ci/key"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    key = tmp_path / ".ssh" / "id_ed25519"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout
    assert public.split()[:2] == made.with_suffix(".pub").read_text().split()[:2]


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "SSH_PRIVATE_KEY": "[MASKED]"}
    done = subprocess.run([REPOSITORY / ".ci/key"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: SSH_PRIVATE_KEY is no private key without a passphrase")
    assert not (tmp_path / ".ssh" / "id_ed25519").exists()
