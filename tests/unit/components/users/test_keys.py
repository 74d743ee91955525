"""Key pairs on this machine: created once, never overwritten, never shown in outputs or errors."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pulumi.output import Unknown
from pulumi.runtime import set_mocks
from pulumi.runtime import test as ended
from pulumi.runtime.mocks import MockResourceArgs, Mocks
from pulumi.runtime.rpc import is_rpc_secret

from components.failure import Failure
from components.keys.public import public_keys
from components.keys.resource import KeyPair, KeyPairProvider
from components.keys.settings import KeySettings

PASSPHRASE = "correct horse, 'battery'"


def created(props: dict[str, Any]) -> dict[str, Any]:
    provider = KeyPairProvider()
    checked = provider.check({}, props)
    assert not checked.failures
    outs: dict[str, Any] = provider.create(checked.inputs).outs
    return outs


def keygen(*args: str | Path) -> str:
    return subprocess.run(["ssh-keygen", *args], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("props", "shown"), [({}, "4096 SHA256"), ({"type": "ed25519"}, "256 SHA256"), ({"bits": 2048.0}, "2048 SHA256")]
)
def test_a_new_key_is_one_that_ssh_keygen_knows(tmp_path: Path, props: dict[str, Any], shown: str) -> None:
    path = tmp_path / "new" / "id"
    outs = created({"path": str(path), "comment": "me@here", **props})
    assert keygen("-lf", path).startswith(shown)
    assert keygen("-y", "-f", path).split()[:2] == outs["publicKey"].split()[:2]
    assert outs["fingerprint"] == keygen("-lf", path).split()[1]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.with_name("id.pub").read_text().strip() == outs["publicKey"]
    assert path.read_text().splitlines()[3] not in json.dumps(outs)
    assert sorted(file.name for file in path.parent.iterdir()) == ["id", "id.pub"]


@pytest.mark.filterwarnings("ignore:.*bcrypt.kdf")
def test_a_passphrase_seals_the_key_and_can_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.keys.files.BCRYPT_ROUNDS", 1)
    path = tmp_path / "id"
    outs = created({"path": str(path), "type": "ed25519", "passphrase": PASSPHRASE})
    assert keygen("-y", "-P", PASSPHRASE, "-f", path)
    with pytest.raises(subprocess.CalledProcessError):
        keygen("-y", "-P", "", "-f", path)
    new = {**outs, "passphrase": "another one"}
    again = KeyPairProvider().update("", outs, new).outs
    assert again["publicKey"] == outs["publicKey"]
    assert keygen("-y", "-P", "another one", "-f", path).split()[1] == outs["publicKey"].split()[1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_used_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "id"
    keygen("-q", "-t", "ed25519", "-N", "", "-f", path)
    path.chmod(0o644)
    before = path.read_bytes()
    outs = created({"path": str(path)})
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert outs["made"] is False
    provider = KeyPairProvider()
    provider.update("", outs, {**outs, "comment": "other"})
    provider.delete("", outs)
    assert path.read_bytes() == before


def test_a_sealed_key_is_known_by_its_public_file(tmp_path: Path) -> None:
    path = tmp_path / "id"
    keygen("-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", path)
    outs = created({"path": str(path)})
    assert outs["fingerprint"] == keygen("-lf", path).split()[1]
    path.with_name("id.pub").unlink()
    with pytest.raises(Failure, match="declare the passphrase"):
        created({"path": str(path)})


@pytest.mark.parametrize(
    ("props", "why"),
    [
        ({"type": "rsa"}, "never overwritten"),
        ({"passphrase": PASSPHRASE}, "has no passphrase"),
        ({"path": "{folder}"}, "is a directory"),
        ({"path": "{folder}/id.pub"}, "is a public key; the private one belongs here"),
        ({"path": "{folder}/id/below"}, "File exists"),
    ],
)
def test_what_cannot_be_used_is_told_without_a_secret(tmp_path: Path, props: dict[str, Any], why: str) -> None:
    path = tmp_path / "id"
    keygen("-q", "-t", "ed25519", "-N", "", "-f", path)
    before = path.read_bytes()
    given = {"path": str(path), **props}
    with pytest.raises(Failure, match=why) as error:
        created({**given, "path": given["path"].format(folder=tmp_path)})
    assert PASSPHRASE not in str(error.value)
    assert path.read_bytes() == before


def test_the_wrong_passphrase_is_told_without_it(tmp_path: Path) -> None:
    path = tmp_path / "id"
    keygen("-q", "-t", "ed25519", "-N", "the right one", "-f", path)
    with pytest.raises(Failure, match="cannot be opened") as error:
        created({"path": str(path), "passphrase": PASSPHRASE})
    assert PASSPHRASE not in str(error.value)


def test_refresh_sees_another_key_and_minds_no_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "id"
    outs = created({"path": str(path), "type": "ed25519"})
    provider = KeyPairProvider()
    assert provider.read("x", outs).outs == outs
    path.unlink()
    assert provider.read("x", outs).outs == outs
    path.with_name("id.pub").unlink()
    keygen("-q", "-t", "ed25519", "-N", "", "-f", path)
    assert provider.read("x", outs).outs["fingerprint"] == keygen("-lf", path).split()[1] != outs["fingerprint"]


def test_a_bad_value_fails_the_preview_with_its_name_and_not_its_value(tmp_path: Path) -> None:
    result = KeyPairProvider().check({}, {"path": "x", "bits": 512, "passphrase": "abc"})
    assert {failure.property for failure in result.failures} == {"bits", "passphrase"}
    assert "abc" not in str([failure.reason for failure in result.failures])
    assert not KeyPairProvider().check({}, {"path": "x", "passphrase": Unknown()}).failures


def test_another_type_is_another_key() -> None:
    diff = KeyPairProvider().diff(
        "", {"path": "a", "publicKey": "k", "passphrase": "x"}, {"path": "b", "passphrase": "y"}
    )
    assert (diff.changes, diff.replaces) == (True, ["path"])


@pytest.mark.parametrize(
    ("before", "now", "replaces"),
    [("rsa", None, None), (None, "rsa", None), ("rsa", "ed25519", ["type"]), (None, "ed25519", ["type"])],
)
def test_a_type_that_the_key_has_anyway_changes_nothing(
    before: str | None, now: str | None, replaces: list[str] | None
) -> None:
    """As when a program over the package declares the key pair of a stack config, whose type has a default."""
    state = {"path": "a", "type": before, "publicKey": "ssh-rsa AAAA stockade"}
    diff = KeyPairProvider().diff("", state, {"path": "a", "type": now})
    assert (diff.changes, diff.replaces) == (replaces is not None, replaces or [])


def test_public_keys_from_text_and_files(tmp_path: Path) -> None:
    keygen("-q", "-t", "ed25519", "-N", "", "-C", "a b", "-f", tmp_path / "a")
    keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "b")
    one, two = ((tmp_path / name).read_text().strip() for name in ("a.pub", "b.pub"))
    both = tmp_path / "both"
    both.write_text(f"# team\nno-pty {one}\n\n{two}\n")
    assert public_keys([two], [str(both)]) == (two, f"no-pty {one}")
    with pytest.raises(ValueError, match=r"a: .*private key"):
        public_keys(files=[str(tmp_path / "a")])
    with pytest.raises(ValueError, match="key 1: no public key"):
        public_keys(["# nothing"])


def test_settings_use_the_guides_name_and_whatever_key_is_there() -> None:
    assert KeySettings().props() == {"path": "~/.ssh/id_rsa", "bits": 4096, "comment": "stockade"}
    assert KeySettings.model_validate({"path": "keys/x", "type": "ed25519"}).props()["type"] == "ed25519"


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (("-t", "ed25519"), {"type": "ed25519"}),
        (("-t", "rsa", "-b", "2048"), {"type": "rsa", "bits": 2048}),
        (("-t", "rsa", "-b", "3072"), {"type": "rsa", "bits": 3072}),
    ],
)
def test_a_key_that_is_imported_is_declared_as_what_it_is(tmp_path: Path, words: Any, inputs: dict[str, Any]) -> None:
    path = tmp_path / "id"
    keygen("-q", *words, "-N", "", "-C", "me@here", "-f", path)
    taken = KeyPairProvider().take(str(path), record=True, refuse=True)
    assert taken.id == str(path)
    assert {name: taken.inputs[name] for name in inputs} == inputs
    assert taken.inputs["path"] == str(path)
    assert taken.outs["made"] is False  # its passphrase and comment are its owner's
    assert taken.outs["publicKey"] == path.with_name("id.pub").read_text().strip()
    assert taken.outs["fingerprint"] == keygen("-lf", path).split()[1]
    checked = KeyPairProvider().check(taken.inputs, taken.inputs)
    assert not checked.failures
    assert not KeyPairProvider().diff("", taken.outs, checked.inputs).changes


def test_what_is_not_there_or_of_another_kind_is_not_imported(tmp_path: Path) -> None:
    gone = KeyPairProvider().take(str(tmp_path / "none"), record=True, refuse=True)
    assert (gone.id, gone.outs) == ("", {})
    keygen("-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "id")
    with pytest.raises(Failure, match=r"id: cannot be imported: it is neither ed25519 nor RSA of at least 2048 bits"):
        KeyPairProvider().take(str(tmp_path / "id"), record=True, refuse=True)


def test_the_passphrase_is_a_secret_of_the_resource_and_its_line_an_output() -> None:
    found: dict[str, Any] = {}

    class Made(Mocks):
        def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
            found.update(args.inputs)
            return args.name, {**args.inputs, "publicKey": "ssh-ed25519 AAAA me", "made": True}

        def call(self, _args: Any) -> dict[str, Any]:
            return {}

    def program() -> None:
        pair = KeyPair("mine", {"path": "~/id", "passphrase": PASSPHRASE})
        pair.public_key.apply(lambda line: found.update(line=line))

    set_mocks(Made())
    ended(program)()
    assert is_rpc_secret(found["passphrase"])
    assert found["path"] == "~/id"
    assert found["line"] == "ssh-ed25519 AAAA me"
