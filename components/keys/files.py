"""Key files on this machine: generated, read and encrypted. Private keys stay 0600 and are never overwritten.

Source: ssh-keygen(1); PROTOCOL.key of OpenSSH.
"""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, field_validator

from components.core.chapter import Model
from components.failure import Failure
from components.keys.authorized_keys import AuthorizedKey, KeyLineError, parse_key
from hosts.text.textfiles import BadFile, read_private_key, read_text

if TYPE_CHECKING:
    import asyncssh  # takes 0.2 s to import, and the program never needs it

RSA_BITS = 4096
BCRYPT_ROUNDS = 64
"""ssh-keygen -a: KDF rounds, which make guessing the passphrase expensive."""


class KeyPairInputs(Model):
    """Inputs of `KeyPair`.

    `path`: the private key file; `~` is the home directory, relative paths start at the project folder. `type`: `rsa`
    or `ed25519`. Default: the type of the existing key, or RSA for a new one. `bits`: size of an RSA key. `passphrase`:
    passphrase of the private key; a secret. Default: none. `comment`: comment of a new key, as `ssh-keygen -C` adds it.
    """

    path: str = Field(min_length=1)
    type: Literal["rsa", "ed25519"] | None = None
    bits: int = Field(RSA_BITS, ge=2048, le=16384)
    passphrase: SecretStr | None = None
    comment: str = Field("stockade", pattern=r"^[^\r\n\x00]*$")

    @field_validator("passphrase")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 5:
            raise ValueError("the passphrase must have at least 5 characters, as for ssh-keygen")
        return value


def generate(path: Path, inputs: KeyPairInputs) -> bool:
    """Generate a key pair at `path` unless a key exists there. Return whether one was generated."""
    import asyncssh

    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if inputs.type == "ed25519":
        key = asyncssh.generate_private_key("ssh-ed25519", inputs.comment)
    else:
        key = asyncssh.generate_private_key("ssh-rsa", inputs.comment, key_size=inputs.bits)
    new = _written(path, _exported(key, inputs), 0o600)
    try:
        os.link(new, path)  # unlike a rename, this fails if someone was faster
    except FileExistsError:
        return False
    finally:
        new.unlink()
    _replace(_beside(path), key.export_public_key(), 0o644)
    return True


def use(path: Path, inputs: KeyPairInputs) -> AuthorizedKey:
    """Return the public key of the private key at `path`, and make that key unreadable for others.

    Raises `Failure` if it is not the declared kind of key, or not encrypted with the declared passphrase; `OSError`.
    """
    key = read_public(path, inputs)
    _check_kind(path, key, inputs)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)  # ssh refuses a key that others can read
    if not _beside(path).exists():
        _replace(_beside(path), f"{key}\n".encode(), 0o644)
    return key


def read_public(path: Path, inputs: KeyPairInputs) -> AuthorizedKey:
    """Read the public key; from the .pub file if the private key is encrypted and no passphrase is declared.

    Raises `Failure`, `OSError`.
    """
    import asyncssh

    text, secret = _text(path), _passphrase(inputs)
    if _sealed(text):
        if secret is None:
            return _public_file(path)
        try:
            key = asyncssh.import_private_key(text, secret)
        except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError):
            raise Failure(f"{path} cannot be opened with the declared passphrase") from None
    else:
        if secret is not None:
            raise Failure(f"{path} has no passphrase, although one is declared; `ssh-keygen -p -f {path}` gives it one")
        try:
            key = asyncssh.import_private_key(text)
        except asyncssh.KeyImportError:
            raise Failure(f"{path} is not a private key") from None
    return _public(path, key.export_public_key().decode("utf-8"))


def reseal(path: Path, before: KeyPairInputs, inputs: KeyPairInputs) -> None:
    """Rewrite the same key with another passphrase or comment. Raises `Failure`, `OSError`."""
    import asyncssh

    text = _text(path)
    for secret in (_passphrase(before), _passphrase(inputs)):  # the new one: a killed run may have got that far
        try:
            key = asyncssh.import_private_key(text, secret)
        except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError):
            continue
        key.set_comment(inputs.comment)
        _replace(path, _exported(key, inputs), 0o600)
        _replace(_beside(path), key.export_public_key(), 0o644)
        return
    raise Failure(f"{path} cannot be opened with the passphrase that it was created with; it is left unchanged")


def _check_kind(path: Path, key: AuthorizedKey, inputs: KeyPairInputs) -> None:
    kind = {"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}.get(key.type, key.type)
    if inputs.type is not None and kind != inputs.type:
        raise Failure(
            f"{path} holds a key of type {kind}, not {inputs.type}; it is never overwritten: use another path"
        )
    if inputs.type == "rsa" and key.rsa_bits < inputs.bits:
        raise Failure(
            f"{path} holds an RSA key of {key.rsa_bits} bits, {inputs.bits} are declared; it is never overwritten: "
            "use another path"
        )


def _exported(key: "asyncssh.SSHKey", inputs: KeyPairInputs) -> bytes:
    secret = _passphrase(inputs)
    if secret is None:
        return key.export_private_key()
    return key.export_private_key(passphrase=secret, cipher_name="aes256-ctr", rounds=BCRYPT_ROUNDS)


def _sealed(text: str) -> bool:
    """Return whether a private key needs a passphrase."""
    import asyncssh

    try:
        asyncssh.import_private_key(text)
    except asyncssh.KeyEncryptionError:
        return True
    except asyncssh.KeyImportError as error:
        return "passphrase" in str(error).lower()
    return False


def _public_file(path: Path) -> AuthorizedKey:
    beside = _beside(path)
    if not beside.exists():
        raise Failure(f"{path} has a passphrase, and there is no {beside.name} beside it: declare the passphrase")
    try:
        return _public(beside, read_text(beside))
    except BadFile as error:
        raise Failure(str(error)) from None


def _text(path: Path) -> str:
    try:
        return read_private_key(path)
    except BadFile as error:
        raise Failure(str(error)) from None


def _public(path: Path, text: str) -> AuthorizedKey:
    try:
        return parse_key(text)
    except KeyLineError as error:
        raise Failure(f"{path}: {error}") from None


def _passphrase(inputs: KeyPairInputs) -> str | None:
    return inputs.passphrase.get_secret_value() if inputs.passphrase is not None else None


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def _written(path: Path, content: bytes, mode: int) -> Path:
    """Write a new file beside `path` and sync it to disk; mkstemp creates it 0600."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    return Path(name)


def _replace(path: Path, content: bytes, mode: int) -> None:
    os.replace(_written(path, content, mode), path)
