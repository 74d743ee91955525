"""The comment on a pull request: text of hosts and configs is always formatted as code, and cuts are marked."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.outcome import ResourceChange, StackOutcome, Status
from fleet.published import Mask
from fleet.report import LIMIT, Result, as_json, junit, markdown

URN = "urn:pulumi:p::stockade::stockade:index:HardenedHost$pulumi-python:dynamic/stockade"
HOSTILE = [
    "web\n```\n\n# Preview: no changes :white_check_mark:\n\n@org/security [details](https://evil.example)\n\n<!--",
    "``````\n<script>alert(1)</script>",
    "~~~\n<img src=x onerror=alert(1)>",
    "a | b\n|---|---|\n| c | d |",
    "\n\n<details><summary>no changes</summary>\n\n",
    "\r\n```\r\n@everyone\r\n",
    "\u2028```\u2028# x",
    "x\x1b]0;TITLE\x07\x1b[31mred",
    "\u202efdp.exe\u200b",
    "    ```\n   ````diff\n",
    "![](https://evil.example/pixel.png) https://evil.example #1 @org",
    "&lt;!-- <!-- --> ]]>",
]
ANY = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.text("`~\n <>!-@[]()#|*_\r\t", max_size=60))
OURS = re.compile(
    r"### [A-Za-z0-9.-]+: (preview|\*\*the preview failed\*\*)|### (`+) .* \2: (preview|\*\*the preview failed\*\*)|"
    r"\d+ stacks?: [0-9a-z ,;.]* s|Not shown here:|"
    r"\*\*Not all of it is shown here: [a-z'(). ]+\.\*\* What is left out is listed at the end\.|"
)


def outside(text: str) -> list[str]:
    """Return the lines outside fences (CommonMark 4.5); fails if a fence is left open."""
    lines, fence = [], ""
    for line in text.split("\n"):
        if fence:
            if re.fullmatch(rf" {{0,3}}{fence}`*[ \t]*", line):
                fence = ""
        elif opened := re.match(r" {0,3}(`{3,})[^`]*$", line):
            fence = opened[1]
        else:
            lines.append(line)
    assert not fence, "a fence is left open"
    return lines


def check(text: str, limit: int = LIMIT) -> None:
    assert len(text) <= limit
    assert all(letter in "\n\t" or letter.isprintable() or letter in "\xa0\u3000" for letter in text)
    assert [line for line in outside(text) if not OURS.fullmatch(line)] == []


def _block(kind: str, host: str, lines: list[str], operation: str = "update") -> str:
    mark = {"update": "~", "create": "+"}[operation]
    return "\n".join(
        (
            f"    {mark} pulumi-python:dynamic/stockade:{kind}: ({operation})",
            f"        [urn={URN}:{kind}::{host}]",
            *lines,
        )
    )


def _outcome(output: str, failures: list[tuple[str, str]] | None = None, **more: Any) -> StackOutcome:
    status = Status.FAILED if failures else Status.DONE
    return StackOutcome("lab", status, 2.0, {"update": 1}, 3, tuple(failures or ()), output, **more)


@given(st.lists(ANY, min_size=6, max_size=6), st.sampled_from([500, 9000, LIMIT]))
def test_nothing_escapes_from_its_fence(words: list[str], limit: int) -> None:
    from fleet.published import clean  # as a run processes output and events of engines

    title, host, message, line, advice, name = map(clean, words)
    output = "\n".join(
        (
            _block("Ruleset", "web1", [f"          + {part}" for part in line.split("\n")]),
            _block("Sshd", name, [], "create"),
        )
    )
    outcome = _outcome(
        output,
        [(host, message)],
        changed=(ResourceChange(host, "Ruleset", name, "update"),),
        advice=((host, advice),),
        hosts={"x": host},
    )
    for outcomes in ([outcome], [outcome, outcome]):
        check(
            markdown(Result(title, "preview", outcomes, 2.0, would=True, remarks=[message]), 8000 + limit), 8000 + limit
        )
    check(markdown(Result(title, "preview", error=message), 8000 + limit), 8000 + limit)
    json.loads(as_json(Result(title, "preview", [outcome])))
    assert "\x1b" not in junit(Result(title, "preview", [outcome]))


@pytest.mark.parametrize("operation", ["update", "create"])
def test_what_is_dangerous_is_to_be_seen_in_a_change_that_is_too_long(operation: str) -> None:
    """Root login is allowed four times, each time after a ruleset that alone exceeds the limit of a comment."""
    rules = [f"          + -A INPUT -p tcp --dport {port} -j ACCEPT" for port in range(1, 2500)]
    context = ["            -A INPUT -j ACCEPT" for _ in range(500)]
    parts = []
    for number in range(1, 5):
        parts.append(_block("Ruleset", f"web{number}-ipv4", [*context, *rules], operation))
        parts.append(_block("Sshd", f"web{number}-sshd", ["          + PermitRootLogin yes"], operation))
    output = "\n".join(parts)
    assert len(output) > 4 * LIMIT
    broken = [(f"web{number}", f"no-root-login: web{number}: root may log in") for number in range(1, 5)]
    result = Result("lab", "preview", [_outcome(output, broken)], 2.0, would=True, whole="the artifact has all of it.")
    text = markdown(result)
    check(text)
    assert text.count("PermitRootLogin yes") == 4
    assert text.index("no-root-login: root may log in") < 600
    assert "**Not all of it is shown here: the artifact has all of it.**" in text[:300]
    for number in range(1, 5):
        assert re.search(rf"^Ruleset web{number}-ipv4: \d+ lines of 3001$", text, re.M)
    whole = {line.strip() for line in output.split("\n")}
    shown = [line for line in text.split("\n") if "-A INPUT" in line]
    assert shown
    assert all(line.replace("+", "+ ", 1).replace("  ", " ") and line.lstrip("+ ").strip() in {
        one.lstrip("+ ").strip() for one in whole} for line in shown)  # fmt: skip


def test_one_line_that_is_too_long_is_left_out_whole() -> None:
    output = _block("Sshd", "web1", [f"          + {'x' * 2 * LIMIT}", "          + PermitRootLogin yes"])
    text = markdown(Result("lab", "preview", [_outcome(output)], 2.0, would=True))
    check(text)
    assert "xxx" not in text
    assert "PermitRootLogin yes" in text
    assert "Sshd web1: 1 line of 4" in text


def test_failures_without_end_leave_room_for_what_they_are() -> None:
    many = [(f"h{number}", f"h{number}: fails {number} times of {'y' * 200}") for number in range(2000)]
    text = markdown(Result("lab", "preview", [_outcome("", many)], 2.0, would=True))
    check(text)
    assert re.search(r"^failures: \d+ lines of 2001$", text, re.M)


SECRETS = {
    "PULUMI_CONFIG_PASSPHRASE": "correct horse/battery+staple",
    "GITHUB_TOKEN": "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
    "SSH_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAAB3NzaC1yc2E\n-----END PRIVATE KEY-----\n",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "PGPASSWORD": "quo\"te\\d's ü",
    "PULUMI_BACKEND_URL": "postgres://stockade:s3cr%2Ft-Word@db.example/state?sslmode=require&password=hunter22",
    "APP_PAT": "pat-0123456789",
    "STOCKADE_SECRETS": "ODD_NAME",
    "ODD_NAME": "a-thing-kept-close",
    "PATH": "/usr/bin:/bin",
    "KEYBOARD": "",
}
VALUES = [
    *(SECRETS[name] for name in SECRETS if name not in ("PATH", "PULUMI_BACKEND_URL", "STOCKADE_SECRETS", "KEYBOARD")),
    *("s3cr%2Ft-Word", "s3cr/t-Word", "hunter22", "b3BlbnNzaC1rZXk", "AAAAB3NzaC1yc2E"),
]
WAYS = {
    "as it is": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 with an end of line": lambda text: base64.b64encode(f"{text}\n".encode()).decode(),
    "base64 within": lambda text: base64.b64encode(f"PASS={text}\nX=1".encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "percent": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "JSON": json.dumps,
    "Python": repr,
    "hex": lambda text: text.encode().hex(),
    "indented": lambda text: "\n".join(f"    + {line}" for line in text.split("\n")),
    "in one line": lambda text: text.replace("\n", ""),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", VALUES)
def test_no_secret_of_the_environment_is_left_however_it_is_written(value: str, way: str) -> None:
    mask = Mask.of(SECRETS)
    text = f"before {WAYS[way](value)} after /usr/bin:/bin"
    told = mask(text)
    assert "***" in told
    assert told.startswith("before ")
    assert told.endswith(" after /usr/bin:/bin")
    for line in value.strip().split("\n"):
        assert line not in told
        assert quote(line, safe="") not in told
        middle = base64.b64encode(line.encode()).decode()[4:-4]
        assert not middle or middle not in told


@given(st.text(min_size=5, max_size=40), st.sampled_from([*WAYS]))
def test_no_generated_secret_is_left(value: str, way: str) -> None:
    if not value.isascii() or len(value.strip()) < 5 or "=" in value or "-" in value:
        value = f"pass{abs(hash(value))}word"
    told = Mask.of({"A_SECRET": value})(f"<{WAYS[way](value)}>")
    assert value.strip() not in told


def test_what_a_variable_names_as_a_file_is_masked(tmp_path: Any) -> None:
    (tmp_path / "phrase").write_text("correct horse\n")
    mask = Mask.of({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "phrase")})
    assert mask("the correct horse runs") == "the *** runs"
