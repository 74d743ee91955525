"""Public keys given as text or in files."""

from collections.abc import Sequence

from pulumi import RunError

from components.config.named_files import read_own
from components.keys.authorized_keys import AuthorizedKey, KeyLineError, parse_keys
from components.keys.formats import as_lines
from hosts.ssh.connection import resolve
from hosts.text.textfiles import BadFile, private_key_fault


class NoPublicKey(ValueError, RunError):  # noqa: N818  # RunError: Pulumi shows the message and no traceback
    """A text or file given as public keys that contains none. The message names it."""


def public_keys(texts: Sequence[str] = (), files: Sequence[str] = ()) -> tuple[str, ...]:
    """Return public keys given as text and in files, one line each with their options. Files may be .pub or
    authorized_keys files, or saved by PuTTYgen.

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
    """Parse keys. Unless `quoted`, errors quote nothing of the text, because it may be from any file."""
    if private_key_fault(text) == "" or "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY" in text:
        raise NoPublicKey(f"{name}: this is a private key; use the public key (the file that ends in .pub)")
    try:
        found = parse_keys(as_lines(text))
    except KeyLineError as error:
        raise NoPublicKey(f"{name}: {error if quoted else error.unquoted}") from None
    except ValueError as error:
        raise NoPublicKey(f"{name}: {error}") from None
    if not found:
        raise NoPublicKey(f"{name}: no public key in it")
    return found
