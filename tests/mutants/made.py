"""The mutants of a file: copies with one changed line.

In Python a reversed comparison, a negated condition, a removed call, another number or key, nothing returned; in sh a
negated condition, a removed command, another status. What changes no answer is left alone: how much a cache keeps, and
whether `zip` checks lengths.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MODULE = ""
"""The scope of lines outside functions."""


@dataclass(frozen=True)
class Mutant:
    """One file with one changed line."""

    file: str
    before: str
    after: str
    scope: str = MODULE
    """The function of the line, as `__qualname__` has it."""
    tests: tuple[str, ...] = ()
    """Tests to try first, by their beginning."""

    def __str__(self) -> str:
        before, after = self.before.splitlines(), self.after.splitlines()
        lines = difflib.unified_diff(before, after, self.file, self.file, n=1, lineterm="")
        return "\n".join(line for line in lines if not line.startswith("---"))

    @property
    def line(self) -> str:
        """The changed lines, in one."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=0, lineterm="")
        return " ".join(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


_NO_ANSWER = ("maxsize", "strict")


def in_python(file: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a Python file."""
    tree = ast.parse(text)
    lines = text.split("\n")
    without = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    keys = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    keys |= {id(node.slice) for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
    without |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in _NO_ANSWER}
    scopes = _scopes(tree)

    def changed(node: ast.expr | ast.stmt, new: str) -> Mutant:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head = lines[first].encode()[: node.col_offset].decode()
        tail = lines[last].encode()[node.end_col_offset :].decode()
        after = [*lines[:first], *(head + new + tail).split("\n"), *lines[last + 1 :]]
        return Mutant(file, text, "\n".join(after), scopes.get(id(node), MODULE))

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPPOSITE:
            other = ast.Compare(node.left, [_OPPOSITE[type(node.ops[0])]()], node.comparators)
            yield changed(node, f"({ast.unparse(other)})")
        elif isinstance(node, ast.If | ast.IfExp | ast.While) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield changed(node.test, f"(not ({ast.unparse(node.test)}))")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
            yield changed(node, "pass")
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            yield changed(node.value, "None")
        elif isinstance(node, ast.Constant) and id(node) not in without:
            if isinstance(node.value, bool):
                yield changed(node, str(not node.value))
            elif isinstance(node.value, int):
                yield changed(node, str(node.value + 1))
            elif isinstance(node.value, str) and id(node) in keys and node.lineno == node.end_lineno:
                yield changed(node, repr(f"{node.value}_"))


def _scopes(tree: ast.Module) -> dict[int, str]:
    """Map each node within a function to the function's qualified name. Defaults and decorators are outside it."""
    found: dict[int, str] = {}

    def walk(node: ast.AST, scope: str, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if scope:
                found[id(child)] = scope
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}"
                for part in child.body:
                    found[id(part)] = name
                    walk(part, name, f"{name}.<locals>.")
            elif isinstance(child, ast.ClassDef):
                walk(child, scope, f"{prefix}{child.name}.")
            else:
                walk(child, scope, prefix)

    walk(tree, MODULE, "")
    return found


def scope_at(file: str, text: str, place: int) -> str:
    """Return the function around a place in a file."""
    line = text.count("\n", 0, place) + 1
    if file.endswith(".sh"):
        return next((scope for number, scope in enumerate(_sh_scopes(text.split("\n")), 1) if number == line), MODULE)
    tree = ast.parse(text)
    scopes = _scopes(tree)
    around = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or 0)]
    return scopes.get(id(max(around, key=lambda node: node.lineno)), MODULE)


_SH_LINES = (
    (re.compile(r"\bif (?!!)"), "if ! "),
    (re.compile(r"\bif ! "), "if "),
    (re.compile(r" = "), " != "),
    (re.compile(r" != "), " = "),
    (re.compile(r" && "), " || "),
    (re.compile(r" \|\| :(?=$|;)"), ""),  # `&& :` would change nothing: set -e ignores what fails before `&&`, too
    (re.compile(r" \|\| (?!:(?:$|;))"), " && "),
    (re.compile(r" -n "), " -z "),
    (re.compile(r" -z "), " -n "),
    (re.compile(r"\breturn 0\b"), "return 1"),
    (re.compile(r"\breturn 1\b"), "return 0"),
    (re.compile(r"\b(exit|return) (\d\d+|[2-9])"), r"\1 99"),
    (re.compile(r"\bexit [01]\b"), "exit 99"),
    (re.compile(r"\b(while|until) (?!!)"), r"\1 ! "),
)
_FUNCTION = re.compile(r"^(\w+)\(\) [{(]")
_COMMENT = re.compile(r"\s+#\s.*$")
_WHOLE = re.compile(r"^\s+(?!(?:if|then|else|elif|fi|for|do|done|while|until|case|esac|;;|in)\b)[a-z_]+ [^{}()]*$")


def in_sh(file: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a shell script."""
    lines = text.split("\n")
    for index, (line, scope) in enumerate(zip(lines, _sh_scopes(lines), strict=True)):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        code = _COMMENT.sub("", line)
        others = [pattern.sub(new, code, count=1) for pattern, new in _SH_LINES if pattern.search(code)]
        if _WHOLE.match(line) and not line.endswith(("\\", "|", "&&", "||")):
            others.append(re.sub(r"\S.*", ":", line))
        for other in others:
            yield Mutant(file, text, "\n".join([*lines[:index], other, *lines[index + 1 :]]), scope)


def _sh_scopes(lines: Sequence[str]) -> list[str]:
    found, scope = [], MODULE
    for line in lines:
        if start := _FUNCTION.match(line):
            scope = start[1]
        found.append(scope)
        if line in ("}", ")") or (start and line.endswith(("}", ")"))):
            scope = MODULE
    return found
