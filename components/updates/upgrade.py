"""`SystemUpgrade`: upgrades all packages once, and again whenever its trigger changes.

This is a one-off action, not state of a host, hence pulumi-command's `remote.Command`. It is non-interactive, and keeps
changed configuration files. Source: the guide, "Update Your System-Frequently"; apt-get(8).
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi import ComponentResource, Input, Output, ResourceOptions, RunError
from pulumi.runtime import is_dry_run
from pydantic import Field

from components.config.inventory import Settings
from components.config.named_files import elsewhere
from components.core.waiting import waiting
from hosts.errors import HostError
from hosts.scripts import script
from hosts.shell import assigned, quote, reveal
from hosts.ssh.connection import Connection, HostAccess, resolve
from hosts.text.textfiles import BadFile, read_private_key

if TYPE_CHECKING:
    from pulumi_command.remote import Command

_PREFERENCE = ("ssh-ed25519", "ecdsa-sha2-nistp256")


class UpgradeSettings(Settings):
    """Settings under `stockade:upgrade`."""

    trigger: str | int | None = Field(
        None, description="Upgrade everything whenever this value changes; for example a date. Default: never."
    )
    full: bool = Field(False, description="Also remove packages if an upgrade needs it (apt-get full-upgrade).")


class SystemUpgrade(ComponentResource):
    """All packages of one host, upgraded when `trigger` changes.

    Args:
        name: name of the component.
        connection: how to reach the host; the admin login is used, or bootstrap if there is no admin. In a mapping,
            values may be Outputs.
        settings: `trigger` and `full`.
        opts: resource options.

    Outputs: `upgraded`: lines such as `upgraded libc6:amd64 2.36-9 2.36-10`, `installed ...`, `removed ...`; empty if
    something other than the trigger changed. `reboot_due`.

    Raises `RunError` if pulumi-command could not connect safely: an unreadable key file, an unknown host key (it would
    accept any), a chain of jump hosts.
    """

    upgraded: Output[list[str]]
    reboot_due: Output[bool]

    def __init__(
        self,
        name: str,
        connection: HostAccess | Mapping[str, Input[Any]],
        settings: UpgradeSettings,
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:SystemUpgrade", name, {}, opts)
        output = _command(name, connection, settings, ResourceOptions(parent=self, depends_on=before)).stdout
        self.upgraded = output.apply(
            lambda text: [line for line in text.splitlines() if not line.startswith("reboot ")]
        )
        self.reboot_due = output.apply(lambda text: "reboot yes" in text.splitlines())
        self.register_outputs({"upgraded": self.upgraded, "rebootDue": self.reboot_due})


def _command(
    name: str, connection: HostAccess | Mapping[str, Input[Any]], settings: UpgradeSettings, opts: ResourceOptions
) -> "Command":
    from pulumi_command.remote import Command, Logging  # 0.25 s to import, only where needed

    login = _login(connection)
    plain = Output.unsecret(login)  # the presence of a sudo password is not secret
    given: Any = Output.secret(login.apply(command_connection))
    stdin: Any = Output.secret(login.apply(sudo_input))
    if isinstance(connection, HostAccess) and _key_is_elsewhere(admin(connection)):
        opts = ResourceOptions.merge(opts, ResourceOptions(ignore_changes=["connection"]))
    return Command(
        name,
        connection=given,
        stdin=stdin,
        create=plain.apply(lambda way: as_root(way, upgrade(full=settings.full))),
        # a new key or address must not upgrade: then it only prints
        update=plain.apply(lambda way: as_root(way, reboot_due())),
        triggers=[settings.trigger, settings.full],
        logging=Logging.STDERR,
        opts=opts,
    )


def upgrade(*, full: bool) -> str:
    """Return the sh that upgrades everything, and prints what changed and whether a reboot is due."""
    body = script("components/updates/upgrade.sh", "components/updates/reboot.sh")
    return assigned({"full": "yes" if full else ""}) + body


def reboot_due() -> str:
    """Return the sh that prints whether a reboot is due."""
    return script("components/updates/reboot.sh")


def _login(connection: HostAccess | Mapping[str, Input[Any]]) -> Output[Connection]:
    if isinstance(connection, HostAccess):
        login = admin(connection)
        command_connection(login)  # so that an error is raised now, as one line
        return Output.from_input(login)
    return Output.from_input(connection).apply(lambda way: admin(HostAccess.model_validate({"name": "host", **way})))


def admin(way: HostAccess) -> Connection:
    """Return the login to use."""
    return way.logins()[0][1]


def command_connection(login: Connection) -> dict[str, Any]:
    """Return `login` as pulumi-command's ConnectionArgs: converted to its terms, without what it does not support.

    Raises `RunError`: see `SystemUpgrade`.
    """
    props = _base(login)
    if login.proxy is not None:
        if login.proxy.proxy is not None:
            raise RunError(f"{login.address}: pulumi-command supports only one jump host; leave out `upgrade`")
        props["proxy"] = _base(login.proxy)
    return props


def sudo_input(login: Connection) -> str | None:
    """Return the password for sudo's stdin."""
    return None if login.sudo_password is None else reveal(login.sudo_password) + "\n"


