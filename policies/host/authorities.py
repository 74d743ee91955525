"""Only the stack grants access: no CA, and no command on the host, provides further keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from components.keys.authorized_keys import KeyLineError, parse_key
from policies.base import SSHD, USER, CannotTellYetError, Props, items, resource_policy
from policies.host.logins import keywords
from policies.settings import PolicySettings, texts

AUTHORITIES = texts("authorities", "Fingerprints (SHA256:...) of certificate authorities that are allowed.")
SOURCES: Mapping[str, tuple[str, str]] = {
    "authorizedkeyscommand": ("AuthorizedKeysCommand", "none"),
    "authorizedkeysfile": (
        "AuthorizedKeysFile",
        "none .ssh/authorized_keys .ssh/authorized_keys2 %h/.ssh/authorized_keys %h/.ssh/authorized_keys2",
    ),
    "authorizedprincipalscommand": ("AuthorizedPrincipalsCommand", "none"),
    "securitykeyprovider": ("SecurityKeyProvider", "internal"),
    "sshdauthpath": ("SshdAuthPath", ""),
    "sshdsessionpath": ("SshdSessionPath", ""),
    "trustedusercakeys": ("TrustedUserCAKeys", "none"),
}
"""By keyword: its spelling, and the values with which sshd accepts only users' own keys."""
ALLOWED = texts("allowedKeywords", "Settings of sshd that may name keys from outside the stack.")


def _keys(props: Props, settings: PolicySettings) -> Iterable[str]:
    lines, unknown = items(props.get("keys"))
    for number, line in enumerate(lines, 1):
        try:
            key = parse_key(line)
        except KeyLineError:
            continue  # strong-keys reports it
        if "cert-authority" in key.flags and key.fingerprint not in settings.texts(AUTHORITIES.name):
            yield (
                f"key {number} of {props['name']} ({key.fingerprint}) is an authority: whoever has it can make keys "
                "that get in. Name the users' own keys, or add its fingerprint to authorities."
            )
    if unknown:
        raise CannotTellYetError(f"a key of {props['name']} is known only in `pulumi up`, which decides then")


def _sources(props: Props, settings: PolicySettings) -> Iterable[str]:
    allowed = {name.lower() for name in settings.texts(ALLOWED.name)}
    there = keywords(props)
    for key, (name, good) in SOURCES.items():
        value = there.get(key)
        if value is not None and not {*value.lower().split()} <= {*good.split()} and key not in allowed:
            yield (
                f"sshd accepts keys from outside the stack ({name} {value}). Remove it from `settings` under "
                f'`stockade:sshd`, or add "{name}" to allowedKeywords.'
            )


POLICIES = [
    resource_policy("no-authority-keys", "No user's key is a certificate authority.", USER, _keys, AUTHORITIES),
    resource_policy("no-outside-keys", "sshd accepts only keys that the stack declares.", SSHD, _sources, ALLOWED),
]
