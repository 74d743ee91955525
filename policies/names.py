"""The names of all policies, in the order of the documentation, for reading a configuration without the pack.

Does not import Pulumi.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

FILE = "STOCKADE_POLICY_CONFIG"
"""In this variable, `stockade` tells the pack which file `--policy-pack-config` names."""
NAMES = (
    "default-deny-ipv4",
    "default-deny-ipv6",
    "forwarding-denied",
    "both-families",
    "kept-firewall",
    "exposure-allowed",
    "published-allowed",
    "way-in",
    "loopback-spoofing-refused",
    "replies-accepted",
    "icmpv6-accepted",
    "denied-logged",
    "no-dead-rules",
    "no-root-login",
    "no-passwords",
    "sshd-declared",
    "no-weak-logins",
    "strong-algorithms",
    "no-open-tunnels",
    "strong-keys",
    "strong-key-pair",
    "no-authority-keys",
    "no-outside-keys",
    "limited-user",
    "no-root-groups",
    "fail2ban-on",
    "ban-exemptions-narrow",
    "updates-on",
    "unwanted-absent",
    "listeners-expected",
    "no-forgotten-machine",
    "waivers-needed",
)


def misspelled(names: Iterable[str]) -> Iterator[str]:
    """Yield errors about policy names in a configuration."""
    for name in sorted({*names} - {*NAMES, "all"}):
        near = difflib.get_close_matches(name, NAMES, 1)
        yield f"no policy is named {name}" + (f"; is {near[0]} meant?" if near else "")


def named_in(file: str | Path | None) -> list[str]:
    """Return the policies that a configuration names; none if it cannot be read, which the engine reports."""
    return [name for name in _read(file) if name != "all"]


def named_without_level(file: str | Path | None) -> list[str]:
    """Return the policies that a configuration gives settings but no level: they keep their own, whatever `all` is.

    (For Pulumi, `all` applies to them, too.)
    """
    config = _read(file)
    return [
        name
        for name, settings in config.items()
        if name != "all" and isinstance(settings, dict) and "enforcementLevel" not in settings
    ]


def lowered_in(file: str | Path | None) -> list[str]:
    """Return the policies that a configuration does not enforce, each with its level: `all (disabled)`."""
    levels = (
        (name, given.get("enforcementLevel") if isinstance(given, dict) else given)
        for name, given in _read(file).items()
    )
    return [f"{name} ({level})" for name, level in levels if level in ("disabled", "advisory")]


def _read(file: str | Path | None) -> dict[str, object]:
    try:
        config = json.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
