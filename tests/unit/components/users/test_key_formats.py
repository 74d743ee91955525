"""Public keys in the formats of PuTTY and RFC 4716, and files without any."""

import subprocess
from pathlib import Path

import pulumi
import pytest

from components.keys.authorized_keys import KeyLineError
from components.keys.formats import as_lines
from components.keys.public import public_keys
from components.users.settings import UserSettings

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIEDq8c/agbzzpAV2aMQuvzQIGeHzYOep+3ifQMvj8rzQ"
PPK = f"""\
PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: eddsa-key-2026 laptop
Public-Lines: 2
{BLOB[:64]}
{BLOB[64:]}
Private-Lines: 1
AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
Private-MAC: 0000000000000000000000000000000000000000000000000000000000000000
"""
SSH2 = f"""\
---- BEGIN SSH2 PUBLIC KEY ----
Comment: "eddsa-key-2026 laptop"
x-more: goes on \\
in the next line
{BLOB[:64]}
{BLOB[64:]}
---- END SSH2 PUBLIC KEY ----
"""
LINE = f"ssh-ed25519 {BLOB} eddsa-key-2026 laptop"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("text", [PPK, PPK.replace("File-3", "File-2"), SSH2])
def test_what_puttygen_saves(text: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text, newline=ending)
    assert public_keys(files=[str(path)]) == (LINE,)
    assert public_keys([text]) == (LINE,)


def test_several_in_one_file_beside_ordinary_lines(tmp_path: Path) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGcuRGzqUIqiDiPBYqpEtNxKdXfbFvW7nDtS4KFjeAQa two"
    path = tmp_path / "team"
    path.write_text(f"# the team\n{SSH2}no-pty {other}\n")
    assert public_keys(files=[str(path)]) == (LINE, f"no-pty {other}")


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_what_ssh_keygen_exports(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "a b", "-f", path], check=True)
    exported = subprocess.run(["ssh-keygen", "-e", "-f", path], check=True, capture_output=True, text=True).stdout
    assert as_lines(exported).split()[:2] == path.with_suffix(".pub").read_text().split()[:2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SSH2.replace("---- END SSH2 PUBLIC KEY ----\n", ""), "cut off"),
        (SSH2.replace(BLOB[:64], BLOB[:60] + "****"), "damaged"),
        (PPK.replace("Public-Lines: 2", "Public-Lines: two"), "damaged"),
        (PPK.replace("Public-Lines: 2\n", ""), "damaged"),
        ("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", "ssh-keygen -i -m PKCS8"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(KeyLineError, match=told):
        as_lines(text)


BAD = {
    "missing": (None, "cannot be read: No such file"),
    "directory": ("folder", "is a directory"),
    "empty": (b"", "no public key in it"),
    "huge": (b"# x\n" * 2**19, "larger than 1 MB"),
    "binary": (b"\x30\x82\x01\x00\xff\x00", "is not a text file"),
    "utf-16": (LINE.encode("utf-16"), "is UTF-16"),
    "utf-16 without a mark": (LINE.encode("utf-16-be"), "is UTF-16"),
    "byte order mark": (b"\xef\xbb\xbf" + LINE.encode(), "begins with a byte order mark"),
    "private": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "is a private key"),
    "private, PEM": (b"# mine\n-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", "is a private key"),
    "certificate": (f"ssh-ed25519-cert-v01@openssh.com {BLOB}".encode(), "this is a certificate"),
    "something else": (b"hello world\n", "line 1: one of its options is not known to sshd"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_without_a_public_key_is_told_in_a_sentence(what: str, tmp_path: Path) -> None:
    content, told = BAD[what]
    path = tmp_path / "id.pub"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ValueError, match=told) as caught:
        public_keys(files=[str(path)])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, pulumi.RunError)  # no traceback in a program that calls it
    with pytest.raises(ValueError, match=told):
        UserSettings.model_validate({"name": "deploy", "keyFiles": [str(path)]})
