"""Where a run comes from, as the host tells it."""

import os
import subprocess

import pytest

from hosts.entry import ENTRY, Entry, entry


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("198.51.100.1 50000 198.51.100.81 22\n", Entry("198.51.100.1", 22)),
        ("2001:db8::1 50000 2001:db8::81 2222", Entry("2001:db8::1", 2222)),
        ("fe80::1%eth0 50000 fe80::81%eth0 22", Entry("fe80::1", 22)),
        ("127.0.0.1 50000 127.0.0.1 22", None),
        ("198.51.100.81 50000 198.51.100.81 22", None),
        ("UNKNOWN 65535 UNKNOWN 65535", None),
        ("", None),
    ],
)
def test_ssh_connection_is_read(told: str, expected: Entry | None) -> None:
    assert entry(told) == expected


def test_it_is_found_where_sudo_has_dropped_it() -> None:
    script = f"env -u SSH_CONNECTION sh -c '{ENTRY.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}entry'; :"
    told = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "SSH_CONNECTION": "198.51.100.1 50000 198.51.100.81 22"},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert told.stdout == "198.51.100.1 50000 198.51.100.81 22\n"
