"""Keys that grant access are strong enough (BSI TR-02102-1, NIST SP 800-57: 3072 bits of RSA, or Ed25519)."""

from __future__ import annotations

from collections.abc import Iterable

from components.keys.authorized_keys import AuthorizedKey, KeyLineError, parse_key
from policies.base import KEY_PAIR, USER, CannotTellYetError, Props, items, resource_policy
from policies.settings import PolicySettings, number, texts

BITS = number("rsaBits", "The minimum size of an RSA key.", 3072)
TYPES = texts("types", "Key types that are allowed.", ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ssh-rsa"))


def _users(props: Props, settings: PolicySettings) -> Iterable[str]:
    lines, unknown = items(props.get("keys"))
    for number_, line in enumerate(lines, 1):
        try:
            key = parse_key(line)
        except KeyLineError as error:
            yield f"key {number_} of {props['name']}: {error}."
            continue
        if weakness := _weak(key, settings):
            yield f"key {number_} of {props['name']} ({key.fingerprint}) is {weakness}. {_MENDING}"
    if unknown:
        raise CannotTellYetError(f"a key of {props['name']} is known only in `pulumi up`, which decides then")


_MENDING = "Replace it: `ssh-keygen -t ed25519`."


def _weak(key: AuthorizedKey, settings: PolicySettings) -> str:
    least = settings.number(BITS.name)
    if key.type not in settings.texts(TYPES.name):
        return f"of type {key.type}, which is none of {', '.join(settings.texts(TYPES.name))}"
    return f"RSA of {key.rsa_bits} bits; {least} are the least" if 0 < key.rsa_bits < least else ""


def _pairs(props: Props, settings: PolicySettings) -> Iterable[str]:
    least, bits = settings.number(BITS.name), int(props["bits"])
    if props.get("type", "rsa") == "rsa" and bits < least:
        yield (
            f"the key pair {props['path']} is RSA of {bits} bits; {least} are the least. Declare `bits: {least}` "
            "under `stockade:keyPair`."
        )


POLICIES = [
    resource_policy("strong-keys", "Users' keys are strong enough.", USER, _users, BITS, TYPES),
    resource_policy("strong-key-pair", "A key pair created by the stack is strong enough.", KEY_PAIR, _pairs, BITS),
]
