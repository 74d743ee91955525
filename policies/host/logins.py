"""Who may log in over SSH: not root, and nobody with a password."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from policies.base import SSHD, DeclaredHost, Props, host_policy, resource_policy
from policies.settings import PolicySettings, texts

ROOT = texts("allowedValues", "What `PermitRootLogin` may be.", ("no",))


def values(props: Props) -> Iterable[tuple[str, str]]:
    """The declared settings of sshd, as keywords and values as sshd parses them: without quotes or an equals sign."""
    for line in props["settings"].splitlines():
        found = re.fullmatch(r"\s*([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(.*?)\s*", line)
        if found:
            yield found[1], re.sub(r"^=\s*", "", found[2]).replace('"', "")


def keywords(props: Props) -> Mapping[str, str]:
    """The same by keyword in lower case; the first value of each counts."""
    found: dict[str, str] = {}
    for keyword, value in values(props):
        found.setdefault(keyword.lower(), value)
    return found


def _root(props: Props, settings: PolicySettings) -> Iterable[str]:
    value = keywords(props).get("permitrootlogin", "prohibit-password")
    if value not in settings.texts(ROOT.name):
        yield (
            f'root may log in (PermitRootLogin {value}). Declare `permitRootLogin: "no"` under `stockade:sshd`, its '
            "default."
        )


def _passwords(props: Props, settings: PolicySettings) -> Iterable[str]:
    there = keywords(props)
    factors = there.get("authenticationmethods", "").split()
    if factors and all("publickey" in methods.split(",") for methods in factors):
        return  # a password is required in addition to a key
    asked = [
        f"{name} {there.get(name.lower(), 'yes')}"
        for name in ("PasswordAuthentication", "KbdInteractiveAuthentication")
        if there.get(name.lower(), "yes") != "no"
    ]
    if asked:
        yield (
            f"passwords let people in ({', '.join(asked)}). Declare `passwordAuthentication: false` under "
            "`stockade:sshd`, its default, or ask for a key as well: `AuthenticationMethods: "
            "publickey,keyboard-interactive`."
        )


def _declared(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    if not host.of(SSHD):
        yield "nothing says who may log in over SSH. Declare `stockade:sshd: {}`: no root, no passwords."


POLICIES = [
    resource_policy("no-root-login", "Root cannot log in over SSH.", SSHD, _root, ROOT),
    resource_policy("no-passwords", "Nobody can log in over SSH with only a password.", SSHD, _passwords),
    host_policy("sshd-declared", "Every host's sshd is managed.", _declared),
]
