"""What the guide would change on a host that was read, with the reason for each change: pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adopt.reading import Reading
from adopt.written import Adopted
from components.firewall.settings import FirewallSettings
from components.registry import Hardening
from components.sshd import algorithms
from hosts.ssh.connection import Connection
from rules.analysis.reachability import TooIntricateError, analyse
from rules.language.parse import parse
from rules.values.family import Family

_LISTENS = re.compile(r"(tcp|udp) (\S+):(\d+)( (\S+))?")
_OWN_ADDRESS = frozenset({68, 546})
"""Ports of DHCP clients, which the preset accepts or the kernel handles itself."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,40}")
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


@dataclass(frozen=True)
class Operator:
    """Who hardens: the public keys that a new admin gets, and the private key file that goes with them."""

    keys: tuple[str, ...] = ()
    private_key_file: str = ""


def hardened(one: Adopted, operator: Operator) -> Adopted:
    """Return a host as the guide would have it. Reasons are in its remarks; what needs a person's decision, too."""
    reading = replace(one.reading, settings={**one.reading.settings}, remarks=_copied(one.reading), left_out=[])
    out = _with_admin(replace(one, reading=reading), operator)
    _close_firewall(reading)
    _close_sshd(out)
    _add(reading, "sysctl", {}, "redirects, source routes and forged sources are refused")
    _add(reading, "fail2ban", {}, "nobody is banned after wrong passwords")
    _add(reading, "updates", {}, "security updates are not installed by themselves")
    _remove_packages(reading)
    return out


def _copied(reading: Reading) -> dict[str, list[str]]:
    return {chapter: [*lines] for chapter, lines in reading.remarks.items()}


def _add(reading: Reading, chapter: str, settings: Mapping[str, Any], reason: str) -> None:
    there = reading.settings.get(chapter)
    if chapter == "sysctl" and there:
        changed = ", ".join(sorted(there.get("values", {})))
        reading.settings[chapter] = settings
        reading.remark(chapter, f"{reason}: until now {changed} differ")
    elif there is None or there.get("enabled") is False:
        reading.settings[chapter] = settings
        reading.remark(chapter, f"until now {reason}")


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
    users.append({"name": ADMIN, "sudo": "nopasswd", "keys": [*operator.keys]})
    one.reading.settings["users"] = users
    one.reading.remark("users", f"{ADMIN} is new: with it, root need not log in any more")
    return replace(one, admin=_login(one, ADMIN, operator))


def _has(user: Mapping[str, Any], keys: Sequence[str]) -> bool:
    blobs = {key.split()[1] for key in keys}
    return any(blob in line for blob in blobs for line in user.get("keys", ()))


def _login(one: Adopted, name: str, operator: Operator) -> Connection:
    file = operator.private_key_file or one.login.private_key_file
    return one.login.model_copy(update={"user": name, "private_key_file": file, "former": ()})


def _close_firewall(reading: Reading) -> None:
    there = reading.settings.get("firewall")
    if there and there.get("keep"):
        return
    if there and _denies(FirewallSettings.model_validate(there)):
        _remark_unused(reading, there)
        return
    settings: dict[str, Any] = dict(_services(reading))
    if there and there.get("beside"):
        settings["beside"] = there["beside"]
    reading.settings["firewall"] = settings
    reading.remarks["firewall"] = []
    reading.remark(
        "firewall", "until now everything could be reached; from now on, what listens today and nothing else"
    )


def _denies(settings: FirewallSettings) -> bool:
    try:
        return all(
            analyse(parse(settings.ruleset(family), family)).default_deny(chain) is True
            for family in Family
            for chain in ("INPUT", "FORWARD")
        )
    except (TooIntricateError, ValueError):
        return False


def _listening(reading: Reading) -> Iterator[tuple[str, int, str]]:
    for line in reading.listening:
        found = _LISTENS.match(line)
        if found and int(found[3]) not in _OWN_ADDRESS:
            yield found[1], int(found[3]), found[5] or ""


def _services(reading: Reading) -> Iterator[tuple[str, Any]]:
    ssh = sorted({port for protocol, port, who in _listening(reading) if who in ("sshd", "ssh") and protocol == "tcp"})
    web = {80, 443} <= {port for protocol, port, _ in _listening(reading) if protocol == "tcp"}
    taken = {("tcp", port) for port in (*ssh[:1], *((80, 443) if web else ()))}
    yield "preset", "web" if web else "ssh"
    if ssh and ssh[0] != 22:
        yield "sshPort", ssh[0]
    services = []
    for protocol, port, who in sorted({*_listening(reading)}):
        if (protocol, port) in taken:
            continue
        taken.add((protocol, port))
        named = {"name": who} if _NAME.fullmatch(who) else {}
        services.append({**named, "ports": [port], **({"protocol": protocol} if protocol != "tcp" else {})})
    if services:
        yield "services", services


def _remark_unused(reading: Reading, settings: Mapping[str, Any]) -> None:
    listening = {(protocol, port) for protocol, port, _ in _listening(reading)}
    for service in settings.get("services", ()):
        protocol = service.get("protocol", "tcp")
        idle = [
            port for port in service.get("ports", ()) if isinstance(port, int) and (protocol, port) not in listening
        ]
        if idle:
            ports = ", ".join(map(str, idle))
            reading.remark(
                "firewall", f"{protocol} {ports} is open, and nobody listens there: remove it if it is not needed"
            )


def _close_sshd(one: Adopted) -> None:
    reading = one.reading
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
    packages["absent"] = sorted({*reading.unwanted, *_GUIDES})
    there = f"{', '.join(reading.unwanted)} would go" if reading.unwanted else "none is installed, and none comes back"
    reading.remark("packages", f"network services that few servers need: {there}")
    reading.settings["packages"] = packages
    Hardening.model_validate(reading.settings)
