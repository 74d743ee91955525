"""Passphrase secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.engine.errors import EngineError
from local.engine.secrets import Crypter, passphrase

# made by the Pulumi CLI 3.260.0 with the passphrase "lab"
SALT = "v1:2zxkfe6hZ5Q=:v1:lGdGoK/g3mPreaur:Q0kMlc3rMdSxTl9CcBmJbdquHa48MQ=="
CIPHERTEXT = "v1:AHDLtaY3Qo3HSlBs:OEnYlT0rh6nYGYRDvALiW37WSLVnSg=="


def test_reads_what_the_cli_wrote() -> None:
    assert Crypter(SALT, "lab").decrypt(CIPHERTEXT) == "s3cret"


def test_round_trip_with_fresh_salt_and_nonce() -> None:
    crypter = Crypter.new("p")
    first, second = crypter.encrypt("text"), crypter.encrypt("text")
    assert first != second
    assert Crypter(crypter.salt, "p").decrypt(first) == crypter.decrypt(second) == "text"


@pytest.mark.parametrize("salt", ["", "v2:AA==:v1:AA==:AA==", "v1:***:v1:AA==:AA==", SALT[:-6] + "AAAA=="])
def test_a_wrong_salt_is_one_sentence(salt: str) -> None:
    with pytest.raises(EngineError):
        Crypter(salt, "lab").check()


def test_a_wrong_passphrase_is_told() -> None:
    with pytest.raises(EngineError, match="incorrect passphrase"):
        Crypter(SALT, "other").check()


def test_a_foreign_or_damaged_secret_is_told() -> None:
    with pytest.raises(EngineError, match="cannot decrypt"):
        Crypter(SALT, "lab").decrypt(Crypter.new("lab").encrypt("x"))


def test_where_the_passphrase_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("from file\n")
    assert passphrase({"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    assert passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == "from file"
    with pytest.raises(EngineError, match="PULUMI_CONFIG_PASSPHRASE"):
        passphrase({})
    with pytest.raises(EngineError, match="cannot read"):
        passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "none")})
