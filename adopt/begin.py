"""`stockade init`: asks what it cannot know of a new server, and writes the stack config that hardens it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adopt.command import Answers, operator_of, valid_stack
from adopt.harden import ADMIN
from adopt.login import shown_key
from adopt.output import preview, say, write
from adopt.target import Target, read_target, with_login
from adopt.written import entry_lines, host_entry, setting
from components.failure import Failure
from components.users.settings import UserSettings
from hosts.errors import HostError

_CHAPTERS: Mapping[str, tuple[str, object]] = {
    "firewall": ("SSH, and web if the preset is `web`, can be reached; everything else is denied, over IPv6, too.", {}),
    "sysctl": ("Redirects, source routes and forged sources are refused.", {}),
    "sshd": (
        "Keys only, no login as root, and strong algorithms: clients need OpenSSH 6.7 (2014) or later.",
        {
            "algorithms": "modern",
            "maxAuthTries": 3,
            "loginGraceTime": 60,
            "x11Forwarding": False,
            "agentForwarding": False,
        },
    ),
    "fail2ban": ("Five wrong passwords: banned for ten minutes.", {}),
    "updates": ("Security updates are installed every day.", {}),
    "listeners": ("A warning about anything else that listens.", {}),
    "packages": (
        "Network services that few servers need: removed, and they stay away.",
        {"absent": ["exim4-daemon-light", "rpcbind"]},
    ),
}


@dataclass(frozen=True)
class Wanted:
    """What was asked. `web`: whether it is a web server. `keys`: public keys of the admin."""

    target: Target
    admin: str
    keys: tuple[str, ...]
    web: bool
    host_key: str


def text(wanted: Wanted) -> str:
    """Return the stack config of a new server."""
    login = wanted.target.login
    key = {"private_key_file": login.private_key_file}
    admin = login.model_copy(update={"user": wanted.admin, **key})
    entry = host_entry(login, wanted.host_key, admin=admin)
    users = [{"name": wanted.admin, "sudo": "nopasswd", "keys": [*wanted.keys]}]
    chapters = {name: (why, value) for name, (why, value) in _CHAPTERS.items()}
    chapters["firewall"] = (_CHAPTERS["firewall"][0], {"preset": "web" if wanted.web else "ssh"})
    lines = [
        "# yaml-language-server: $schema=stockade.schema.json",
        "# Written by `stockade init`. docs/chapters.md describes every setting.",
        "config:",
        "  stockade:hosts:",
        *entry_lines(wanted.target.name, entry),
        "  # The everyday login from now on: a limited user with sudo. `sudo: password` asks for one; set it with",
        "  # pulumi config set --secret --path 'stockade:users[0].password'",
        *setting("stockade:users", users),
    ]
    for name, (why, value) in chapters.items():
        lines += [f"  # {why}", *setting(f"stockade:{name}", value)]
    return "\n".join(lines) + "\n"


def main(
    stack: str,
    project: Callable[[], Path],
    words: str = "",
    *,
    admin: str = "",
    web: bool | None = None,
    identities: Sequence[str] = (),
    host_keys: Sequence[str] = (),
    shows_preview: bool = True,
) -> int:
    """Ask for what is not given, write the stack config, and show its preview. Return the exit status."""
    answers = Answers(frozenset(host_keys))
    try:
        valid_stack(stack)
        wanted = _asked(answers, words, admin, web, identities)
        folder = project()
        write(stack, {f"stacks/Pulumi.{stack}.yaml": text(wanted)}, folder)
    except (Failure, HostError, OSError, EOFError, ValueError) as error:
        say(f"error: {error or 'no answer'}")
        return 1
    say(f"written: stacks/Pulumi.{stack}.yaml")
    status = preview(stack, folder) if shows_preview else 0
    say(f"next: read the preview; then `stockade up --stack {stack}`")
    return status


def _asked(answers: Answers, words: str, admin: str, web: bool | None, identities: Sequence[str]) -> Wanted:
    words = words or _ask(answers, "The server, with the login that it came with (root@203.0.113.7)", "HOST")
    target = with_login(read_target(words if "@" in words else f"root@{words}"), private_key_file=[*identities])
    name = target.name or _ask(answers, "A name for it, in messages and in this file (web1)", "NAME=… in HOST")
    target = Target(target.words, name, target.login)
    admin = admin or _ask(answers, f"The limited user who administers it [{ADMIN}]", "--admin", ADMIN)
    operator = operator_of(identities)
    if not operator.keys:
        raise Failure("no public key: make one with `ssh-keygen -t ed25519`, or name the private one with --identity")
    UserSettings.model_validate({"name": admin, "keys": operator.keys})
    if web is None:
        reply = _ask(answers, "Is it a web server, open on ports 80 and 443? [y/N]", "--web or --no-web", "n")
        web = reply.lower() in ("y", "yes")
    key = shown_key(target)
    if not key.known and not answers.confirm(target, key):
        raise Failure(f"{target.words}: its host key was not confirmed: {key.fingerprint}; compare it, then --host-key")
    return Wanted(target, admin, operator.keys, web, key.line)


def _ask(answers: Answers, question: str, option: str, default: str = "") -> str:
    if not answers.interactive:
        if default:
            return default
        raise Failure(f"{question}: say it with {option}")
    print(f"{question}: ", end="", file=sys.stderr, flush=True)
    return input().strip() or default
