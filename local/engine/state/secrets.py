"""Pulumi's passphrase secrets provider: PBKDF2-HMAC-SHA256 (1,000,000 rounds) and AES-256-GCM.

The formats are the Pulumi CLI's: a value is `v1:<nonce>:<ciphertext>` in base64. The stack's salt is
`v1:<8 bytes of salt>:<the word "pulumi", encrypted>`, which detects a wrong passphrase.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from local.engine.errors import EngineError

CHECK_WORD = "pulumi"
ROUNDS = 1_000_000


def passphrase(environ: Mapping[str, str] = os.environ) -> str:
    """The stack's passphrase from the environment; raises EngineError if it is not set."""
    if "PULUMI_CONFIG_PASSPHRASE" in environ:
        return environ["PULUMI_CONFIG_PASSPHRASE"]
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if not file:
        raise EngineError(
            "passphrase must be set with the environment variable PULUMI_CONFIG_PASSPHRASE or "
            "PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise EngineError(f"cannot read PULUMI_CONFIG_PASSPHRASE_FILE: {error}") from None


class Crypter:
    """Encrypts and decrypts the secrets of one stack. The key is derived at first use, which takes over 0.3 s."""

    def __init__(self, salt: str, phrase: str) -> None:
        self.salt = salt
        self.phrase = phrase
        self._lock = threading.Lock()

    @classmethod
    def new(cls, phrase: str) -> Crypter:
        """A crypter with a fresh salt."""
        salt = base64.b64encode(os.urandom(8)).decode()
        crypter = cls(f"v1:{salt}:", phrase)
        key = _derive(phrase, salt)
        crypter.salt = f"v1:{salt}:{_encrypt(key, CHECK_WORD)}"
        return crypter

    @functools.cached_property
    def _key(self) -> bytes:
        parts = self.salt.split(":", 2)
        if len(parts) != 3 or parts[0] != "v1":
            raise EngineError("encryptionsalt is not in the format of Pulumi's passphrase provider (v1:…)")
        key = _derive(self.phrase, parts[1])
        try:
            right = _decrypt(key, parts[2]) == CHECK_WORD
        except ValueError:
            right = False
        if not right:
            raise EngineError("incorrect passphrase (PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE)")
        return key

    def _get_key(self) -> bytes:
        with self._lock:
            return self._key

    def check(self) -> None:
        """Raise EngineError if the passphrase does not match the salt."""
        self._get_key()

    def encrypt(self, plain: str) -> str:
        """The ciphertext of a text."""
        return _encrypt(self._get_key(), plain)

    def decrypt(self, cipher: str) -> str:
        """The text of a ciphertext; raises EngineError if it was not encrypted with this passphrase and salt."""
        try:
            return _decrypt(self._get_key(), cipher)
        except ValueError as error:
            raise EngineError(f"cannot decrypt a secret: {error}") from None


@functools.cache
def _derive(phrase: str, salt: str) -> bytes:
    try:
        raw = base64.b64decode(salt, validate=True)
    except ValueError:
        raise EngineError("encryptionsalt is not base64") from None
    return hashlib.pbkdf2_hmac("sha256", phrase.encode(), raw, ROUNDS, 32)


def _encrypt(key: bytes, plain: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    data = AESGCM(key).encrypt(nonce, plain.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(data).decode()}"


def _decrypt(key: bytes, cipher: str) -> str:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    version, _, rest = cipher.partition(":")
    nonce, _, data = rest.partition(":")
    if version != "v1" or not data:
        raise ValueError("it does not have the form v1:<nonce>:<ciphertext>")
    try:
        return AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(data), None).decode()
    except InvalidTag:
        raise ValueError("it was encrypted with another passphrase or salt, or was changed") from None
