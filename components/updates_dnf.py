"""What `components/updates.py` says to dnf-automatic, and reads back: /etc/dnf/automatic.conf. Pure."""

from configparser import ConfigParser, Error
from dataclasses import dataclass

CONFIG = "/etc/dnf/automatic.conf"
"""dnf-automatic reads this one file and no drop-ins, so it is replaced as a whole; delete puts it back."""

_HEAD = "# Written by Stockade: edit the stack config instead, changes here are overwritten."


@dataclass(frozen=True)
class DnfAutomatic:
    """What the file says. `reboot`: the command that reboots where an update needs it; "" for never."""

    apply: bool = False
    security: bool = False
    reboot: str = ""
    mail: str = ""


def text(wanted: DnfAutomatic) -> str:
    """Return the file."""
    lines = [
        _HEAD,
        "[commands]",
        f"upgrade_type = {'security' if wanted.security else 'default'}",
        f"download_updates = {'yes' if wanted.apply else 'no'}",
        f"apply_updates = {'yes' if wanted.apply else 'no'}",
    ]
    if wanted.reboot:
        lines += ["reboot = when-needed", f"reboot_command = {wanted.reboot}"]
    lines += ["", "[emitters]", f"emit_via = {'stdio,email' if wanted.mail else 'stdio'}"]
    if wanted.mail:
        lines += ["", "[email]", "email_from = root", f"email_to = {wanted.mail}", "email_host = localhost"]
    return "\n".join([*lines, ""])


def parse(config: str) -> DnfAutomatic:
    """Read the file; what cannot be read does nothing."""
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
        security=value("commands", "upgrade_type", "default") == "security",
        reboot=value("commands", "reboot_command", "shutdown -r +5") if reboots else "",
        mail=value("email", "email_to", "root") if mails else "",
    )
