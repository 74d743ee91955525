"""`KeyPair`: an SSH key pair on the machine where Pulumi runs; no host takes part.

The private key is a file and nothing else: it is in no state, output or log. A file that is there already is used as it
is. `delete` leaves both files in place. On a machine without the file (another operator's), `refresh` changes nothing.

Source: the guide, "Create an Authentication Keypair": `ssh-keygen -b 4096`; ssh-keygen(1).
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pulumi import Input, Output, ResourceOptions, RunError
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown
from pydantic import Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from components.config.inventory import Settings
from components.config.named_files import read_own
from components.core.chapter import Failure
from components.keys.files import RSA_BITS, KeyPairInputs, generate, read_public, reseal, use
from components.keys.formats import as_lines
from components.users.authorized_keys import AuthorizedKey, KeyLineError, parse_keys
from hosts.ssh.connection import resolve
from hosts.text.textfiles import BadFile, private_key_fault


class KeySettings(Settings):
    """A key pair as the stack config declares it."""

    path: str | None = Field(None, description="Private key file. Default: ~/.ssh/id_rsa, ~/.ssh/id_ed25519.")
    type: Literal["rsa", "ed25519"] = Field("rsa", description="Type of a new key.")
    bits: int = Field(RSA_BITS, ge=2048, le=16384, description="Size of a new RSA key.")
    passphrase: SecretStr | None = Field(None, description="Passphrase of the private key; a secret.")
    comment: str = Field("stockade", description="Comment of a new key.")

    def props(self) -> dict[str, Any]:
        """Return the properties of `KeyPair`."""
        props: dict[str, Any] = {
            "path": self.path or f"~/.ssh/id_{self.type}",
            "bits": self.bits,
            "comment": self.comment,
        }
        if self.path is not None:  # without a path of its own, the key that is at the usual place will do
            props["type"] = self.type
        if self.passphrase is not None:
            props["passphrase"] = self.passphrase.get_secret_value()
        return props


class NoPublicKey(ValueError, RunError):  # noqa: N818  # RunError: Pulumi shows the message and no traceback
    """A text or file that was given as public keys and is none. The message names it."""


def public_keys(texts: Sequence[str] = (), files: Sequence[str] = ()) -> tuple[str, ...]:
    """Return public keys given as text and in files, one line each, options kept: a .pub or authorized_keys file, or
    what PuTTYgen saves.

    Raises `NoPublicKey`.
    """
    keys: list[AuthorizedKey] = []
    for number, text in enumerate(texts, 1):
        keys += _keys_in(f"key {number}", text)
    for file in files:
        try:
            text = read_own(file)
        except BadFile as error:
            raise NoPublicKey(str(error)) from None
        keys += _keys_in(str(resolve(file)), text, quoted=False)
    return tuple(dict.fromkeys(str(key) for key in keys))


def _keys_in(name: str, text: str, *, quoted: bool = True) -> tuple[AuthorizedKey, ...]:
    """Read keys; of a text that may be any file's nothing is `quoted` in an error."""
    if private_key_fault(text) == "" or "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY" in text:
        raise NoPublicKey(f"{name}: this is a private key; the public one (the file that ends in .pub) belongs here")
    try:
        found = parse_keys(as_lines(text))
    except KeyLineError as error:
        raise NoPublicKey(f"{name}: {error if quoted else error.unquoted}") from None
    except ValueError as error:
        raise NoPublicKey(f"{name}: {error}") from None
    if not found:
        raise NoPublicKey(f"{name}: no public key in it")
    return found


class KeyPairProvider(ResourceProvider):
    """Pulumi's CRUD for `KeyPair`, on local files."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate the inputs; what is unknown in a preview is left for later."""
        given = _given(news)
        known = {key: value for key, value in given.items() if not isinstance(value, Unknown)}
        try:
            model = KeyPairInputs.model_validate(known)
        except ValidationError as error:
            real = [item for item in error.errors() if item["type"] != "missing" or item["loc"][0] not in given]
            return CheckResult(given, [CheckFailure(_path(item["loc"]), _said(item["msg"])) for item in real])
        return CheckResult({**model.props(), **given}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare input by input; a key of another place, type or size is another key."""
        olds, news = _given(_olds), _given(_news)
        changed = {name for name in set(olds) | set(news) if olds.get(name) != news.get(name)}
        return DiffResult(changes=bool(changed), replaces=sorted(changed & {"path", "type", "bits"}))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Use the key that is there, or make one."""
        inputs = KeyPairInputs.model_validate(_given(props))
        path = resolve(inputs.path)
        with _told(path):
            made = generate(path, inputs)
            key = use(path, inputs)
        return CreateResult(str(path), _outs(inputs, key, made))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the public key again where the file is; elsewhere nothing is known to have changed."""
        inputs = KeyPairInputs.model_validate(_given(props))
        path = resolve(inputs.path)
        if not path.exists():
            return ReadResult(id_, dict(props), inputs.props())
        with _told(path):
            key = read_public(path, inputs)
        return ReadResult(id_, _outs(inputs, key, bool(props.get("made"))), inputs.props())

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Give a key that we made another passphrase or comment: the same key, written anew."""
        before, inputs = KeyPairInputs.model_validate(_given(_olds)), KeyPairInputs.model_validate(_given(_news))
        path, made = resolve(inputs.path), bool(_olds.get("made"))
        with _told(path):
            if made:
                reseal(path, before, inputs)
            return UpdateResult(_outs(inputs, use(path, inputs), made))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave both files: hosts may still know the key."""


class KeyPair(Resource, module="stockade", name="KeyPair"):
    """An SSH key pair on this machine. Properties: those of `KeyPairInputs`.

    Outputs: `publicKey`, `fingerprint` (`SHA256:...`), `made` (whether it was made here).
    """

    fingerprint: Output[str]
    made: Output[bool]

    def __init__(self, name: str, props: Mapping[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        own = {key: Output.secret(value) if key == "passphrase" else value for key, value in props.items()}
        outputs = dict.fromkeys(("publicKey", "fingerprint", "made"))
        super().__init__(KeyPairProvider(), name, {**outputs, **own}, opts)

    @property
    def public_key(self) -> Output[str]:
        """The line for authorized_keys."""
        line: Output[str] = self.__dict__["publicKey"]
        return line


_OUTPUTS = frozenset({"publicKey", "fingerprint", "made", "__provider"})


def _given(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key not in _OUTPUTS and value is not None}


def _outs(inputs: KeyPairInputs, key: AuthorizedKey, made: bool) -> dict[str, Any]:
    return {**inputs.props(), "publicKey": str(key), "fingerprint": key.fingerprint, "made": made}


def _outs_of(props: Mapping[str, Any]) -> dict[str, Any]:
    return {name: props[name] for name in ("publicKey", "fingerprint", "made")}


def _path(place: Sequence[int | str]) -> str:
    return ".".join(to_camel(str(part)) for part in place)


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what the file system refused in one line."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{error.filename or path}: {error.strerror}") from None
