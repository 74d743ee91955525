"""Dangerous sshd settings: trust in others, broken algorithms, ways around the firewall."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from policies.base import SSHD, Props, resource_policy
from policies.host.logins import keywords, values
from policies.settings import PolicySettings, texts

TRUSTING: Mapping[str, tuple[str, str]] = {
    "gssapiauthentication": ("GSSAPIAuthentication", "no"),
    "hostbasedauthentication": ("HostbasedAuthentication", "no"),
    "ignorerhosts": ("IgnoreRhosts", "yes shosts-only"),
    "kerberosauthentication": ("KerberosAuthentication", "no"),
    "permitemptypasswords": ("PermitEmptyPasswords", "no"),
    "permituserenvironment": ("PermitUserEnvironment", "no"),
    "strictmodes": ("StrictModes", "yes"),
}
"""By keyword: its spelling, and the values with which sshd trusts only keys and accounts."""

TUNNELS: Mapping[str, tuple[str, str]] = {
    "gatewayports": ("GatewayPorts", "no"),
    "permittunnel": ("PermitTunnel", "no"),
}
ALLOWED = texts("allowedKeywords", "Settings of sshd that are exempt from this check.")

_BROKEN = {
    "ciphers": r".*-cbc(@.*)?|arcfour.*|3des.*|blowfish.*|cast128.*|des.*|none",
    "macs": r".*(md5|sha1|ripemd|-96|umac-64).*|none",
    "kexalgorithms": r".*(group1-|-sha1\b|sha1-|rsa1024).*",
    "hostkeyalgorithms": r"(ssh-dss|ssh-rsa)(-cert-v0[01]@openssh\.com)?|.*sha1.*",
}
for _other in (
    *("casignaturealgorithms", "hostbasedacceptedalgorithms", "hostbasedacceptedkeytypes"),
    *("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes"),
):
    _BROKEN[_other] = _BROKEN["hostkeyalgorithms"]
_KNOWN = (
    *("aes128-cbc", "3des-cbc", "arcfour", "hmac-md5", "hmac-sha1", "hmac-sha1-96", "ssh-dss", "ssh-rsa"),
    *("diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1"),
)
"""The algorithms that a pattern such as `*-cbc` may match."""

ALGORITHMS = texts("allowedAlgorithms", "Broken algorithms that old clients need.")
_LEAST_RSA = 2048


def _trusting(props: Props, settings: PolicySettings) -> Iterable[str]:
    return _other_than(props, settings, TRUSTING, "trusts others about who somebody is")


def _tunnels(props: Props, settings: PolicySettings) -> Iterable[str]:
    return _other_than(props, settings, TUNNELS, "opens tunnels that the firewall does not see")


def _other_than(
    props: Props, settings: PolicySettings, wanted: Mapping[str, tuple[str, str]], words: str
) -> Iterator[str]:
    there, allowed = keywords(props), {name.lower() for name in settings.texts(ALLOWED.name)}
    for key, (name, good) in wanted.items():
        value = there.get(key)
        if value is not None and value.lower() not in good.split() and key not in allowed:
            yield (
                f"sshd {words} ({name} {value}). Remove it from `settings` under `stockade:sshd`, or add "
                f'"{name}" to allowedKeywords.'
            )


def _algorithms(props: Props, settings: PolicySettings) -> Iterator[str]:
    allowed = settings.texts(ALGORITHMS.name)
    for name, value in values(props):
        broken = [word for word in _broken(name.lower(), value) if word not in allowed]
        if broken:
            yield (
                f"sshd accepts broken algorithms: {', '.join(broken)} ({name} {value}). Remove it from `settings` "
                "under "
                "`stockade:sshd`: OpenSSH's defaults are good. Or add it to allowedAlgorithms."
            )


def _broken(key: str, value: str) -> Iterator[str]:
    if key == "hostkey" and re.search(r"(?<!ec)dsa", value.lower()):
        yield "ssh-dss"
    elif key == "protocol" and "1" in value.replace(" ", "").split(","):
        yield "protocol 1"
    elif key == "requiredrsasize" and value.isdecimal() and int(value) < _LEAST_RSA:
        yield f"rsa-{value}"
    pattern = _BROKEN.get(key)
    if pattern is None or value.startswith("-"):  # removed algorithms cannot be used
        return
    for word in re.split(r"[,\s]+", value.lstrip("+^").lower()):
        stands_for = [known for known in _KNOWN if fnmatchcase(known, word)] if re.search(r"[*?]", word) else [word]
        yield from (one for one in stands_for if re.fullmatch(pattern, one))


POLICIES = [
    resource_policy(
        "no-weak-logins", "sshd trusts only keys and accounts, never a third party.", SSHD, _trusting, ALLOWED
    ),
    resource_policy("strong-algorithms", "sshd accepts no broken algorithms.", SSHD, _algorithms, ALGORITHMS),
    resource_policy(
        "no-open-tunnels", "sshd opens no tunnels around the firewall.", SSHD, _tunnels, ALLOWED, advisory=True
    ),
]
