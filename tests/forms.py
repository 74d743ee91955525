"""Finds shell patterns that once let a user become root, in the scripts that run on hosts. `make lint` runs it.

    python -m tests.forms

`ALLOWED` lists exceptions, with reasons. A form is a kind of mistake:

    value in -v      awk expands escapes in `-v name=value`. Use name=$value awk '... ENVIRON["name"]'
    program text     a value between double quotes becomes part of the program. Use ENVIRON or a file
    in a home        root must not use files where a user can write. Use as_user, on_home, only_roots
                     (hosts/system/as_user.py)
    secret argument  any user of the host can read arguments. Use stdin and a builtin (printf)
    word of a login  users can set SSH_CONNECTION. Use hosts/system/origin.py, which asks the kernel
"""

import ast
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("hosts", "components", "provider", "fleet", "adopt", "cli")

ALLOWED = {
    ("program text", "components/sshd/daemon.sh", "s,$stage/check,,g"): "a path of the code",
    ("program text", "components/sshd/build.sh", "\\,$silence,I"): "an expression of the code",
    ("program text", "components/fail2ban/observe.sh", "/$tool \\2/p"): "iptables or ip6tables",
    ("program text", "components/firewall/ruleset/transaction.sh", "{line}s/^/refused"): "digits: a line number",
    ("in a home", "components/users/apply.sh", '"$top/.ssh"'): "only_roots: nobody else can write to that home",
}
AS_USER = {("components/users/keys/program.sh", "")}
"""Programs that run as the user."""

_HOME = re.compile(r"\$\{?(\w*home\w*|HOME)\b|(?<![\w.])~|\.ssh\b|authorized_keys")
_VALUE = r"(?<!\\)\$[A-Za-z_{(0-9*@]"
_PROGRAM = re.compile(rf"\b(sed|awk|perl)\b(?:\s+-[A-Za-z]+)*\s+(?:-e\s+)?\"[^\"]*{_VALUE}")
_OPTION = re.compile(r"(?<!\S)-v\s*[A-Za-z_]\w*=\S*\$")
_SECRET = re.compile(r"\$\{?(password|record_mark|NONCE)\b|\$\((getent shadow|cut [^)]*\$kept|cat [^)]*shadow)")
_LOGIN = re.compile(r"\bSSH_(CONNECTION|CLIENT|ORIGINAL_COMMAND)\b")
_BUILTINS = {"printf", "echo", "[", "case", "set", "read", "section", "begin", "set_hash", ":", "exit", "return"}
_TOUCHING = {
    *("cat", "cd", "chattr", "chgrp", "chmod", "chown", "cmp", "cp", "dd", "find", "grep", "head", "install", "ln"),
    *("mkdir", "mktemp", "mv", "restorecon", "rm", "rmdir", "rsync", "sed", "tail", "tar", "tee", "touch", "truncate"),
}
_WITH_HOMES = {
    "as_user",
    "talk",
    "on_home",
    "home_mode",
    "only_roots",
    "upper_of",
    "set_home",
    "keys_do",
    "refuse",
    "say_left",
    "stat",
}
"""Commands that may be given a home: they only look, or act as the user."""
_IN_HOME = re.compile(r"(?:^|[\s;])(\w+)=\"?\$\{?home\b", re.M)
"""Variables that a home, or a place in one, is assigned to."""
_HERE = re.compile(r"^(chmod|chown|chgrp|restorecon)\b.*\s\.$")
_APART = re.compile(r"&&|\|\||[;|{}()`]|\b(?:then|do|else|if|while|until|elif)\b|!(?=\s)")
_OUTER = re.compile(r"&&|\|\||[;|]|\b(?:then|do|else|if|while|until|elif)\b|!(?=\s)")
_ASSIGNED = re.compile(r"^(\w+=(\"[^\"]*\"|'[^']*'|\S*)\s+)+")


@dataclass(frozen=True)
class Found:
    """A form and its location."""

    form: str
    file: str
    line: int
    text: str


