"""`stockade adopt` and `init` from their words to their files, with hosts that answer at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from adopt import begin, command
from adopt.command import Answers, main, operator_of
from adopt.login import SUDO_PASSWORD, HostKey
from adopt.reading import Reading
from adopt.survey import Survey
from adopt.target import Target
from hosts.errors import Unreachable

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvwe4CBNlMXK806cWCxEH5i6FRD1JkOUss4Lg+MrnAF me@here"
DOWN = "203.0.113.99"


def key(number: int) -> HostKey:
    return HostKey(f"ssh-ed25519 AAAA{number}", f"SHA256:{number}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and hosts: each has a key by the last number of its address, and its own name; one does not answer."""
    sudo: Mapping[str, str] = {"203.0.113.8": "secret"}
    keys = {"203.0.113.18": 8}

    def entered(target: Target, _confirm: Any, _password: Any) -> tuple[Any, HostKey]:
        address = target.login.host
        if address == DOWN:
            raise Unreachable(cause="no answer", host=target.words)
        login = SimpleNamespace(sudo_password=sudo.get(address))
        other = SimpleNamespace(sudo_password="of another login")
        host = SimpleNamespace(address=address, access=SimpleNamespace(logins=lambda: [("admin", login), ("x", other)]))
        return host, key(keys.get(address, int(address.rpartition(".")[2])))

    def read(host: Any, progress: Any, *_stack: str) -> Reading:
        progress("accounts")
        name = {"203.0.113.11": "-odd-"}.get(host.address, "web1.example.org")
        return Reading(Survey(name, "debian 12", "debian", (), "", ()), {"sysctl": {}}, left_out=["updates: none"])

    monkeypatch.setattr(command, "entered", entered)
    monkeypatch.setattr(command, "read", read)
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def adopted(project: Path, *hosts: str, **settings: Any) -> tuple[int, dict[str, Any]]:
    """The exit status, and the stack config."""
    status = main(hosts, "mine", lambda: project, shows_preview=False, **settings)
    file = project / "stacks/Pulumi.mine.yaml"
    return status, yaml.safe_load(file.read_text())["config"] if file.is_file() else {}


def test_each_host_has_a_name_of_its_own_and_its_key(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, config = adopted(project, "db=root@203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.11")
    assert status == 0
    assert {name: entry["hostKey"][-1] for name, entry in config["stockade:hosts"].items()} == {
        "db": "7",
        "web1": "8",
        "web1-2": "9",
        "host-203-0-113-11": "1",
    }
    said = capsys.readouterr().err
    assert "203.0.113.8: taken over: sysctl; not: updates\n" in said
    assert "db=root@203.0.113.7: reads accounts" in said
    assert "written: stacks/Pulumi.mine.yaml" in said


def test_a_login_whose_sudo_asks_is_marked(project: Path) -> None:
    adopted(project, "203.0.113.8", "203.0.113.9")
    lines = [line for line in (project / "stacks/Pulumi.mine.yaml").read_text().splitlines() if "TODO" in line]
    assert [("web1.admin.sudoPassword" in line, "web1-2" in line) for line in lines] == [(True, False)]


def test_a_machine_with_two_addresses_is_read_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, config = adopted(project, "root@203.0.113.8", "root@203.0.113.18")
    assert (status, len(config["stockade:hosts"])) == (1, 1)
    assert "the same machine as root@203.0.113.8" in capsys.readouterr().err


def test_a_host_that_does_not_answer_stops_no_other(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, config = adopted(project, f"root@{DOWN}", "root@203.0.113.7")
    assert (status, [*config["stockade:hosts"]]) == (1, ["web1"])
    assert f"Not read: root@{DOWN}: " in (project / "stacks/Pulumi.mine.yaml").read_text()
    assert adopted(project / "none", f"root@{DOWN}") == (1, {})
    assert "no host could be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hosts", "stack", "said"), [(["a b"], "mine", "is not a host"), (["root@203.0.113.7"], "-x", "letters, digits")]
)
def test_wrong_words_are_refused_before_anything_is_read(
    project: Path, capsys: pytest.CaptureFixture[str], hosts: list[str], stack: str, said: str
) -> None:
    assert main(hosts, stack, lambda: project, shows_preview=False) == 2
    assert said in capsys.readouterr().err
    assert [*project.iterdir()] == []


def test_policies_report_until_somebody_says_otherwise(project: Path) -> None:
    adopted(project, "root@203.0.113.7")
    file = project / "stacks/policy.mine.json"
    assert '"all": "advisory"' in file.read_text()
    file.write_text("{}")
    (project / "stacks/Pulumi.mine.yaml").unlink()
    adopted(project, "root@203.0.113.7")
    assert file.read_text() == "{}"


