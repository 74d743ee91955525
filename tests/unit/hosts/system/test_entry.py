"""The address of a run, according to the host."""

import os
import subprocess

import pytest

from hosts.scripts import script
from hosts.system.origin import Origin, entry


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("198.51.100.1 50000 198.51.100.81 22\n", Origin("198.51.100.1", 22)),
        ("2001:db8::1 50000 2001:db8::81 2222", Origin("2001:db8::1", 2222)),
        ("fe80::1%eth0 50000 fe80::81%eth0 22", Origin("fe80::1", 22)),
        ("127.0.0.1 50000 127.0.0.1 22", None),
        ("198.51.100.81 50000 198.51.100.81 22", None),
        ("UNKNOWN 65535 UNKNOWN 65535", None),
        ("", None),
    ],
)
def test_ssh_connection_is_read(told: str, expected: Origin | None) -> None:
    assert entry(told) == expected


def told(call: str, **environment: str) -> str:
    """The output of a call of the functions in sh, with variables and process names that users can set."""
    done = subprocess.run(
        ["sh", "-c", f"set -eu\n{script('hosts/system/origin.sh')}{call}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("claimed", ["198.51.100.1 50000 198.51.100.81 22", "0.0.0.0/0 1 2 3", "a\nb 1 2 3", ""])
def test_what_the_environment_says_is_not_asked(claimed: str) -> None:
    assert told("entry", SSH_CONNECTION=claimed, SSH_CLIENT=claimed) == told("entry")
    assert claimed not in told("entry", SSH_CONNECTION=claimed).splitlines() or not claimed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("198.51.100.1:50000", "198.51.100.1 50000"),
        ("[2001:db8::1]:50000", "2001:db8::1 50000"),
        ("2001:db8::1:50000", "2001:db8::1 50000"),  # netstat
        ("[fe80::1]%eth0:22", "fe80::1 22"),
        ("[fe80::1%eth0]:22", "fe80::1 22"),
        ("[::ffff:198.51.100.1]:22", "198.51.100.1 22"),
        ("*:22", ""),
        ("0.0.0.0/0:22", ""),
        ("198.51.100.1:ssh", ""),
        ("198.51.100.1", ""),
        ("$(id):22", ""),
        ("1.2.3.4 x:22", ""),
        ("1.2.3.4\nx:22", ""),
        (":22", ""),
        ("", ""),
    ],
)
def test_only_an_address_and_a_port_get_through(written: str, expected: str) -> None:
    assert told('_end_point "$WRITTEN" || :', WRITTEN=written) == expected
