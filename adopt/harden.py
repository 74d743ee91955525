"""What the guide would change on a host that was read, with the reason for each change: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from adopt.closing import Listener, closed, listeners, unlike_listeners
from adopt.reading import Reading
from adopt.written import Adopted
from components.firewall.settings import FirewallSettings
from components.keys.authorized_keys import parse_key
from components.registry import Hardening
from components.sshd import algorithms
from hosts.ssh.connection import Connection
from rules.values.family import Family

_GUIDES = ("exim4-daemon-light", "rpcbind")
"""The packages that the guide removes."""
_LIMITS: tuple[tuple[str, str, Any, str], ...] = (
    ("maxAuthTries", "MaxAuthTries", 3, "three guesses a connection"),
    ("loginGraceTime", "LoginGraceTime", 60, "a login that is not complete after a minute is ended"),
    ("x11Forwarding", "X11Forwarding", False, "no X11 forwarding: it lets a host read the client's screen"),
    ("agentForwarding", "AllowAgentForwarding", False, "no agent forwarding: it lets a host use the client's keys"),
)
"""What the guide's spirit adds to sshd: setting, keyword, value, reason."""
ADMIN = "deploy"
_STRONG = 3072
"""Bits of an RSA key that is as strong as the others (NIST SP 800-57)."""


@dataclass(frozen=True)
class Operator:
    """Who hardens: the public keys that a new admin gets, and the private key file that goes with them."""

    keys: tuple[str, ...] = ()
    private_key_file: str = ""


def hardened(one: Adopted, operator: Operator) -> Adopted:
    """Return a host as the guide would have it. Reasons are in its remarks; what needs a person's decision, too."""
    reading = replace(one.reading, settings={**one.reading.settings}, remarks=_copied(one.reading))
    out = _with_admin(replace(one, reading=reading), operator)
    serving = listeners(reading.listening, _unwanted(reading))
    ssh = _ssh_ports(out, serving)
    _close_firewall(reading, serving, ssh)
    _close_sshd(out)
    _remark_keys(reading)
    _close_sysctl(reading)
    _add(reading, "fail2ban", _jails(ssh), "nobody is banned after wrong passwords")
    _add(reading, "updates", {}, "security updates are not installed by themselves")
    _remove_packages(reading)
    return out


def _copied(reading: Reading) -> dict[str, list[str]]:
    return {chapter: [*lines] for chapter, lines in reading.remarks.items()}


def _jails(ssh: Sequence[int]) -> dict[str, Any]:
    """Return the settings of bans that hold at the ports of sshd."""
    if not {*ssh} - {22}:
        return {}
    return {"sshPort": ssh[0] if len(ssh) == 1 else ",".join(map(str, sorted(ssh)))}


def _add(reading: Reading, chapter: str, settings: dict[str, Any], reason: str) -> None:
    """Declare a chapter that the host does without. One that could not be read stays out."""
    there = reading.settings.get(chapter)
    if chapter in reading.lacking or (there is not None and there.get("enabled") is False):
        reading.settings[chapter] = settings
        reading.left_out = [line for line in reading.left_out if not line.startswith(f"{chapter}: ")]
        reading.remark(chapter, f"until now {reason}")


def _close_sysctl(reading: Reading) -> None:
    if there := reading.settings.get("sysctl"):
        changed = ", ".join(sorted(there.get("values", {})))
        reading.settings["sysctl"] = {}
        reading.remark("sysctl", f"redirects, source routes and forged sources are refused: until now {changed} differ")


def _remark_keys(reading: Reading) -> None:
    for user in reading.settings.get("users", ()):
        for line in user.get("keys", ()):
            key = parse_key(line)
            if key.rsa_bits and key.rsa_bits < _STRONG:
                which = f"the RSA key {key.comment or key.fingerprint} of {key.rsa_bits} bits"
                reading.remark("users", f"TODO: {user['name']}: {which} is weak: replace it by an Ed25519 key")
    for name, kind in reading.survey.useless_keys:
        reading.remark("users", f"{name}: a key of the type {kind}, which OpenSSH no longer accepts, can go")


def _with_admin(one: Adopted, operator: Operator) -> Adopted:
    """Return the host with an admin who can log in and use sudo without us knowing a password."""
    if one.login.user != "root":
        return one
    users: list[Mapping[str, Any]] = list(one.reading.settings.get("users", ()))
    existing = next((user for user in users if user.get("sudo") == "nopasswd" and _has(user, operator.keys)), None)
    if existing is not None:
        return replace(one, admin=_login(one, str(existing["name"]), operator))
    if not operator.keys:
        one.reading.remark("users", "TODO: declare a user with sudo and your key, so that root need not log in")
        return one
    if any(user["name"] == ADMIN for user in users):
        one.reading.remark("users", f"TODO: {ADMIN} exists and cannot be used: give it sudo, and your key")
        return one
    new = {"name": ADMIN, "sudo": "nopasswd", "keys": [*operator.keys], "removeHome": True}
    users.append({**new, **_let_in(one.reading)})
    one.reading.settings["users"] = users
    one.reading.remark("users", f"{ADMIN} is new: with it, root need not log in any more")
    return replace(one, admin=_login(one, ADMIN, operator))


def _let_in(reading: Reading) -> dict[str, Any]:
    """Let sshd accept the new admin, where it accepts only some; return what the account needs for that."""
    sshd = reading.settings.get("sshd", {})
    groups = _several(sshd.get("settings", {}).get("AllowGroups"))
    if names := sshd.get("allowUsers"):
        reading.settings["sshd"] = {**sshd, "allowUsers": [*names, ADMIN]}
        reading.remark("sshd", f"{ADMIN} is let in, too")
    return {"groups": groups[:1]} if groups and not {"sudo", "wheel"} & {*groups} else {}