def texts(file: str, source: str) -> Iterator[tuple[str, int, str]]:
    """Return the texts of a file that may be sh: for each string of a Python file its name, first line and text."""
    if file.endswith(".sh"):
        yield "", 1, source
        return
    tree, lines = ast.parse(source), source.split("\n")
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for statement in tree.body:
        name = ""
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
        inside: set[int] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.JoinedStr):
                inside |= {id(part) for part in node.values}
                yield name, node.lineno, "\n".join(lines[node.lineno - 1 : node.end_lineno])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                documented = isinstance(statement, ast.Expr) or id(node) in documents or id(node) in inside
                if not documented:
                    yield name, node.lineno, "\n".join(lines[node.lineno - 1 : node.end_lineno])


def forms(line: str, *, as_user: bool = False, homes: Collection[str] = ()) -> Iterator[str]:
    """Return the forms in one line of sh. `homes`: variables that were set to a place in a home."""
    if homes:
        line = re.sub(rf"\$(?:({'|'.join(homes)})\b|{{({'|'.join(homes)})\b)", r"$home", line)
    if _OPTION.search(line):
        yield "value in -v"
    if _PROGRAM.search(line):
        yield "program text"
    if _LOGIN.search(line):
        yield "word of a login"
    for part in (*_APART.split(line), *_OUTER.split(line)):
        words = _ASSIGNED.sub("", part.strip()).split()
        first = words[0] if words else ""
        if not as_user and first in _TOUCHING and _HOME.search(part):
            yield "in a home"
        if not as_user and _HERE.search(" ".join(words)):
            yield "in a home"
        others = _BUILTINS | _WITH_HOMES
        if not as_user and first.isidentifier() and first not in others and re.search(r"\s\"\$(home|HOME)\b", part):
            yield "in a home"
        if not as_user and re.search(r"[<>]\s*\"?(\$\{?\w*home|~)", part):
            yield "in a home"
        if first not in _BUILTINS and first.isidentifier() and _SECRET.search(part) and words[1:]:
            yield "secret argument"


def found(file: str, source: str) -> set[Found]:
    """Return the forms in one file, whether allowed or not."""
    return set(_found(file, source))


def _found(file: str, source: str) -> Iterator[Found]:
    for name, start, text in texts(file, source):
        joined = text.replace("\\\\\n", "")  # continuation lines of sh
        homes = set(_IN_HOME.findall(joined))
        for number, line in enumerate(joined.split("\n")):
            code = re.sub(r"(^|\s)#\s.*", "", line)
            for form in dict.fromkeys(forms(code, as_user=(file, name) in AS_USER, homes=homes)):
                yield Found(form, file, start + number, line.strip())


def judged(all_found: list[Found]) -> list[str]:
    """Return what must be fixed: forms that are not allowed, and exceptions that are no longer needed."""
    used = set()
    told = []
    for one in sorted(all_found, key=lambda one: (one.file, one.line, one.form)):
        reasons = [key for key in ALLOWED if key[:2] == (one.form, one.file) and key[2] in one.text]
        used |= set(reasons)
        if not reasons:
            told.append(f"{one.file}:{one.line}: {one.form}: {one.text}")
    return told + [f"tests/forms.py: allowed, and not there any more: {key}" for key in sorted(set(ALLOWED) - used)]


def everything() -> list[Found]:
    """Search all files with scripts for hosts."""
    files = (
        file
        for folder in FOLDERS
        for file in sorted((REPOSITORY / folder).rglob("*.*"))
        if file.suffix in (".py", ".sh")
    )
    return [one for file in files for one in found(str(file.relative_to(REPOSITORY)), file.read_text("utf-8"))]


if __name__ == "__main__":
    wrong = judged(everything())
    for line in wrong:
        print(line)
    if wrong:
        print("What is meant instead: the first lines of tests/forms.py")
    sys.exit(bool(wrong))
