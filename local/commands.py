"""The commands that an engine runs: choose the engine, the policy pack and the passphrase, then run one.

`stockade` (cli/) and `python -m local` both end here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import NoReturn

from hosts.text.masking import printable
from local.engine.errors import BAD_COMMAND

COMMANDS = {
    "preview": ["preview"],
    "up": ["up"],
    "refresh": ["refresh"],
    "destroy": ["destroy"],
    "export": ["stack", "export"],
    "import": ["stack", "import"],
    "output": ["stack", "output"],
    "config": ["config"],
    "state": ["state"],
}
LOOK, DRIFT = "look", "drift"
CREATING = (["preview"], ["up"], ["import"], ["config", "set"])
INDEPENDENT = ("up", "destroy")
"""Commands in which a host that is down must not block others: by default the CLI stops at the first error."""
LAB, EVERY = "lab", "every-distribution"
PROGRAM_RUNS = ("preview", "up")
HERE = Path(__file__).absolute().parents[1]
ROOT = Path(__file__).resolve().parents[1]
PACK = Path("policies")
"""The project's policy pack, enforced unless another is given or STOCKADE_POLICIES is `off`."""


def fail(message: str, status: int = 1) -> NoReturn:
    """Exit with an error."""
    print(f"error: {printable(message)}", file=sys.stderr)
    raise SystemExit(status)


def value_of(arguments: Sequence[str], *names: str) -> str | None:
    """The value of an option, given as `--name value` or `--name=value`."""
    for index, argument in enumerate(arguments):
        if argument in names:
            return arguments[index + 1] if index + 1 < len(arguments) else None
        name, equals, value = argument.partition("=")
        if equals and name in names:
            return value
    return None


def choose_engine(wanted: str | None, cli: str | None) -> str:
    """Return "pulumi" or "embedded"; exits with an error if that engine is missing."""
    try:
        return chosen_engine(wanted, cli)
    except ValueError as error:
        fail(str(error))


def chosen_engine(wanted: str | None, cli: str | None) -> str:
    """Return "pulumi" or "embedded". Raises ValueError if that engine is missing."""
    if wanted not in (None, "", "pulumi", "embedded"):
        raise ValueError(f"STOCKADE_ENGINE is {wanted!r}; it can be `pulumi` or `embedded`")
    if wanted == "pulumi" and cli is None:
        raise ValueError("STOCKADE_ENGINE is `pulumi`, but pulumi is not on PATH")
    return wanted or ("pulumi" if cli else "embedded")


def set_lab_passphrase(stack: str, environ: MutableMapping[str, str]) -> None:
    """Set the lab's passphrase for the lab's stack, unless the user has set one."""
    if stack in (LAB, EVERY) and not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(environ):
        environ["PULUMI_CONFIG_PASSPHRASE"] = LAB


def policy_arguments(command: str, given: list[str], stack: str, folder: Path, wanted: str | None) -> list[str]:
    """The options that enforce the policy pack, with the configuration of the stack's environment.

    A user's own project that has no pack uses the one of this checkout. The configuration is policy.<stack>.json beside
    the stack config. The config of a shard is a link to that of its environment, so the environment's is used. Without
    that file, the pack's defaults apply.
    """
    if wanted not in (None, "", "on", "off"):
        fail(f"STOCKADE_POLICIES is {wanted!r}; it can be `on` or `off`")
    packs = [place / PACK for place in (folder, HERE) if (place / PACK / "PulumiPolicy.yaml").is_file()]
    if wanted == "off" or command not in PROGRAM_RUNS or not packs or value_of(given, "--policy-pack"):
        return []
    stacks = folder / "stacks" if (folder / "stacks").is_dir() else folder
    shared = (stacks / f"Pulumi.{stack}.yaml").resolve().name.removeprefix("Pulumi.").removesuffix(".yaml")
    files = (stacks / f"policy.{name}.json" for name in (stack, shared))
    config = next((file for file in files if file.is_file()), None)
    return [
        f"--policy-pack={packs[0]}",
        *([f"--policy-pack-config={config}"] if config else []),
    ]


def policy_environment(given: Sequence[str], folder: Path) -> Mapping[str, str]:
    """Return the environment variables that the pack needs to read `--policy-pack-config` as documented.

    Empty for a pack that is not this project's. Raises ValueError for a policy that does not exist.
    """
    pack, config = value_of(given, "--policy-pack"), value_of(given, "--policy-pack-config")
    if not pack or not config or (folder / pack).resolve() != ROOT / PACK:
        return {}
    from policies.names import FILE, misspelled, named_in  # not every project has a pack

    file = folder / config
    problems = [*misspelled(named_in(file))]
    if problems:
        raise ValueError(f"{config}: {'; '.join(problems)}")
    return {FILE: str(file.resolve())}


