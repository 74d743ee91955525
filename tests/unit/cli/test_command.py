"""The `stockade` command: help, usage errors, completion, and words that are passed on."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import adopt.begin
import adopt.command
import fleet.__main__
import fleet.look
import policies.explain
from cli.__main__ import main
from cli.app import app
from cli.passed import PASSED
from local.engine.cli import parser as engine_parser
from local.lab.cli import parser as lab_parser

REPOSITORY = Path(__file__).parents[3]
COMMAND = REPOSITORY / "stockade"
_WRITTEN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_STREAMS = {"stdin": os.O_RDONLY, "stdout": _WRITTEN, "stderr": _WRITTEN}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command in an empty folder, as a user would: in a fork, which has what takes time to load."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "stdin").write_text(stdin)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                for number, (name, flags) in enumerate(_STREAMS.items()):
                    os.dup2(os.open(tmp_path / name, flags, 0o600), number)
                sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
                os.environ.update(NO_COLOR="1", COLUMNS="120", STOCKADE_ENGINE="embedded", **environment)
                os.chdir(tmp_path)
                sys.argv = ["stockade", *words]
                main()
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
            except BaseException:
                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output, errors = ((tmp_path / name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(words, status, output, errors)

    return run


def _commands() -> dict[str, Any]:
    """Every command by its words, such as `lab up`."""
    found: dict[str, Any] = {}

    def below(words: str, command: Any) -> None:
        if hasattr(command, "commands"):
            for name, one in command.commands.items():
                below(f"{words} {name}".strip(), one)
        else:
            found[words] = command

    below("", typer.main.get_command(app))
    return found


COMMANDS = _commands()


@pytest.mark.parametrize("words", [(), *(tuple(name.split()) for name in COMMANDS)])
def test_every_command_has_help_that_says_what_it_does(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], prog_name="stockade")
    assert shown.exit_code == 0, shown.output
    assert f"Usage: stockade {' '.join(words)}".rstrip() in shown.output
    about = (COMMANDS[" ".join(words)].help if words else app.registered_callback.callback.__doc__) or ""  # type: ignore[union-attr]
    assert re.search(r"[A-Z].{15,}\.", about)
    if words[:1] != ("lab",):
        assert "stockade " in about, "an example"


def test_the_first_page_names_every_command_by_group() -> None:
    shown = CliRunner().invoke(app, ["--help"], prog_name="stockade").output
    for name in {name.split()[0] for name in COMMANDS}:
        assert re.search(rf"^│ {name} ", shown, re.M), name
    assert [title for title in ("Stacks", "Hosts and rules", "This machine") if f"─ {title} ─" not in shown] == []
    assert "Exit status" in shown


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {name for action in parser._actions for name in action.option_strings} - {"-h", "--help", "--create"}


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    (group,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    found: argparse.ArgumentParser = group.choices[name]
    return found


def _declared(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts if option[0] == "-"}


@pytest.mark.parametrize(
    ("name", "parser"),
    [("look", fleet.look.parser()), ("fleet", fleet.__main__.parser()), ("explain", policies.explain.parser())]
    + [(name, _subparser(engine_parser(), name)) for name in ("preview", "up", "refresh", "destroy")]
    + [(name, _subparser(engine_parser(), name)) for name in ("output", "export", "import")]
    + [(f"lab {name}", _subparser(lab_parser(), name)) for name in ("up", "down", "status", "exec", "reboot", "reset")],
)  # fmt: skip
def test_help_shows_the_options_of_the_code_that_reads_them(name: str, parser: argparse.ArgumentParser) -> None:
    ours = {"--json"} if name in ("preview", "up", "refresh", "destroy") else set()  # cli/reported.py
    always = {"--continue-on-error"}  # accepted for the CLI's sake
    assert _declared(name) - {"--help", "-h"} - ours == _options(parser) - always


def test_every_passed_command_is_declared() -> None:
    assert {name.split()[0] for name in COMMANDS} > set(PASSED)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nonsense"], 2, "No such command"),
        (["preview"], 2, "say which stack: stockade preview --stack STACK"),
        (["drift", "--cwd", "/nowhere"], 2, "say which stack"),
        (["look"], 2, "say which stack"),
        (["fleet", "up"], 2, "stockade fleet: error: the following arguments are required: environment"),
        (["lab", "nonsense"], 2, "stockade lab: error: argument COMMAND: invalid choice"),
        (["explain", "--nonsense"], 2, "unrecognized arguments: --nonsense"),
        (["explain", "/nowhere.rules"], 2, "/nowhere.rules"),
        (["schema", "nonsense"], 2, "nonsense"),
        (["preview", "--stack", "s"], 1, "no Pulumi.yaml project file found"),
        (["preview", "--stack", "s", "--json"], 1, "no Pulumi.yaml project file found"),
        (["look", "--stack", "s"], 1, "no Pulumi.yaml project file found"),
        (["look", "--stack", "s", "--cwd", "/nowhere"], 1, "no Pulumi.yaml project file found"),
        (["fleet", "up", "s", "--yes"], 2, "no Pulumi.yaml"),
        (["schema", "--file", "/nowhere/file"], 1, "/nowhere/file: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    run: Run, words: Sequence[str], status: int, said: str
) -> None:
    done = run(*words)
    assert (done.returncode, said in done.stderr) == (status, True), done
    assert "Traceback" not in done.stderr


def test_stacks_are_named_if_none_is_given(run: Run) -> None:
    assert "lab, production, staging)" in run("up", "--cwd", str(REPOSITORY)).stderr


def test_it_works_by_a_link_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "first").symlink_to(COMMAND)
    (tmp_path / "bin" / "stockade").symlink_to("../first")
    for name in ("cli", "typer", "yaml"):  # modules of the folder are not ours
        (tmp_path / f"{name}.py").write_text("raise SystemExit('wrong module')\n")
    done = subprocess.run(
        [tmp_path / "bin/stockade", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert re.fullmatch(r"stockade \d+\.\d+\.\d+\n", done.stdout), done


def test_rules_from_stdin_are_explained_as_json(run: Run) -> None:
    done = run(
        "explain", "--json", "-4", stdin="*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    )
    assert json.loads(done.stdout)["exposure"] == ["tcp/22 from anywhere"], done


@pytest.mark.parametrize("which", ["stack", "inventory"])
def test_the_schema_is_that_of_the_repository(run: Run, which: str, tmp_path: Path) -> None:
    kept = REPOSITORY / "stacks" / {"stack": "stockade.schema.json", "inventory": "inventory.schema.json"}[which]
    assert run("schema", which).stdout == kept.read_text("utf-8")
    assert run("schema", which, "--file", "own.json").returncode == 0
    assert (tmp_path / "own.json").read_text("utf-8") == kept.read_text("utf-8")


def _completed(run: Run, line: str) -> list[str]:
    done = run(_STOCKADE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1))
    assert done.returncode == 0, done
    return done.stdout.split()


def test_completion_knows_commands_options_stacks_and_hosts(run: Run, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: stockade\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    hosts = "{web1: {password: {secure: x}}, web2: {}, db1: {}}"
    config = f"encryptionsalt: v1:x\nconfig:\n  stockade:hosts: {hosts}\n  stockade:inventory: more.yaml\n"
    (tmp_path / "stacks/Pulumi.mine.yaml").write_text(config)
    (tmp_path / "stacks/Pulumi.other.yaml").write_text("")
    (tmp_path / "more.yaml").write_text("web3:\n  address: 198.51.100.3\n")
    assert _completed(run, "stockade pre") == ["preview"]
    assert "--expect-no-changes" in _completed(run, "stockade preview --exp")
    assert _completed(run, "stockade up --stack ") == ["mine", "other"]
    assert _completed(run, "stockade up -s o") == ["other"]
    assert _completed(run, "stockade look --stack mine --host web") == ["web1", "web2", "web3"]
    assert _completed(run, "stockade look --stack nowhere --host ") == []
    assert _completed(run, "stockade fleet dr") == ["drift"]
    assert _completed(run, "stockade state ta") == ["taint"]


def test_words_that_reach_the_help_go_on_as_they_were_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[Sequence[str]] = []
    monkeypatch.setitem(PASSED, "preview", lambda words: passed.append(words) or 7)  # type: ignore[func-returns-value]
    words = ["preview", "--no-such", "x", "--stack", "mine", "-p", "3"]
    assert CliRunner().invoke(app, words).exit_code == 7
    assert passed == [words]


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "schema"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.parametrize("command", ["adopt", "init"])
def test_adopt_and_init_show_the_preview_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    given: list[dict[str, Any]] = []
    for module in (adopt.begin, adopt.command):
        monkeypatch.setattr(module, "main", lambda *_words, **settings: given.append(settings) or 3)  # type: ignore[func-returns-value]
    for words, shown in (([], True), (["--no-preview"], False)):
        done = CliRunner().invoke(app, [command, "--stack", "mine", "root@203.0.113.7", *words])
        assert (done.exit_code, given.pop()["shows_preview"]) == (3, shown)
    if command == "adopt":
        assert CliRunner().invoke(app, ["adopt", "--stack", "mine"]).exit_code == 2


def test_a_command_that_is_run_loads_no_typer() -> None:
    """Typer and Rich take 0.15 s to load: a run that has nothing to do is not to take a tenth longer for them."""
    code = (
        "import sys\nfrom cli.__main__ import main\nsys.argv = ['stockade', 'preview']\n"
        "try:\n    main()\nexcept SystemExit:\n    print('typer' in sys.modules, 'rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_a_command_of_a_lab_host_keeps_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[Sequence[str]] = []
    monkeypatch.setitem(PASSED, "lab", lambda words: passed.append(words) or 0)  # type: ignore[func-returns-value]
    monkeypatch.setattr(sys, "argv", ["stockade", "lab", "exec", "web1", "iptables", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert passed == [["lab", "exec", "web1", "iptables", "--help"]]


def _every_option(command: Any) -> list[Any]:
    inner = [option for each in getattr(command, "commands", {}).values() for option in _every_option(each)]
    return [*inner, *(one for one in command.params if one.param_type_name == "option")]


def test_each_option_is_named_as_it_is_written() -> None:
    """Options are passed on, and read, by their names."""
    options = _every_option(typer.main.get_command(app))
    assert len(options) > 100
    odd = {one.name: one.opts for one in options if f"--{str(one.name).replace('_', '-')}" not in one.opts}
    assert odd.keys() == {"_version", "timeout"}


def test_ctrl_c_ends_with_the_status_of_shells(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_words: Sequence[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["stockade", "up"])
    monkeypatch.setitem(PASSED, "up", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
