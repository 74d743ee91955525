"""Scripts for hosts are complete, checked files; hosts/scripts.py describes their headers."""

import ast
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from components.core.chapter import KnownState
from hosts.scripts import parts, script, source, takes, top_of, uses
from hosts.ssh.connection import HostAccess
from tests.mutants.recorder import SH_FILE
from tests.unit.test_recorded import chapters

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("hosts", "components", "provider", "plugin", "fleet", "adopt", "cli")
SCRIPTS = sorted(
    str(file.relative_to(REPOSITORY))
    for room in ROOMS
    for file in (REPOSITORY / room).rglob("*.sh")
    if "venv" not in file.parts  # installed by the CLI for the plugin
)
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
GIVEN = {"PATH", "LC_ALL", "NONCE", "PPID", "HOME", "IFS", "OPTARG", "OPTIND", "SUDO_USER", "recording", SH_FILE}
"""Variables that every script has (hosts/shell.py), or that its shell, sudo, remember.sh or `make mutants` sets."""

_OWN = re.compile(r"\$\{?#?([A-Za-z_]\w*)")
_SET = re.compile(
    r"(?:^|[\s;(&|{])([A-Za-z_]\w*)=(?!=)"
    r"|\bfor ([A-Za-z_]\w*)\b"
    r"|\bread (?:-r )?((?:[A-Za-z_]\w* ?)+)"
    r"|\$\{([A-Za-z_]\w*):?="
    r"|\bgetopts \S+ ([A-Za-z_]\w*)"
)


def plain(text: str) -> str:
    """Return sh without comments, escaped characters, and text in single quotes outside double ones."""
    out: list[str] = []
    index, quoted = 0, False
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 2
            continue
        if char == '"':
            quoted = not quoted
        elif char == "'" and not quoted:
            index = text.index("'", index + 1)
            char = "''"
        elif char == "#" and not quoted and (not out or out[-1][-1] in " \t\n;("):
            index = text.index("\n", index)
            continue
        elif text.startswith("$(", index) and quoted:  # quoting starts again in there
            end = closing(text, index + 2)
            out.append(plain(text[index + 2 : end]) + " ")
            index = end
            char = ")"
        out.append(char)
        index += 1
    return "".join(out)


def closing(text: str, index: int) -> int:
    """Return the end of a `$(` whose content starts at `index`."""
    depth, quote = 1, ""
    while True:
        char = text[index]
        if char == "\\":
            index += 1
        elif quote == "'":
            quote = "" if char == "'" else quote
        elif text.startswith("$(", index):
            index = closing(text, index + 2)
        elif char == '"':
            quote = "" if quote else '"'
        elif char == "'" and not quote:
            quote = "'"
        elif not quote and char == "(":
            depth += 1
        elif not quote and char == ")":
            depth -= 1
            if not depth:
                return index
        index += 1


def used_in(text: str) -> set[str]:
    """Return the variables that sh uses."""
    return set(_OWN.findall(plain(text)))


def set_in(text: str) -> set[str]:
    """Return the variables that sh sets."""
    return {name for groups in _SET.findall(plain(text)) for group in groups for name in group.split()}


@pytest.mark.parametrize("path", SCRIPTS)
def test_every_variable_is_set_or_taken(path: str) -> None:
    text = source(path)
    known = {name for part in parts(path) for name in (*set_in(source(part)), *takes(source(part)))}
    assert used_in(text) - known - GIVEN == set(), "name them at the file's top: # takes: ..."
    assert set(takes(text)) <= used_in(text), "taken, and not used"


def _body(path: str) -> str:
    return source(path).removeprefix(top_of(source(path)))