def as_root(login: Connection, script: str) -> str:
    """Return the command that runs a sh script as root, in any login shell of the user."""
    if login.user == "root":
        return f"sh -c {quote(script)}"
    ask = "-n" if login.sudo_password is None else "-S -k -p ''"
    return f"sudo {ask} -H -- sh -c {quote(script)}"


def _base(login: Connection) -> dict[str, Any]:
    key = _private_key(login)
    values: dict[str, Any] = {
        "host": login.host,
        "port": login.port,
        "user": login.user,
        "password": reveal(login.password) if login.password else None,
        "privateKey": key,
        "privateKeyPassword": reveal(login.private_key_password) if key and login.private_key_password else None,
        "agentSocketPath": login.agent_socket_path,
        "hostKey": _host_key(login),
        "dialErrorLimit": login.dial_error_limit or None,
        "perDialTimeout": max(1, round(login.per_dial_timeout)),
    }
    return {name: value for name, value in values.items() if value is not None}


def _private_key(login: Connection) -> str | None:
    if login.private_key is not None:
        return reveal(login.private_key)
    if login.private_key_file is None:
        return None
    if _key_is_elsewhere(login):
        return None
    try:
        return read_private_key(resolve(login.private_key_file))
    except BadFile as error:
        raise RunError(f"{login.address}: privateKeyFile {error}") from None


def _key_is_elsewhere(login: Connection) -> bool:
    """Whether this is a preview on a machine without the key, such as a CI runner, or one that must not read it."""
    if not is_dry_run():
        return False
    known, file = login.known_hosts_file, login.private_key_file
    if login.host_key is None and known is not None and elsewhere(known):
        return True
    return login.private_key is None and file is not None and (elsewhere(file) or not os.path.lexists(resolve(file)))


def _host_key(login: Connection) -> str | None:
    """Return the key to pin. Without one, pulumi-command accepts any key."""
    if login.host_key is not None:
        return login.host_key
    if login.known_hosts_file is not None and is_dry_run() and elsewhere(login.known_hosts_file):
        return None
    from hosts.ssh.hostkeys import key_line, trust_of

    try:
        trust = trust_of(login)
    except HostError as error:
        raise RunError(f"{login.address}: {error}") from None
    lines = [key_line(key) for key in trust.keys]
    for line in sorted(lines, key=_rank):
        return line
    raise RunError(
        f"{login.address}: its host key is not in {trust.source}; pin it as `hostKey` in the stack config "
        "(pulumi-command would accept any key)"
    )


def _rank(line: str) -> int:
    kind = line.split(maxsplit=1)[0]
    return _PREFERENCE.index(kind) if kind in _PREFERENCE else len(_PREFERENCE)
