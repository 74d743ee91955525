"""Where a run comes from as seen by the host. NAT or a jump host can make that differ from the stack config.

The kernel is asked, not SSH_CONNECTION. That is a variable in the login's environment, which the account's owner can
set freely (~/.bashrc, ~/.ssh/environment, pam_env), and root's scripts write the address into configurations.
"""

from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True)
class Origin:
    """A connection from the address `client` to TCP `port` of the host."""

    client: str
    port: int


def entry(text: str) -> Origin | None:
    """Parse the output of `entry` in `origin.sh`; None if it found nothing, or if the run is on the host itself."""
    words = text.split()
    if len(words) != 4 or not words[3].isdecimal():
        return None
    client, server = words[0].partition("%")[0], words[2].partition("%")[0]
    try:
        address = ip_address(client)
    except ValueError:
        return None
    return None if address.is_loopback or client == server else Origin(client, int(words[3]))
