"""`Sshd`: which logins sshd accepts, as reported by `sshd -T`: no root, no passwords, and any other keyword by name.

The declared lines go where sshd reads first (the first value wins), and again into a block before every other Match
block, so neither a cloud image's drop-in nor a Match further down overrides them. The whole configuration is tested
before any of it is in force. Then sshd is reloaded, while open sessions continue. Then the admin logs in again. If that
does not work within `confirmWithin` seconds, or the run ends first, the host restores the old files on its own.

A new Port needs no manual step: sshd listens on both, a login on the new one is proved, then the old one is closed. The
firewall must accept it first (depends_on), and the stack config says which port each login uses, in this run and later
ones: `admin: {port: 2222}`, `bootstrap: {port: 22}`. If the first is refused or not answered, the second is tried.

Source: the guide, "Harden SSH Access", "SSH Daemon Options"; sshd_config(5).
"""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.sshd.chapter import SshdChapter
from components.sshd.settings import SshdFacts, SshdInputs


class SshdProvider(HostProvider[SshdInputs, SshdFacts]):
    """Pulumi's CRUD for `Sshd`."""

    chapter = SshdChapter()


class Sshd(HostResource, provider=SshdProvider):
    """The settings of sshd on one host. Properties: those of `SshdInputs`; see `SshdSettings.props`.

    Outputs: `settings` (canonical lines), `observed` (what is in force), `prior` (what was there before).
    """

    settings: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)
