"""`.ci/preview`, which writes the comment on a pull request, and `.ci/key`, which receives the key of a job."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from fleet.report import LIMIT
from tests.lab.stack import REPOSITORY, Result, Secret, Stack
from tests.policies.cases import ED25519
from tests.policies.test_engines import HARDENED

from .conftest import ENGINES
from .test_comment import OURS, outside

OPENED = {"services": [{"name": "app", "ports": [8443]}]}


def _project(folder: Path, engine: str, **environment: str) -> Stack:
    stack = Stack(folder, environment={"STOCKADE_ENGINE": engine, **environment})
    for entry in (".ci", "policies"):
        (stack.folder / entry).symlink_to(REPOSITORY / entry)
    (stack.folder / "Makefile").write_text(".venv/ready:\n")
    return stack


def _commented(stack: Stack, name: str = "test") -> tuple[Result, str]:
    done = subprocess.run(
        [stack.folder / ".ci" / "preview", name, "comment.md"],
        cwd=stack.folder,
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
    stack = _project(tmp_path / "project", engine)
    hosts = {f"web{number}": {"address": f"198.51.100.{number}"} for number in range(1, 41)}
    stack.configure(**{**HARDENED, "hosts": hosts, "firewall": OPENED})
    shown, comment = _commented(stack)
    assert shown.status == 1, shown.output
    assert len(comment) <= LIMIT < len(shown.output)
    assert comment.startswith("<!-- stockade preview of test -->\n### test: **the preview failed**\n")
    assert "1 failed; " in comment[:200]
    assert "40 hosts: exposure-allowed: tcp/8443 from anywhere can be reached and must not be." in comment[:1000]
    assert "not shown here line by line: " in comment
    assert "the job's artifact has all of it (comment.txt).**" in comment[:400]
    assert "Previewing update (***):" in (stack.folder / "comment.txt").read_text()

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


HOST = {"address": "192.0.2.9", "bootstrap": {"user": "root"}}
PHRASE, TOKEN, KEY = "correct horse/battery", "ghs_16C7e42F292c6912E7710c8", "line-one-of-it\nline-two-of-it\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_proposal_that_would_have_the_environment_read_out(tmp_path: Path, engine: str) -> None:
    """Nothing that leaves the job contains a secret, neither from a file nor by confirming a guess of the proposer."""
    environment = {"DEPLOY_PASSWORD": PHRASE, "GITHUB_TOKEN": TOKEN, "SSH_PRIVATE_KEY": KEY}
    stack = _project(tmp_path / "project", engine, **environment)
    (tmp_path / "outside").write_text(f"TOKEN={TOKEN}\n")
    (stack.folder / "stacks" / "rules.v4").symlink_to("/proc/self/environ")
    for settings in (
        {"firewall": {"ipv4": {"file": "/proc/self/environ"}}},
        {"firewall": {"ipv4": {"file": "stacks/rules.v4"}}},
        {"firewall": {"ipv6": {"file": "../outside"}}},
        {"inventory": "/proc/self/environ"},
        {"users": [{"name": "deploy", "keyFiles": ["/proc/self/environ"]}]},
        {"users": [{"name": "deploy", "keyFiles": ["../outside"]}]},
        {"hosts": {"h1": {**HOST, "privateKeyFile": "../outside", "knownHostsFile": "../outside",
                          "upgrade": {"trigger": 1}, "firewall": OPENED}}},
        {"firewall": {"services": [{"name": f"{PHRASE} {quote(PHRASE, safe='')}", "ports": [8443]}]},
         "sshd": {"settings": {"Banner": f"/{base64.b64encode(TOKEN.encode()).decode()}", "VersionAddendum": TOKEN}},
         "listeners": {"expected": ["line-two-of-it"]}},
    ):  # fmt: skip
        stack.configure(**{**HARDENED, "hosts": {"h1": HOST}, **settings})
        shown, comment = _commented(stack)
        left = {
            "the log": shown.output,
            "the comment": comment,
            "the artifact": (stack.folder / "comment.txt").read_text(),
        }
        for where, text in left.items():
            assert "Traceback" not in text
            for secret in (PHRASE, quote(PHRASE, safe=""), TOKEN, base64.b64encode(TOKEN.encode()).decode()):
                assert secret not in text, (where, settings)
            assert "line-two-of-it" not in text, (where, settings)
        refused = ("is not a", "is outside the project", "exposure-allowed")
        assert shown.status == 1
        assert any(words in comment for words in refused), comment
    assert "***" in comment


@pytest.mark.parametrize("engine", ENGINES)
def test_a_secret_of_the_stack_that_a_proposal_moves_to_where_it_is_printed(tmp_path: Path, engine: str) -> None:
    stack = _project(tmp_path / "project", engine)
    secret = Secret("a-password-that-is-encrypted")
    host = {**HOST, "sudoPassword": secret}
    for moved in (
        {"firewall": {"services": [{"name": secret, "ports": [443]}]}},
        {"users": [{"name": "deploy", "groups": [secret], "keys": [ED25519]}]},
        {"sshd": {"settings": {"password": secret}}},
        {"inventory": secret},
        {"hosts": {"h1": {**host, "address": secret}}},
    ):
        stack.configure(**{**HARDENED, "hosts": {"h1": host}, **moved})
        shown, comment = _commented(stack)
        assert shown.status == 1
        assert "is no secret, and would show what is encrypted" in comment
        assert secret not in shown.output + comment + (stack.folder / "comment.txt").read_text()


def test_a_proposal_that_turns_policies_off_is_told_so(tmp_path: Path) -> None:
    stack = _project(tmp_path / "project", "embedded")
    stack.configure(**HARDENED)
    levels = {"all": "disabled", "updates-on": {"enforcementLevel": "advisory"}, "no-root-login": "mandatory"}
    (stack.folder / "stacks" / "policy.test.json").write_text(json.dumps(levels))
    shown, comment = _commented(stack)
    assert shown.status == 0, shown.output
    assert "not enforced, by policy.test.json: all (disabled), updates-on (advisory)" in comment


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_would_be_markdown_or_move_the_cursor(tmp_path: Path, engine: str) -> None:
    stack = _project(tmp_path / "project", engine, GITHUB_ACTIONS="true")
    names = [
        "web\n```\n\n# Preview: no changes :white_check_mark:\n\n@org/security [details](https://evil.example)\n\n<!--",
        "x\x1b]0;TITLE\x07\x1b[31mred",
    ]
    for hosts in (dict.fromkeys(names, HOST), {"h1": {**HOST, "firewall": {"services": [{"name": "::error::x"}]}}}):
        stack.configure(hosts=hosts, firewall={"services": [{"name": "::add-mask::a ```` <!-- @org", "ports": [1]}]})
        shown, comment = _commented(stack)
        assert [line for line in outside(comment.partition("\n")[2]) if not OURS.fullmatch(line)] == []
        assert not [letter for letter in shown.output if letter not in "\n\t" and not letter.isprintable()]
        token = re.search(r"^::stop-commands::([0-9a-f]{32})$", shown.output, re.M)
        assert token
        begin, end = shown.output.index(token[0]), shown.output.index(f"\n::{token[1]}::\n")
        assert all(begin < found.start() < end for found in re.finditer("::add-mask::", shown.output))


def test_a_stack_is_named_by_a_name(tmp_path: Path) -> None:
    stack = _project(tmp_path / "project", "embedded")
    for name in ("../x", "-->\n# no changes", "a b", ""):
        shown, comment = _commented(stack, name)
        assert shown.status == 1
        assert "is no name: letters, digits and - _ . are expected" in comment
        assert [line for line in outside(comment) if not OURS.fullmatch(line)] == []


def test_links_of_a_proposal_lead_nowhere(tmp_path: Path) -> None:
    stack = _project(tmp_path / "project", "embedded", GITHUB_TOKEN=TOKEN)
    file = stack.folder / "stacks" / "Pulumi.test.yaml"
    for to in ("/proc/self/environ", str(tmp_path / "outside")):
        (tmp_path / "outside").write_text(f"{TOKEN}: 'x\n")
        file.unlink(missing_ok=True)
        file.symlink_to(to)
        shown, comment = _commented(stack)
        assert shown.status == 1
        assert "stacks/Pulumi.***.yaml is a link that leads out of the project" in comment
        assert TOKEN not in comment + shown.output


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
