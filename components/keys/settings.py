"""A key pair as the stack config declares it."""

from typing import Any, Literal

from pydantic import Field, SecretStr

from components.config.inventory import Settings
from components.keys.files import RSA_BITS


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
        if self.path is not None:  # without a path of its own, the key at the default path is used
            props["type"] = self.type
        if self.passphrase is not None:
            props["passphrase"] = self.passphrase.get_secret_value()
        return props
