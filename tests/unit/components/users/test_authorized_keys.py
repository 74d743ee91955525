"""Lines of authorized_keys: read as sshd reads them, merged without changing foreign ones."""

import base64
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.keys.authorized_keys import (
    AuthorizedKey,
    KeyLineError,
    blob_of,
    found,
    merge,
    only,
    parse_key,
    parse_keys,
)


def blob(kind: str = "ssh-ed25519", seed: int = 0) -> str:
    fields = (kind.encode(), bytes([seed]) * 32)
    return base64.b64encode(b"".join(struct.pack(">I", len(field)) + field for field in fields)).decode()


def key(seed: int, options: str = "", comment: str = "") -> AuthorizedKey:
    return AuthorizedKey("ssh-ed25519", blob(seed=seed), options, comment)


ONE, TWO, THREE = key(1, comment="one@host"), key(2), key(3)


@pytest.mark.parametrize(
    ("line", "options", "comment"),
    [
        (f"ssh-ed25519 {blob()}", "", ""),
        (f"  ssh-ed25519\t{blob()}  a comment of words ", "", "a comment of words"),
        (f'no-pty,from="192.0.2.0/24,!192.0.2.7" ssh-ed25519 {blob()} x', 'no-pty,from="192.0.2.0/24,!192.0.2.7"', "x"),
        (f'command="echo \\"a b\\", c",restrict ssh-ed25519 {blob()}', 'command="echo \\"a b\\", c",restrict', ""),
        (f"No-X11-Forwarding ssh-ed25519 {blob()}", "No-X11-Forwarding", ""),
        (f'environment="A=ssh-rsa AAAA" ssh-ed25519 {blob()}', 'environment="A=ssh-rsa AAAA"', ""),
    ],
)
def test_options_and_comments_are_kept(line: str, options: str, comment: str) -> None:
    assert parse_key(line) == AuthorizedKey("ssh-ed25519", blob(), options, comment)
    assert parse_key(str(parse_key(line))) == parse_key(line)
    assert blob_of(line) == blob()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "not a public key"),
        ("/home/me/.ssh/id_rsa.pub", "not a public key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        (f"ssh-dss {blob('ssh-dss')}", "not a key type"),
        (f"ssh-rsa {blob()}", "not of the type ssh-rsa"),
        (f"ssh-ed25519 {blob()[:-8]}", "cut off"),
        ("ssh-ed25519 AAAA*", "not base64"),
        (f"no-tty ssh-ed25519 {blob()}", "not known to sshd"),
        (f"from ssh-ed25519 {blob()}", "needs a value"),
        (f"from=192.0.2.1 ssh-ed25519 {blob()}", "cannot be parsed"),
        (f'no-pty="yes" ssh-ed25519 {blob()}', "takes no value"),
        (f"no-pty, ssh-ed25519 {blob()}", "comma"),
        (f"ssh-ed25519 {blob()}\nssh-ed25519 {blob(seed=1)}", "one line"),
    ],
)
def test_what_sshd_would_not_take_is_refused_with_the_reason(line: str, why: str) -> None:
    with pytest.raises(KeyLineError, match=why):
        parse_key(line)


@pytest.mark.parametrize("value", ["A=\\\\", "\\\\", "\\\\\\\\", "x\\\\\\"])
def test_quotes_end_where_sshd_says(tmp_path: Path, value: str) -> None:
    """A backslash escapes only a quote, even after another backslash. ssh-keygen reads options like sshd."""
    first, second = (f"ssh-ed25519 {blob(seed=seed)}" for seed in (1, 2))
    line = f'environment="{value}",command=",cert-authority {first} x" {second}'
    (tmp_path / "keys").write_text(f"{line}\n")
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "keys"], capture_output=True, text=True, check=True).stdout
    read = parse_key(line)
    assert read.fingerprint == shown.split()[1]
    assert ("cert-authority" in read.flags) == (read.blob == blob(seed=1))


def test_a_private_key_is_not_repeated_in_the_error() -> None:
    with pytest.raises(KeyLineError) as error:
        parse_keys("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n")
    assert "c2VjcmV0" not in str(error.value)


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", 0), ("rsa", 2048), ("ecdsa", 0)])
def test_fingerprints_and_sizes_are_those_of_ssh_keygen(tmp_path: Path, kind: str, bits: int) -> None:
    made = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(made + (["-b", str(bits)] if bits else []), check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key"], check=True, capture_output=True, text=True).stdout
    read = parse_key((tmp_path / "key.pub").read_text())
    assert read.fingerprint == shown.split()[1]
    assert read.rsa_bits == bits


def test_what_others_wrote_stays_byte_for_byte() -> None:
    others = f"# mine\n\n\tno-pty  ssh-ed25519   {TWO.blob}  x \r\nnot a key at all\n{THREE}"
    assert merge(others, [ONE]) == f"{others}\n{ONE}\n"
    assert merge(merge(others, [ONE]), [ONE]) == merge(others, [ONE])


def test_a_declared_key_with_other_options_is_replaced_in_its_place_and_once() -> None:
    text = f"{TWO}\nno-pty {ONE}\n{THREE}\n{ONE}\n"
    wanted = key(1, 'from="192.0.2.1"', "one@host")
    assert merge(text, [wanted]) == f"{TWO}\n{wanted}\n{THREE}\n"


def test_a_key_no_longer_declared_goes_or_gets_its_line_of_before() -> None:
    text = f"{ONE}\n{TWO}\n{THREE}\n"
    assert merge(text, [THREE], [ONE.blob, TWO.blob], f"no-pty {TWO}\n") == f"no-pty {TWO}\n{THREE}\n"


def test_only_the_declared_keys() -> None:
    assert parse_keys(only([ONE, TWO])) == (ONE, TWO)
    assert only([]) == ""


LINES = st.lists(st.sampled_from([str(ONE), str(TWO), f"no-pty {THREE}", "# text", "", "junk ssh-rsa"]), max_size=6)


@given(LINES, st.lists(st.sampled_from([ONE, TWO, THREE]), max_size=3, unique=True), st.booleans())
def test_merging_twice_is_merging_once_and_taking_back_gives_the_keys_of_before(
    lines: list[str], wanted: list[AuthorizedKey], newline: bool
) -> None:
    before = "\n".join(lines) + ("\n" if newline and lines else "")
    merged = merge(before, wanted)
    assert merge(merged, wanted) == merged
    assert {item.blob for item in wanted} <= set(found(merged))
    back = merge(merged, (), [item.blob for item in wanted], before)
    assert found(back) == found(before)
