"""The client of fail2ban's server, with a server in the test."""

import json
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hosts.scripts import script


def test_questions_are_answered_each_over_its_own_connection(tmp_path: Path) -> None:
    """As servers before 0.10 require; a refusal is an exception from a module that is not imported."""
    told = {"ping": "pong", "get sshd ignoreip": ["::1"], "status nix": None}
    at = tmp_path / "f2b.sock"
    with _serving(at, told) as asked:
        (tmp_path / "fail2ban.conf").write_text(f"[Definition]\nsocket = {at}\n")
        answers = _ask(tmp_path, "\n".join(told))
    assert list(map(json.loads, answers.stdout.splitlines())) == ["pong", ["::1"], None]
    assert asked == list(told)


def test_a_server_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "fail2ban.conf").write_text(f"socket = {tmp_path}/none.sock\n")
    answers = _ask(tmp_path, "ping")
    assert (answers.returncode, answers.stdout, answers.stderr) == (1, "", "")


def _ask(folder: Path, questions: str) -> "subprocess.CompletedProcess[str]":
    client = folder / "fail2ban-client"
    client.write_text(f"#!{sys.executable} -Es\n")
    client.chmod(0o755)
    body = f"set -eu\n{script('components/fail2ban/client.sh')}\nf2b_ask".replace("/etc/fail2ban", str(folder))
    path = f"{folder}:/usr/bin:/bin"
    return subprocess.run(
        ["sh", "-c", body], input=questions, capture_output=True, text=True, check=False, env={"PATH": path}
    )


@contextmanager
def _serving(path: Path, told: dict[str, Any]) -> Iterator[list[str]]:
    """Answer one question on each connection, as fail2ban's server does."""
    asked: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(10)
    listener.bind(str(path))
    listener.listen()

    def answer() -> None:
        for _ in told:
            one, _address = listener.accept()
            with one:
                words = pickle.loads(one.recv(65536).removesuffix(b"<F2B_END_COMMAND>"))
                asked.append(" ".join(words))
                value = told[asked[-1]]
                # an exception of fail2ban's, as pickled
                refused = b"(I1\ncfail2ban.exceptions\nUnknownJailException\n(Vnix\ntRt."
                one.sendall((pickle.dumps((0, value)) if value else refused) + b"<F2B_END_COMMAND>")

    with listener, ThreadPoolExecutor(1) as pool:
        done = pool.submit(answer)
        yield asked
        done.result()
