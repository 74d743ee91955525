"""fail2ban runs on every host and watches sshd."""

from __future__ import annotations

from collections.abc import Iterable
from configparser import ConfigParser, Error

from policies.base import JAILS, DeclaredHost, host_policy
from policies.settings import PolicySettings, texts

WATCHED = texts("jails", "Jails that must run.", ("sshd",))


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    declared = [resource.props for resource in host.of(JAILS)]
    if not declared:
        yield "nothing bans those who guess passwords. Declare `stockade:fail2ban: {}`."
        return
    running = {jail for props in declared if props.get("enabled", True) for jail in _jails(props["config"])}
    missing = [jail for jail in settings.texts(WATCHED.name) if jail not in running]
    if missing:
        yield (
            f"fail2ban does not run {', '.join(missing)}. Leave `enabled` at true under `stockade:fail2ban`, also for "
            "the jail."
        )


def _jails(text: str) -> Iterable[str]:
    parser = ConfigParser(interpolation=None, default_section="\0", strict=False)
    try:
        parser.read_string(text)
        return [name for name in parser.sections() if parser.getboolean(name, "enabled", fallback=False)]
    except (Error, ValueError):
        return ()


POLICIES = [host_policy("fail2ban-on", "fail2ban runs on every host.", _check, WATCHED)]
