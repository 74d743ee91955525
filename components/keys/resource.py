"""`KeyPair`: an SSH key pair on the machine where Pulumi runs; no host is involved.

The private key exists only as a file: it is in no state, output or log. An existing file is used as is. `delete` leaves
both files in place. On a machine without the file (another operator's), `refresh` changes nothing.

Source: the guide, "Create an Authentication Keypair": `ssh-keygen -b 4096`; ssh-keygen(1).
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.core.served import Served
from components.failure import Failure
from components.keys.authorized_keys import AuthorizedKey
from components.keys.files import KeyPairInputs, generate, read_public, reseal, use
from hosts.ssh.connection import resolve


class KeyPairProvider(ResourceProvider):
    """Pulumi's CRUD for `KeyPair`, on local files."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate the inputs. Values unknown in a preview are skipped."""
        given = _given(news)
        known = {key: value for key, value in given.items() if not isinstance(value, Unknown)}
        try:
            model = KeyPairInputs.model_validate(known)
        except ValidationError as error:
            real = [item for item in error.errors() if item["type"] != "missing" or item["loc"][0] not in given]
            return CheckResult(given, [CheckFailure(_path(item["loc"]), _said(item["msg"])) for item in real])
        return CheckResult({**model.props(), **given}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the inputs one by one. Another path, type or size means another key; a type that the key has anyway
        changes nothing."""
        olds, news = _given(_olds), _given(_news)
        changed = {name for name in set(olds) | set(news) if olds.get(name) != news.get(name)}
        if news.get("type") in (None, _type_of(_olds)):
            changed -= {"type"}
        return DiffResult(changes=bool(changed), replaces=sorted(changed & {"path", "type", "bits"}))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Use the existing key, or generate one."""
        inputs = KeyPairInputs.model_validate(_given(props))
        path = resolve(inputs.path)
        with _told(path):
            made = generate(path, inputs)
            key = use(path, inputs)
        return CreateResult(str(path), _outs(inputs, key, made))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the public key again if the file exists here; otherwise assume no change."""
        inputs = KeyPairInputs.model_validate(_given(props))
        path = resolve(inputs.path)
        if not path.exists():
            return ReadResult(id_, dict(props), inputs.props())
        with _told(path):
            key = read_public(path, inputs)
        return ReadResult(id_, _outs(inputs, key, bool(props.get("made"))), inputs.props())

    def take(self, id_: str, *, record: bool, refuse: bool) -> ReadResult:
        """Import an existing key: the id is the path of its file. Raises Failure if it cannot be declared."""
        del record, refuse  # no host records who owns it
        path = resolve(id_)
        if not path.exists():
            return ReadResult("", {})
        with _told(path):
            key = read_public(path, KeyPairInputs(path=id_))
        kind = {"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}.get(key.type)
        size = {"bits": key.rsa_bits} if kind == "rsa" else {}
        try:
            inputs = KeyPairInputs.model_validate({"path": id_, "type": kind, **size})
        except ValidationError:
            kind = None
        if kind is None:
            raise Failure(f"{path}: cannot be imported: it is neither ed25519 nor RSA of at least 2048 bits")
        return ReadResult(str(path), _outs(inputs, key, made=False), inputs.props())

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change the passphrase or comment of a key that we generated, by rewriting the file."""
        before, inputs = KeyPairInputs.model_validate(_given(_olds)), KeyPairInputs.model_validate(_given(_news))
        path, made = resolve(inputs.path), bool(_olds.get("made"))
        with _told(path):
            if made:
                reseal(path, before, inputs)
            return UpdateResult(_outs(inputs, use(path, inputs), made))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave both files: hosts may still accept the key."""


class KeyPair(Served, provider=KeyPairProvider):
    """An SSH key pair on this machine. Properties: those of `KeyPairInputs`.

    Outputs: `publicKey`, `fingerprint` (`SHA256:...`), `made` (whether Stockade created it).
    """

    fingerprint: Output[str]
    made: Output[bool]

    def __init__(self, name: str, props: Mapping[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        own = {key: Output.secret(value) if key == "passphrase" else value for key, value in props.items()}
        outputs = dict.fromkeys(("publicKey", "fingerprint", "made"))
        super().__init__(name, {**outputs, **own}, opts)

    @property
    def public_key(self) -> Output[str]:
        """The line for authorized_keys."""
        line: Output[str] = self.__dict__["publicKey"]
        return line


_OUTPUTS = frozenset({"publicKey", "fingerprint", "made", "__provider"})


def _type_of(state: Mapping[str, Any]) -> str:
    """Return the type of a state's key; "" if the state has none."""
    kind = str(state.get("publicKey") or "").partition(" ")[0].removeprefix("ssh-")
    return kind if kind in ("rsa", "ed25519") else ""


def _given(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key not in _OUTPUTS and value is not None}


def _outs(inputs: KeyPairInputs, key: AuthorizedKey, made: bool) -> dict[str, Any]:
    return {**inputs.props(), "publicKey": str(key), "fingerprint": key.fingerprint, "made": made}


def _path(place: Sequence[int | str]) -> str:
    return ".".join(to_camel(str(part)) for part in place)


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn a file system error into one line."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{error.filename or path}: {error.strerror}") from None
