"""What a survey makes of a host's output, and what is said of rights that no setting has a word for."""

import pytest

from adopt.reading import _about_sudo
from adopt.survey import _surveyed

PART = {
    "name": "web1\n",
    "distro": "debian\n12\ndebian\n",
    "accounts": "alice:1000:/bin/bash:/home/alice\nnonsense\nbob:x:/bin/sh:/home/bob\n",
    "notes": "alice ssh-dss\nalice sudo (root) /bin/ls\nalice sudo (root) /bin/cat\nbob\n\n",
    "forwards": "0\n1\n",
    "boot": "c0ffee\n",
}


def test_what_is_found() -> None:
    found = _surveyed(PART)
    assert [one.name for one in found.accounts] == ["alice"]
    assert found.useless_keys == (("alice", "ssh-dss"),)
    assert found.sudo == {"alice": ("(root) /bin/ls", "(root) /bin/cat")}
    assert (found.forwards, found.boot) == (("ipv6",), "c0ffee")
    assert _surveyed(dict.fromkeys(PART, "")).forwards == ()


@pytest.mark.parametrize(
    ("sudo", "allowed", "said"),
    [
        ("none", (), []),
        ("none", ("(root) /bin/ls",), ["alice: sudo for some commands stays as it is: (root) /bin/ls"]),
        ("password", ("(ALL : ALL) ALL",), []),
        (
            "nopasswd",
            ("(root) NOPASSWD: ALL, !/usr/bin/passwd",),
            [
                "TODO: alice: sudo has exceptions, which end with any change of this user: "
                "(root) NOPASSWD: ALL, !/usr/bin/passwd"
            ],
        ),
    ],
)
def test_rights_that_no_setting_says(sudo: str, allowed: tuple[str, ...], said: list[str]) -> None:
    assert _about_sudo("alice", sudo, allowed) == said