def test_hardening_is_a_patch_of_what_was_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ssh = project.parent / "home/.ssh"
    ssh.mkdir(parents=True)
    (ssh / "id_ed25519.pub").write_text(PUBLIC + "\n")
    status, config = adopted(project, "root@203.0.113.7", hardens=True)
    assert status == 0
    assert "stockade:packages" not in config
    patch = (project / "stacks/harden.mine.patch").read_text()
    assert patch.startswith("--- a/stacks/Pulumi.mine.yaml\n+++ b/stacks/Pulumi.mine.yaml\n")
    assert "\n+  stockade:packages:\n" in patch
    assert PUBLIC.split()[1] in patch
    assert patch == capsys.readouterr().out


def test_the_operators_key_is_the_first_with_its_public_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert operator_of([]).keys == ()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_rsa.pub").write_text(PUBLIC.replace("me@here", "rsa"))
    (tmp_path / "own").write_text("private")
    assert [line.split()[-1] for line in operator_of([str(tmp_path / "own")]).keys] == ["rsa"]
    assert operator_of([]).private_key_file == ""
    (tmp_path / "own.pub").write_text(PUBLIC)
    named = operator_of([str(tmp_path / "own")])
    assert [line.split()[-1] for line in named.keys] == ["me@here"]
    assert named.private_key_file == "~/own"


@pytest.mark.parametrize(
    ("given", "interactive", "reply", "accepted"),
    [
        ({"SHA256:7"}, False, None, True),
        ({"SHA256:8"}, False, None, False),
        (set(), False, None, False),
        (set(), True, "y", True),
        (set(), True, "YES", True),
        (set(), True, "", False),
        (set(), True, "n", False),
    ],
)
def test_an_unknown_host_key_is_accepted_only_by_a_person(
    monkeypatch: pytest.MonkeyPatch, given: set[str], interactive: bool, reply: str | None, accepted: bool
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked") if reply is None else reply)
    target = SimpleNamespace(words="root@203.0.113.7")
    answers = Answers(frozenset(given), interactive)
    assert answers.confirm(target, HostKey("ssh-ed25519 AAAA", "ED25519 SHA256:7")) is accepted  # type: ignore[arg-type]


def test_a_sudo_password_is_given_or_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    target: Any = SimpleNamespace(words="deploy@203.0.113.7")
    monkeypatch.setattr("getpass.getpass", lambda question: f"answer to {question}")
    monkeypatch.delenv(SUDO_PASSWORD, raising=False)
    assert Answers(interactive=False).sudo_password(target) == ""
    assert Answers(interactive=True).sudo_password(target) == "answer to deploy@203.0.113.7: password for sudo: "
    monkeypatch.setenv(SUDO_PASSWORD, "sesame")
    assert Answers(interactive=True).sudo_password(target) == "sesame"


@pytest.mark.parametrize(("reply", "preset"), [("y", "web"), ("Yes", "web"), ("", "ssh"), ("no", "ssh")])
def test_init_asks_what_it_cannot_know(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reply: str, preset: str
) -> None:
    (project / "id.pub").write_text(PUBLIC)
    replies = iter(["203.0.113.7", "new1", "ann", reply, "y"])
    monkeypatch.setattr("builtins.input", lambda *_: next(replies))
    monkeypatch.setattr(begin, "Answers", lambda keys: Answers(keys, interactive=True))
    monkeypatch.setattr(begin, "shown_key", lambda _target: key(7))
    status = begin.main("mine", lambda: project, identities=[str(project / "id")], shows_preview=False)
    said = capsys.readouterr().err
    assert status == 0, said
    assert "next: read the preview; then `stockade up --stack mine`" in said
    config = yaml.safe_load((project / "stacks/Pulumi.mine.yaml").read_text())["config"]
    (name, entry), *_ = config["stockade:hosts"].items()
    assert (name, entry["address"], entry["hostKey"]) == ("new1", "203.0.113.7", key(7).line)
    assert entry["admin"]["user"] == "ann"
    assert entry["bootstrap"]["user"] == "root"
    assert config["stockade:firewall"] == {"preset": preset}


def test_init_without_a_public_key_or_a_confirmed_host_key_writes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(begin, "Answers", lambda keys: Answers(keys, interactive=False))
    monkeypatch.setattr(begin, "shown_key", lambda _target: key(7))
    words = ("mine", lambda: project, "web1=root@203.0.113.7")
    assert begin.main(*words, web=True, shows_preview=False) == 1
    assert "no public key" in capsys.readouterr().err
    (project / "id.pub").write_text(PUBLIC)
    own = {"identities": [str(project / "id")], "web": True, "shows_preview": False}
    assert begin.main(*words, **own) == 1  # type: ignore[arg-type]
    assert "its host key was not confirmed: SHA256:7" in capsys.readouterr().err
    assert not (project / "stacks").exists()
    assert begin.main(*words, **own, host_keys=["SHA256:7"]) == 0  # type: ignore[arg-type]
