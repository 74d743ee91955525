"""Composing scripts and parsing their answers, with the shells of this machine."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.shell import SKIPPED, Answer, ComposedRun, GarbledError, Script, compose, parse, quote
from hosts.text.rawtext import to_text

SHELLS = [
    pytest.param(
        command,
        id=command[0],
        marks=pytest.mark.skipif(not shutil.which(command[0]), reason=f"{command[0]} is not installed"),
    )
    for command in (["dash"], ["bash", "--posix"], ["busybox", "sh"])
]


def run(text: ComposedRun, shell: list[str] | None = None) -> list[Answer | None]:
    done = subprocess.run(shell or ["sh"], input=text.text, capture_output=True, timeout=60, check=False)
    return parse(text, done.stdout, done.stderr)


def one(script: Script, shell: list[str] | None = None) -> Answer:
    [answer] = run(compose([script]), shell)
    assert answer is not None
    return answer


@pytest.mark.parametrize("shell", SHELLS)
def test_sections_are_byte_exact(shell: list[str]) -> None:
    body = """\
echo before
section plain printf 'no newline at the end'
section empty :
begin raw; printf '\\000\\377\\n\\n x'; end
echo after
"""
    answer = one(Script("print", body), shell)
    assert answer.sections == {"plain": "no newline at the end", "empty": "", "raw": "\0\ufffdFF\n\n x"}
    assert answer.stdout == "before\nafter\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_has_its_own_status_streams_and_variables(shell: list[str]) -> None:
    scripts = [
        Script("first", "echo $word; echo complaint >&2; exit 3", {"word": "one"}),
        Script("second", 'echo "${word:-unset}"'),
    ]
    first, second = run(compose(scripts, stop_on_failure=False), shell)
    assert first is not None
    assert second is not None
    assert (first.status, first.stdout, first.stderr) == (3, "one\n", "complaint\n")
    assert (second.status, second.stdout, second.stderr) == (0, "unset\n", "")


def test_a_failure_skips_what_follows_but_an_accepted_status_does_not() -> None:
    accepted, failed, skipped = run(
        compose(
            [Script("a", "exit 2", accepts=frozenset({0, 2})), Script("b", "false; echo on"), Script("c", "echo c")]
        )
    )
    assert accepted is not None
    assert failed is not None
    assert skipped is not None
    assert (accepted.status, failed.status, skipped.status) == (2, 1, SKIPPED)
    assert failed.stdout == ""
    assert accepted.ran
    assert not skipped.ran


def test_a_syntax_error_stays_with_its_script() -> None:
    broken, sound = run(
        compose([Script("broken", "if true; echo }"), Script("sound", "echo ok")], stop_on_failure=False)
    )
    assert broken is not None
    assert sound is not None
    assert broken.status != 0
    assert "yntax" in broken.stderr
    assert sound.stdout == "ok\n"


def test_unset_variables_and_failed_commands_end_a_script() -> None:
    assert one(Script("unset", 'echo "$nothing"; echo on')).stdout == ""
    assert one(Script("false", "false; echo on")).status == 1


def test_a_section_keeps_the_status_of_its_command() -> None:
    answer = one(Script("s", "section kept sh -c 'echo shown; exit 7'; echo on"))
    assert (answer.status, answer.sections, answer.stdout) == (7, {"kept": "shown\n"}, "")


def test_a_section_that_was_not_ended_is_left_out() -> None:
    answer = one(Script("s", "begin half; echo some; exit 5"))
    assert (answer.status, dict(answer.sections)) == (5, {})


def test_standard_input_of_a_script_is_empty_and_files_are_private() -> None:
    assert one(Script("s", "cat; umask")).stdout.strip() in ("077", "0077")


@pytest.mark.parametrize("shell", SHELLS)
def test_where_the_login_starts_and_what_it_allows_itself_does_not_count(shell: list[str], tmp_path: Path) -> None:
    run = compose([Script("look", 'pwd; ulimit -f; ulimit -t; [ "$(ulimit -n)" -ge 1024 ] && echo enough')])
    narrow = 'ulimit -S -f 4; ulimit -S -t 2; ulimit -S -n 12; exec "$@"'
    argv = ["sh", "-c", narrow, "sh", *shell]
    done = subprocess.run(argv, input=run.text, capture_output=True, timeout=60, check=False, cwd=tmp_path)
    [answer] = parse(run, done.stdout, done.stderr)
    assert answer is not None
    assert answer.stdout == "/\nunlimited\nunlimited\nenough\n"


def test_heredocs_and_loops_in_bodies_work() -> None:
    body = "for n in 1 2; do cat <<EOF\nline $n of $what\nEOF\ndone\n"
    assert one(Script("s", body, {"what": "it's"})).stdout == "line 1 of it's\nline 2 of it's\n"


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_a_text_cut_in_the_middle_executes_nothing(keep: float, tmp_path: object) -> None:
    text = compose([Script("touch", f"echo ran > {tmp_path}/ran"), Script("more", "echo " + "x" * 3000)])
    cut = text.text[: int(len(text.text) * keep)]
    done = subprocess.run(["sh"], input=cut, capture_output=True, timeout=20, check=False)
    assert done.stdout == b""
    assert not (tmp_path / "ran").exists()  # type: ignore[operator]


def test_a_run_that_stopped_half_way_tells_what_finished() -> None:
    text = compose([Script("a", "echo a"), Script("b", "kill -9 $$"), Script("c", "echo c")])
    first, second, third = run(text)
    assert first is not None
    assert first.stdout == "a\n"
    assert second is None
    assert third is None


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80))
def test_any_value_arrives_as_it_is(value: str) -> None:
    assert one(Script("s", "section v printf '%s' \"$v\"", {"v": value})).sections["v"] == value


def test_bytes_that_are_not_text_arrive_as_they_are() -> None:
    value = to_text(bytes(range(1, 256)))
    assert one(Script("s", "section v printf '%s' \"$v\"", {"v": value})).sections["v"] == value


def test_ten_thousand_lines_come_and_go() -> None:
    rules = "".join(f"-A INPUT -s 198.51.100.{n % 256}/32 -p tcp --dport {n} -j ACCEPT\n" for n in range(10_000))
    answer = one(Script("s", "section rules printf '%s' \"$rules\"", {"rules": rules}))
    assert answer.sections["rules"] == rules


@pytest.mark.parametrize("name", ["a-b", "1a", "", "PATH", "IFS", "_status", "a;b", "a\n"])
def test_names_that_are_no_variables_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="shell variable"):
        Script("s", ":", {name: "x"})


def test_nul_and_doubled_names_are_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        Script("s", ":", {"a": "x\0y"})
    with pytest.raises(ValueError, match="both"):
        Script("s", ":", {"a": "x"}, {"a": "y"})


def test_quote_is_one_word() -> None:
    assert quote("it's $x `y`") == "'it'\\''s $x `y`'"


def test_reprs_show_no_data() -> None:
    script = Script("s", "body hunter2", {"v": "hunter2"}, {"w": "hunter2"})
    shown = repr(script) + repr(compose([script])) + repr(Answer("hunter2", "hunter2", 0, {"x": "hunter2"}))
    assert "hunter2" not in shown


@cache
def _two_answers() -> tuple[ComposedRun, bytes, bytes]:
    text = compose([Script("a", "section one echo x"), Script("b", ":")], nonce="0123456789abcdef")
    done = subprocess.run(["sh"], input=text.text, capture_output=True, timeout=60, check=True)
    return text, done.stdout, done.stderr


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_stream_of_any_form_is_an_answer_or_garbled(data: st.DataObject) -> None:
    """The host knows the nonce of its run, but whatever it does with it, the worst result is `GarbledError`."""
    text, stdout, stderr = _two_answers()
    mark = b"\n0123456789abcdef "
    pieces = [*stdout.split(mark), b"S 9", b"X", b"X 999999999999", b"B", b"E", b"S -1\n", b"Q 1\n", b"P x\n"]
    lie = mark.join(data.draw(st.lists(st.sampled_from(pieces) | st.binary(max_size=20), max_size=12)))
    try:
        answers = parse(text, lie, data.draw(st.sampled_from([b"", lie, stderr])))
    except GarbledError:
        return
    assert len(answers) == 2