def _several(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [] if value is None else [value]


def _has(user: Mapping[str, Any], keys: Sequence[str]) -> bool:
    blobs = {key.split()[1] for key in keys}
    return any(blob in line for blob in blobs for line in user.get("keys", ()))


def _login(one: Adopted, name: str, operator: Operator) -> Connection:
    file = operator.private_key_file or one.login.private_key_file
    return one.login.model_copy(update={"user": name, "private_key_file": file, "former": ()})


def _close_firewall(reading: Reading, serving: Sequence[Listener], ssh: Sequence[int]) -> None:
    there = reading.settings.get("firewall")
    if there and there.get("keep"):
        return
    if there is None and "firewall" not in reading.lacking:
        reading.remark("firewall", "TODO: what can be reached is decided by rules that are not taken over: see above")
        return
    forwards = [family for family in Family if str(family) in reading.survey.forwards]
    found = closed(there, serving, ssh, forwards)
    kept = reading.remarks.get("firewall", [])
    gone = tuple(f"{family}:" for family in found.changed)
    reading.remarks["firewall"] = [line for line in kept if not line.startswith(gone)] if gone else kept
    reading.settings["firewall"] = _at_boot(reading, found.settings)
    reading.remark("firewall", *found.reasons, *unlike_listeners(reading.settings["firewall"], serving))


def _ssh_ports(one: Adopted, serving: Sequence[Listener]) -> list[int]:
    """Return the ports of sshd, that of the login first; systemd may listen in its place."""
    ports = {*_several(one.reading.settings.get("sshd", {}).get("settings", {}).get("Port"))}
    ports |= {each.port for each in serving if each.protocol == "tcp" and each.program in ("sshd", "ssh")}
    return sorted(ports, key=lambda port: (port != one.login.port, port))


def _at_boot(reading: Reading, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose rules are loaded at boot, if they can be."""
    if settings.get("persistent", True):
        return settings
    loaded = {name: value for name, value in settings.items() if name != "persistent"}
    try:
        FirewallSettings.model_validate(loaded)
    except ValidationError:
        reading.remark(
            "firewall", "TODO: the rules need sets that nothing declares: declare them, so that both survive a boot"
        )
        return settings
    reading.remark("firewall", "loaded at boot from now on: end what else loads rules then, if anything does")
    return loaded


def _close_sshd(one: Adopted) -> None:
    reading = one.reading
    if "sshd" not in reading.settings:
        reading.remark("sshd", "TODO: how people log in could not be taken over (see above): look at it")
        return
    sshd: dict[str, Any] = dict(reading.settings.get("sshd", {}))
    if one.admin is not None or one.login.user != "root":
        if sshd.pop("permitRootLogin", "no") != "no":
            reading.remark("sshd", "root logs in no more: the admin does, and uses sudo")
    elif sshd.get("permitRootLogin", "no") != "no":
        sshd["permitRootLogin"] = "prohibit-password"
        reading.remark("sshd", "TODO: permitRootLogin: no, as soon as another user can log in and use sudo")
    without = [user["name"] for user in reading.settings.get("users", ()) if not user.get("keys")]
    if without:
        reading.remark("sshd", f"passwords stay allowed: {', '.join(without)} has no key")
    elif sshd.pop("passwordAuthentication", False):
        reading.remark("sshd", "passwords can be guessed: keys only")
        sshd["settings"] = {
            name: value for name, value in sshd.get("settings", {}).items() if name != "KbdInteractiveAuthentication"
        }
    if not sshd.get("settings"):
        sshd.pop("settings", None)
    _strengthen(one, sshd)
    reading.settings["sshd"] = sshd


def _strengthen(one: Adopted, sshd: dict[str, Any]) -> None:
    """Add strong algorithms and limits, where the host has declared nothing of the kind itself."""
    own = {name.lower() for name in sshd.get("settings", {})}
    if not own & {keyword.lower() for keyword in algorithms.KEYWORDS}:
        if not algorithms.has_modern(one.reading.openssh):
            one.reading.remark(
                "sshd", f"algorithms: modern needs OpenSSH {algorithms.OLDEST}: algorithms stay as they are"
            )
        elif not one.host_key.startswith(("ssh-ed25519 ", "ssh-rsa ")):
            one.reading.remark("sshd", "TODO: algorithms: modern, as soon as hostKey pins the ed25519 key of this host")
        else:
            sshd["algorithms"] = algorithms.MODERN
            one.reading.remark("sshd", "algorithms that ssh-audit calls insecure are refused; clients need OpenSSH 6.7")
    for name, keyword, value, reason in _LIMITS:
        if name not in sshd and keyword.lower() not in own:
            sshd[name] = value
            one.reading.remark("sshd", reason)


def _remove_packages(reading: Reading) -> None:
    packages = {name: value for name, value in reading.settings.get("packages", {}).items() if name != "without"}
    reading.remarks.pop("packages", None)
    packages["absent"] = _unwanted(reading)
    there = f"{', '.join(reading.unwanted)} would go" if reading.unwanted else "none is installed, and none comes back"
    reading.remark("packages", f"network services that few servers need: {there}")
    reading.settings["packages"] = packages
    Hardening.model_validate(reading.settings)


def _unwanted(reading: Reading) -> list[str]:
    return sorted({*reading.unwanted, *_GUIDES})