def independence(command: str, given: list[str]) -> list[str]:
    """The option that makes the CLI continue with resources that a failure does not affect; our engine always does."""
    given_already = any(word.partition("=")[0] == "--continue-on-error" for word in given)
    return ["--continue-on-error"] if command in INDEPENDENT and not given_already else []


def stacks_in(folder: Path) -> list[str]:
    """The stacks of a project's folder that have a config."""
    files = [*folder.glob("stacks/Pulumi.*.yaml"), *folder.glob("Pulumi.*.yaml")]
    return sorted({file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files})


def stack_of(command: str, rest: Sequence[str], folder: Path) -> str:
    """The stack that a command names. Exits with an error that lists the stacks if it names none."""
    stack = value_of(rest, "--stack", "-s")
    if not stack:
        found = stacks_in(folder)
        there = f" (in {folder}: {', '.join(found)})" if found else ""
        fail(f"say which stack: stockade {command} --stack STACK{there}", BAD_COMMAND)
    return stack


_RUN_MODULE = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__', "
    "alter_sys=True)"
)


def module(name: str, *words: str) -> list[str]:
    """The command that runs a module of this checkout, whatever the current directory is."""
    return [sys.executable, "-P", "-c", _RUN_MODULE, str(HERE), name, *words]


def run_apart(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, heard: Callable[[str], None] | None = None
) -> int:
    """Run a command to its end and return its exit status; its output goes to `heard`, line by line, if that is given.

    It gets Ctrl-C from the terminal itself, and SIGTERM from us: it ends in its own time.
    """
    sys.stdout.flush()
    out, both = (subprocess.PIPE, subprocess.STDOUT) if heard else (None, None)
    process = subprocess.Popen(argv, env=env, text=True, errors="replace", stdout=out, stderr=both)
    before = (
        signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number)),
    )
    try:
        if heard and process.stdout:
            for line in process.stdout:
                heard(line)
        status = process.wait()
        return status if status >= 0 else 128 - status  # as the shell says it
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def steps_of(command: str, rest: Sequence[str]) -> list[list[str]]:
    """The engine's commands that a command consists of. `drift` reads the hosts into the state, then previews: it fails
    if a host is not as the stack config says."""
    if command != DRIFT:
        return [[command, *rest]]
    common = [word for word in rest if word not in ("--yes", "-y", "--diff", "--expect-no-changes")]
    return [["refresh", *common, "--yes"], ["preview", *common, "--diff", "--expect-no-changes"]]


def main(arguments: list[str]) -> NoReturn:
    """Run one command with one of the engines and exit with the engine's status."""
    if not arguments or arguments[0] not in (*COMMANDS, LOOK, DRIFT):
        fail(f"say what to do: stockade {'|'.join((*COMMANDS, LOOK, DRIFT))} --stack STACK", BAD_COMMAND)
    command, *rest = arguments
    project = Path(value_of(rest, "--cwd", "-C") or ".").resolve()
    stack = stack_of(command, rest, project)
    set_lab_passphrase(stack, os.environ)
    if command == LOOK:
        os.execv(sys.executable, module("fleet.look", *rest))  # noqa: S606 - no shell is wanted
    if command == DRIFT:
        statuses = (run_apart(module("local", *words)) for words in steps_of(command, rest))
        raise SystemExit(next(filter(None, statuses), 0))
    rest += policy_arguments(command, rest, stack, project, os.environ.get("STOCKADE_POLICIES"))
    try:
        os.environ.update(policy_environment(rest, project))
    except ValueError as error:
        fail(str(error))
    creating = any(arguments[: len(words)] == words for words in CREATING)
    cli = shutil.which("pulumi")
    if choose_engine(os.environ.get("STOCKADE_ENGINE"), cli) == "embedded":
        print("Engine: embedded (no pulumi on PATH)" if cli is None else "Engine: embedded", file=sys.stderr)
        from local.engine.__main__ import run

        verb = 1 if command in ("config", "state") else 0
        run([command, *rest[:verb], *(["--create"] if creating else []), *rest[verb:]])
    pulumi = str(cli)
    print(f"Engine: {pulumi}", file=sys.stderr)
    from local.cli import ready

    rest += independence(command, rest)
    rest += ready(pulumi, command, stack, project, create=creating)
    sys.stdout.flush()
    os.execv(pulumi, [pulumi, *COMMANDS[command], *rest])  # noqa: S606 - no shell is wanted
