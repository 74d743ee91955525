"""The workflows for pull requests and drift are valid, run this repository's commands, and pin everything else."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.__main__ import parser

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml")) + sorted(ROOT.glob("templates/*/.github/workflows/*.yml"))
GITLAB = ROOT / ".gitlab-ci.yml"
STACKS = {file.name.split(".")[1] for file in (ROOT / "stacks").glob("Pulumi.*.yaml")}


def _steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        yield from job["steps"]


def _scripts() -> Iterator[Any]:
    for workflow in WORKFLOWS:
        for number, step in enumerate(_steps(workflow)):
            if "run" in step:
                yield pytest.param(step["run"], id=f"{workflow.parents[2].name}-{workflow.name}-{number}")
    for name, job in yaml.safe_load(GITLAB.read_text()).items():
        for part in ("before_script", "script", "after_script"):
            if part in job:
                yield pytest.param("\n".join(job[part]), id=f"gitlab-{name}-{part}")
    for file in (ROOT / ".ci").iterdir():
        yield pytest.param(file.read_text(), id=file.name)


@pytest.mark.parametrize("script", [*_scripts()])
def test_scripts_are_shell(script: str) -> None:
    text = re.sub(r"\$\{\{.*?\}\}", "value", script)
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: f"{file.parents[2].name}-{file.name}")
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    used = [step["uses"] for step in _steps(workflow) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"(?:actions/[a-z-]+|pulumi/actions)@[0-9a-f]{40}", action) for action in used)


def test_every_workflow_is_about_stacks_that_there_are() -> None:
    named = {
        stack
        for workflow in WORKFLOWS
        for job in yaml.safe_load(workflow.read_text())["jobs"].values()
        for stack in job.get("strategy", {}).get("matrix", {}).get("stack", ())
    }
    (matrix,) = yaml.safe_load(GITLAB.read_text())[".stacks"]["parallel"]["matrix"]
    assert named == set(matrix["STACK"])
    assert named <= STACKS


def test_what_strangers_may_run_has_no_rights() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert {job["runs-on"] for job in workflow["jobs"].values()} == {"ubuntu-24.04"}  # never our own machines
    assert "secrets." not in text
    assert "pull_request_target" not in text


def test_a_pipe_hides_no_failure() -> None:
    piped = [step for workflow in WORKFLOWS for step in _steps(workflow) if "| tee" in step.get("run", "")]
    assert piped
    assert {step.get("shell") for step in piped} == {"bash"}


def test_the_shares_of_a_fleet_are_all_of_it_and_its_commands_are_ones_that_there_are() -> None:
    (job,) = yaml.safe_load((ROOT / ".github" / "workflows" / "fleet.yml").read_text())["jobs"].values()
    gitlab = yaml.safe_load(GITLAB.read_text())["fleet"]
    assert isinstance(gitlab["parallel"], int)
    shares = {
        "github": job["strategy"]["matrix"]["share"],
        "gitlab": [f"{number}/{gitlab['parallel']}" for number in range(1, gitlab["parallel"] + 1)],
    }
    scripts = {"github": [step.get("run", "") for step in job["steps"]], "gitlab": gitlab["script"]}
    for where, texts in scripts.items():
        (line,) = (line for text in texts for line in text.splitlines() if "stockade fleet" in line)
        words = shlex.split(line.partition("|")[0].partition("stockade fleet")[2])
        taken: list[int] = []
        for share in shares[where]:
            options = parser().parse_args(["drift" if "COMMAND" in word else _share(word, share) for word in words])
            mine, machines = options.share
            taken += range(1, 21)[mine - 1 :: machines]
        assert sorted(taken) == [*range(1, 21)]


def _share(word: str, share: str) -> str:
    return share if "SHARE" in word or "CI_NODE_INDEX" in word else word


def test_secrets_reach_no_script_text() -> None:
    """They are passed in environment variables, so that no log and no shell history contains them."""
    for workflow in WORKFLOWS:
        assert not [step for step in _steps(workflow) if "secrets." in step.get("run", "")]
