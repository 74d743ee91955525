"""The settings of dnf-automatic and yum-cron for `components/updates/chapter.py`, written and parsed. Pure.

/etc/dnf/automatic.conf, /etc/yum/yum-cron.conf (CentOS 7) and /etc/sysconfig/yum-cron (CentOS 6) have no drop-ins, so
the file is replaced as a whole, and delete restores it.
"""

import re
from configparser import ConfigParser, Error
from dataclasses import dataclass

_HEAD = "# Written by Stockade: edit the stack config instead, changes here are overwritten."


@dataclass(frozen=True)
class DnfAutomatic:
    """The content of the file. `reboot`: the command that reboots if an update needs it; "" for never."""

    apply: bool = False
    security: bool = False
    reboot: str = ""
    mail: str = ""


def dnf_text(wanted: DnfAutomatic) -> str:
    """Return the settings file of dnf-automatic."""
    commands = [f"upgrade_type = {'security' if wanted.security else 'default'}", *_what(wanted)]
    if wanted.reboot:
        commands += ["reboot = when-needed", f"reboot_command = {wanted.reboot}"]
    return "\n".join([_HEAD, "[commands]", *commands, "", *_mail(wanted), ""])


def yum_text(wanted: DnfAutomatic) -> str:
    """Return the settings file of yum-cron in yum 3.4.3."""
    commands = [f"update_cmd = {'security' if wanted.security else 'default'}", "update_messages = yes"]
    commands += [*_what(wanted), "random_sleep = 360"]
    base = ["[base]", "debuglevel = -2", "mdpolicy = group:main"]
    return "\n".join([_HEAD, "[commands]", *commands, "", *_mail(wanted), "", *base, ""])


def sysconfig_text(wanted: DnfAutomatic) -> str:
    """Return the settings file of yum-cron in yum 3.2.29."""
    values = {
        "YUM_PARAMETER": "--security" if wanted.security else "",
        "CHECK_ONLY": "no" if wanted.apply else "yes",
        "DOWNLOAD_ONLY": "no",
        "ERROR_LEVEL": "0",
        "DEBUG_LEVEL": "0",
        "RANDOMWAIT": "60",
        "MAILTO": wanted.mail,
        "DAYS_OF_WEEK": "0123456",
        "CLEANDAY": "0",
    }
    return "\n".join([_HEAD, *(f"{name}={value}" for name, value in values.items()), ""])


def _what(wanted: DnfAutomatic) -> list[str]:
    answer = "yes" if wanted.apply else "no"
    return [f"download_updates = {answer}", f"apply_updates = {answer}"]


def _mail(wanted: DnfAutomatic) -> list[str]:
    lines = ["[emitters]", f"emit_via = {'stdio,email' if wanted.mail else 'stdio'}"]
    if wanted.mail:
        lines += ["", "[email]", "email_from = root", f"email_to = {wanted.mail}", "email_host = localhost"]
    return lines


def parse(config: str) -> DnfAutomatic:
    """Parse any of the three; anything unparsable has no effect."""
    if re.search(r"^\s*(CHECK_ONLY|YUM_PARAMETER)=", config, re.M):
        return _parse_sysconfig(config)
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(config)
    except Error:
        return DnfAutomatic()

    def value(section: str, name: str, default: str = "") -> str:
        return parser.get(section, name, fallback=default).strip()

    mails = "email" in value("emitters", "emit_via", "email,stdio").replace(" ", "").split(",")
    reboots = value("commands", "reboot", "never") != "never"
    return DnfAutomatic(
        apply=value("commands", "apply_updates").lower() in ("yes", "true", "1", "on"),
        security=value("commands", "upgrade_type", value("commands", "update_cmd", "default")) == "security",
        reboot=value("commands", "reboot_command", "shutdown -r +5") if reboots else "",
        mail=value("email", "email_to", "root") if mails else "",
    )


def _parse_sysconfig(config: str) -> DnfAutomatic:
    values = {name: value.strip("\"'") for name, value in re.findall(r"^\s*([A-Z_]+)=(.*?)\s*$", config, re.M)}
    return DnfAutomatic(
        apply=values.get("CHECK_ONLY", "no") == "no" and values.get("DOWNLOAD_ONLY", "no") == "no",
        security="--security" in values.get("YUM_PARAMETER", "").split(),
        mail=values.get("MAILTO", ""),
    )
