"""Passphrase secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.engine.errors import EngineError
from local.engine.state.secrets import Crypter, passphrase
from tests.unit.engine.crypter import CRYPTER, SALT

CIPHERTEXT = "v1:AHDLtaY3Qo3HSlBs:OEnYlT0rh6nYGYRDvALiW37WSLVnSg=="


def test_reads_what_the_cli_wrote() -> None:
    assert CRYPTER.decrypt(CIPHERTEXT) == "s3cret"


@pytest.fixture(scope="module")
def fresh() -> Crypter:
    return Crypter.new("p")


def test_round_trip_with_fresh_salt_and_nonce(fresh: Crypter) -> None:
    first, second = fresh.encrypt("text"), fresh.encrypt("text")
    assert first != second
    assert Crypter(fresh.salt, "p").decrypt(first) == fresh.decrypt(second) == "text"


@pytest.mark.parametrize("salt", ["", "v2:AA==:v1:AA==:AA==", "v1:***:v1:AA==:AA==", SALT[:-6] + "AAAA=="])
def test_a_wrong_salt_is_one_sentence(salt: str) -> None:
    with pytest.raises(EngineError):
        Crypter(salt, "lab").check()


def test_a_wrong_passphrase_is_told() -> None:
    with pytest.raises(EngineError, match="incorrect passphrase"):
        Crypter(SALT, "other").check()


def test_a_foreign_or_damaged_secret_is_told(fresh: Crypter) -> None:
    with pytest.raises(EngineError, match="cannot decrypt"):
        CRYPTER.decrypt(fresh.encrypt("x"))


def test_where_the_passphrase_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("from file\n")
    assert passphrase({"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    assert passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == "from file"
    with pytest.raises(EngineError, match="PULUMI_CONFIG_PASSPHRASE"):
        passphrase({})
    with pytest.raises(EngineError, match="cannot read"):
        passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "none")})
