"""Hosts that people have set up in ways of their own are adopted, and nothing changes on them: not by `adopt`, not by
`up`, not by `destroy`.

STOCKADE_ADOPT=all takes every prepared host, STOCKADE_ADOPT=ufw,arch these.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.adopt.hosts import PREPARED, SHORT, SUDO_PASSWORD, Prepared
from tests.lab.conftest import up_if_to_be_had
from tests.lab.stack import PASSPHRASE, REPOSITORY, Result, Stack

WANTED = os.environ.get("STOCKADE_ADOPT") or ",".join(SHORT)
CHOSEN = tuple(one for one in PREPARED if WANTED == "all" or one.name in WANTED.split(","))
LOOK = (Path(__file__).parent / "snapshot.sh").read_text()
Snapshot = dict[str, list[str]]


def snapshot(host: LabHost) -> Snapshot:
    """Everything that must stay the same on a host, by part."""
    parts = host.exec(LOOK, check=False).stdout.split("## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].splitlines() for part in parts}


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """The difference: removed (-) and new (+) lines."""
    out = []
    for part, lines in before.items():
        out += [f"- {part}: {line}" for line in lines if line not in {*after[part]}]
        out += [f"+ {part}: {line}" for line in after[part] if line not in {*lines}]
        if lines != after[part] and not out:
            out.append(f"{part}: another order")
    return out


@dataclass
class Adopted:
    """Prepared hosts, what they were like, and their stack."""

    hosts: dict[str, LabHost]
    before: dict[str, Snapshot]
    stack: Stack
    sessions: dict[str, "subprocess.Popen[str]"]
    ended: Result

    @property
    def config(self) -> str:
        """The stack config."""
        return (self.stack.folder / "stacks/Pulumi.test.yaml").read_text()

    @property
    def rules(self) -> str:
        """All files of rules."""
        return "".join(file.read_text() for file in sorted((self.stack.folder / "stacks/rules").glob("*")))

    def assert_nothing_changed(self) -> None:
        """Fail with what is no longer as it was."""
        with ThreadPoolExecutor() as pool:
            after = dict(zip(self.hosts, pool.map(snapshot, self.hosts.values()), strict=True))
        differences = {name: found for name in self.hosts if (found := changed(self.before[name], after[name]))}
        assert differences == {}
        for name, session in self.sessions.items():
            assert session.poll() is None, f"{name}: a session that was open has ended"


@pytest.fixture(scope="module")
def adopted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adopted]:
    """Prepare the hosts, look at them, and adopt all of them at once."""
    names = [f"own-{one.name}" for one in CHOSEN]
    lab.down(names)
    hosts = {one.name: host for one in CHOSEN if (host := up_if_to_be_had(lab, f"own-{one.name}", one.variant))}
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda one: hosts[one.name].exec(one.script, limit=240), [one for one in CHOSEN if one.name in hosts]
            )
        )
    stack = Stack(tmp_path_factory.mktemp("adopted") / "project")
    sessions = {one.name: _session(hosts[one.name], one) for one in CHOSEN if one.name in hosts}
    before = {name: snapshot(host) for name, host in hosts.items()}
    ended = adopt(stack, *((hosts[one.name], one) for one in CHOSEN if one.name in hosts))
    yield Adopted(hosts, before, stack, sessions, ended)
    for session in sessions.values():
        session.kill()
        session.wait()
    lab.down(names)


def adopt(stack: Stack, *hosts: tuple[LabHost, Prepared], also: tuple[str, ...] = ()) -> Result:
    """Run `stockade adopt`, as a user would; nobody is there to answer."""
    stack.environment |= {"STOCKADE_SUDO_PASSWORD": SUDO_PASSWORD}
    words = [f"{one.name}={one.user}@{host.ipv4}:{one.port}" for host, one in hosts]
    keys = [word for host, _ in hosts for word in ("--host-key", fingerprint(host))]
    identity = hosts[0][0].key_file
    argv = [*(sys.executable, "-m", "cli", "adopt", *words), "-s", "test", "-i", str(identity), *keys, *also]
    return in_checkout(stack, [*argv, "-C", str(stack.folder)])


def in_checkout(stack: Stack, argv: list[str]) -> Result:
    """Run a command of the checkout on the stack's project."""
    environment = {**os.environ, "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "NO_COLOR": "1", **stack.environment}
    done = subprocess.run(
        argv,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(done.returncode, done.stdout + done.stderr)


def fingerprint(host: LabHost) -> str:
    """The fingerprint of a host's key, by ssh-keygen."""
    listed = ["ssh-keygen", "-lf", "-"]
    shown = subprocess.run(listed, input=host.host_key, capture_output=True, text=True, check=True).stdout
    return shown.split()[1]


def _session(host: LabHost, one: Prepared) -> "subprocess.Popen[str]":
    """Log in and stay."""
    options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={host.known_hosts}", "-p", str(one.port)]
    argv = [
        "ssh",
        "-F",
        "none",
        "-i",
        str(host.key_file),
        "-o",
        "IdentitiesOnly=yes",
        *options,
        f"{one.user}@{host.ipv4}",
    ]
    session = subprocess.Popen([*argv, "echo in; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    assert session.stdout.readline() == "in\n", one.name
    return session


def test_reading_changes_nothing(adopted: Adopted) -> None:
    assert adopted.ended.status == 0, adopted.ended.output
    assert "Traceback" not in adopted.ended
    assert "cannot be imported" not in adopted.ended
    adopted.assert_nothing_changed()


@pytest.mark.parametrize("one", CHOSEN, ids=lambda one: one.name)
def test_what_was_found_is_said(adopted: Adopted, one: Prepared) -> None:
    if one.name not in adopted.hosts:
        pytest.skip("its packages cannot be downloaded now")
    written = adopted.config + adopted.rules
    for text in one.said:
        assert text in written
    for text in one.left_out:
        assert f"# Not taken over: {text}" in written
        assert text.partition(":")[0] in adopted.ended


def test_up_changes_nothing(adopted: Adopted) -> None:
    _set_passwords(adopted)
    shown = adopted.stack.up()
    assert "updated" not in shown
    adopted.assert_nothing_changed()


def test_a_second_up_and_a_refresh_find_nothing(adopted: Adopted) -> None:
    shown = adopted.stack.up()
    assert not [line for line in shown.output.splitlines() if line.lstrip()[:1] in "+-~" and "stockade:" in line]
    refreshed = adopted.stack.refresh()
    assert not [line for line in refreshed.output.splitlines() if line.lstrip()[:1] in "+-~" and "stockade:" in line]
    adopted.stack.unchanged()
    adopted.assert_nothing_changed()


def test_destroy_leaves_what_was_there(adopted: Adopted) -> None:
    adopted.stack.destroy()
    adopted.assert_nothing_changed()


def _set_passwords(adopted: Adopted) -> None:
    """Run the commands that the file says are to be run."""
    for line in adopted.config.splitlines():
        if line.startswith("# TODO: "):
            words = line.removeprefix("# TODO: stockade ").replace("'", "").split()
            done = in_checkout(
                adopted.stack,
                [sys.executable, "-m", "cli", *words, SUDO_PASSWORD, "-C", str(adopted.stack.folder)],
            )
            assert done.status == 0, done.output
