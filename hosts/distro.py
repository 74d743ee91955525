"""Which distribution a host runs, from os-release(5)."""

import shlex
from dataclasses import dataclass

from hosts.errors import NotSupported

SUPPORTED = {"debian": "Debian, Ubuntu and those derived from them"}
"""Families that the chapters know, and how to name them to people."""

_FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "redhat",
    "rhel": "redhat",
    "centos": "redhat",
    "arch": "arch",
    "suse": "suse",
    "alpine": "alpine",
}


@dataclass(frozen=True)
class Distro:
    """`id` and `version` as in os-release (version is "" for rolling ones); `family` is "" where nobody knows it."""

    id: str
    version: str
    family: str


def parse(os_release: str) -> Distro:
    """Read the text of /etc/os-release. The family comes from ID, else from the first known word of ID_LIKE."""
    fields = dict(_field(line) for line in os_release.splitlines() if "=" in line and not line.startswith("#"))
    name = fields.get("ID", "linux")
    like = (name, *fields.get("ID_LIKE", "").split())
    family = next((_FAMILIES[word] for word in like if word in _FAMILIES), "")
    return Distro(name, fields.get("VERSION_ID", ""), family)


def _field(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    try:
        words = shlex.split(value)
    except ValueError:
        words = [value]
    return key.strip(), " ".join(words)


def supported(distro: Distro, *, host: str = "") -> Distro:
    """The same. Raises NotSupported, naming what is supported, where no chapter knows this family."""
    if distro.family in SUPPORTED:
        return distro
    shown = f"{distro.id} {distro.version}".strip()
    raise NotSupported(f"{shown} is not supported", host=host, hint=f"Supported: {'; '.join(SUPPORTED.values())}.")