@pytest.mark.parametrize("path", SCRIPTS)
def test_what_it_uses_is_there_and_used(path: str) -> None:
    text = plain(_body(path))
    for used in uses(source(path)):
        sources = [source(used)] if _body(used).strip() else [source(part) for part in parts(used)]
        offered = {name for one in sources for name in (*re.findall(r"^\s*(\w+)\(\)", one, re.M), *set_in(one))}
        gathers = not text.strip()  # a file that only combines others
        assert gathers or any(re.search(rf"\b{name}\b", text) for name in offered), f"{path} uses nothing of {used}"


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_them(shell: str) -> None:
    if not shutil.which(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not installed")
    for path in SCRIPTS:
        subprocess.run([*SHELLS[shell], "-n"], input=script(path).encode(), check=True)


def _long_sh(file: Path) -> Iterator[int]:
    tree = ast.parse(file.read_text("utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts_ = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in documents or (id(node) in parts_ and not isinstance(node, ast.JoinedStr)):
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if text.count("\n") > 5 and re.search(r"\b(fi|done|esac)\b|\$\w|\$\{|\|\| |; then|\(\) \{", text):
            yield node.lineno


def test_no_sh_of_more_than_five_lines_is_in_a_python_string() -> None:
    files = [file for room in ROOMS for file in (REPOSITORY / room).rglob("*.py") if "venv" not in file.parts]
    assert {str(file.relative_to(REPOSITORY)) for file in files if any(_long_sh(file))} == set()


DECLARED: dict[str, dict[str, str]] = {
    "fail2ban": {"config": ""},
    "kept": {"program": "ufw"},
    "ruleset": {"family": "ipv4", "rules": "*filter\nCOMMIT\n"},
    "sshd": {"settings": "", "admin": ""},
    "sysctl": {"settings": ""},
    "timesync": {"daemon": "chrony"},
    "upgrade": {"trigger": "1"},
    "user": {"name": "bob"},
}
"""The inputs that a chapter must have."""
_STATUS = re.compile(r"(?:\b(?:exit|return|refuse) |\brefused=)([6-9]\d)\b")
_SHARED = {65, 68, 69, 71, 72, 73, 74, 75, 77, 92}
"""Statuses that are planned again (75), or that hosts/shell.py or the chapter's own code puts in words."""


@pytest.mark.parametrize("name", sorted(chapters()))
def test_each_status_of_a_script_has_its_words_and_all_words_are_of_a_status(name: str) -> None:
    chapter = chapters()[name]
    inputs = chapter.inputs.model_validate({"host": "web1", **DECLARED.get(name, {})})
    seen = None if name == "timesync" else chapter.facts()
    known = KnownState(before=seen, prior=seen)
    done = [chapter.observe(inputs), chapter.apply(inputs, known), chapter.restore(inputs, known)]
    statuses = {int(status) for one in done for status in _STATUS.findall("\n".join((one.body, *one.values.values())))}
    worded = {status for one in done for status in one.exits}
    assert statuses - worded <= _SHARED
    assert worded <= statuses


@cache
def _constants() -> Mapping[str, set[int]]:
    """Return the numbers that Python has names for."""
    found = defaultdict[str, set[int]](set)
    for file in (file for room in ("hosts", "components") for file in (REPOSITORY / room).rglob("*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if not isinstance(node, ast.Assign) or not isinstance(target := node.targets[0], ast.Name | ast.Tuple):
                continue
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=False):
                if isinstance(value, ast.Constant) and isinstance(value.value, int):
                    found[ast.unparse(name)].add(value.value)
    return found


@pytest.mark.parametrize("path", SCRIPTS)
def test_each_status_is_named_at_the_top_or_on_its_line_as_in_python(path: str) -> None:
    top, named = top_of(source(path)), set[tuple[str, int]]()
    for line in _body(path).splitlines():
        name = re.search(r"# ([A-Z][A-Z_]+)\b", line)
        for status in map(int, _STATUS.findall(line)):
            if name:
                named.add((name[1], status))
            else:
                assert re.search(rf"\b{status}\b", top), f"`Exits: {status} (NAME)` at the top"
    named |= {(name, int(status)) for status, name in re.findall(r"\b([6-9]\d) \(([A-Z_]+)\)", top)}
    assert [(name, status) for name, status in named if status not in _constants()[name]] == []


_OF_THE_GUARD = {"guard", "occasion"}
"""Variables that the guard sets around a script (hosts/guard)."""
_BY_NAME = re.compile(r"(prior|expected|prior_dropin)_(content|mode|owner|group)")
"""Values of a file's state, which files.sh reads by the name of the file."""
_ACCESS = HostAccess.model_validate({"name": "web1", "bootstrap": {"host": "192.0.2.1", "user": "bob"}})


@pytest.mark.parametrize("name", sorted(chapters()))
def test_scripts_are_given_what_they_take_and_nothing_else(name: str) -> None:
    chapter = chapters()[name]
    inputs = chapter.inputs.model_validate({"host": "web1", **DECLARED.get(name, {})})
    seen = None if name == "timesync" else chapter.facts()
    known = KnownState(last=inputs, recorded=seen, prior=seen, before=seen)
    given, used = set[str](), set[str]()
    for one in (chapter.observe(inputs), chapter.apply(inputs, known), chapter.restore(inputs, known)):
        values = {*one.values, *one.secrets}
        assert used_in(one.body) - set_in(one.body) - GIVEN - _OF_THE_GUARD - {"pkg_gone"} <= values
        given |= values
        used |= used_in(one.body)
    for restoring in (False, True):
        guard = chapter.guard(inputs, known, _ACCESS, restoring=restoring)
        if guard:
            given |= {*guard.values}
            used |= used_in(guard.save + guard.back + guard.commit)
    assert {value for value in given - used if not _BY_NAME.fullmatch(value)} == set()
