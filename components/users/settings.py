"""The declared users and the facts about a host: the data of `components/users/chapter.py`, no I/O."""

import re
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator

from components.config.inventory import Problems, Settings
from components.config.names import group_names
from components.core.chapter import ChapterInputs, Model, worked_out
from components.keys.authorized_keys import AuthorizedKey, found, parse_key
from components.keys.public import public_keys
from hosts.guard.guarded import LIMIT
from hosts.system.files import FileState

PACKAGES = ("sudo",)
"""The packages that a user with `sudo` needs."""

NAME = r"^[a-z_][a-z0-9_.-]{0,30}$"
PATH = r"^/[A-Za-z0-9_.@/+-]+$"
NO_LOGIN = ("nologin", "false")
"""Shells that end every login."""

HASHES = re.compile(r"\$(y|gy|7|2[aby]|6|5)\$[./A-Za-z0-9$=,]+")
"""A password that is already hashed, in the format of crypt(5)."""

SYSTEM_NAMES = frozenset(
    {
        # of every Debian, Fedora and Arch
        *("backup", "bin", "daemon", "games", "gnats", "irc", "list", "lp", "mail", "man", "news", "nobody", "proxy"),
        *("sync", "sys", "uucp", "www-data", "_apt", "adm", "ftp", "halt", "http", "operator", "shutdown", "nfsnobody"),
        # of services on most hosts
        *(
            "avahi",
            "chrony",
            "colord",
            "dbus",
            "fail2ban",
            "messagebus",
            "named",
            "ntp",
            "ntpsec",
            "polkitd",
            "postfix",
        ),
        *(
            "apache",
            "mysql",
            "nginx",
            "postgres",
            "rpc",
            "rpcuser",
            "sshd",
            "statd",
            "syslog",
            "tcpdump",
            "tss",
            "uuidd",
        ),
        # groups that grant their members root's rights
        *("disk", "docker", "kmem", "lxd", "shadow", "sudo", "wheel"),
    }
)
"""Names of system accounts. For any other name, the host tells whether it is one."""

RULES = {"password": "ALL=(ALL:ALL) ALL", "nopasswd": "ALL=(ALL:ALL) NOPASSWD: ALL"}
"""What the sudoers drop-in grants."""

Sudo = Literal["password", "nopasswd", "none"]


class UserInputs(ChapterInputs):
    """Inputs of `LimitedUser`.

    `name`: login name. `password`: password, plain or hashed (crypt(5)); a secret. It is set on the host if it changes
    in the stack config, not if its owner changes it on the host. Default: none, or the existing one of an adopted
    account. `sudo`: `password`, `nopasswd` or `none`; also determines membership in the group sudo (Debian) or wheel. A
    refresh shows `other` if the drop-in or the group differs. `keys`: lines of authorized_keys. `exclusive_keys`:
    remove all other keys of this user. `shell`: login shell. Default: unchanged; the system's default for a new user.
    `home`: home directory. Default: unchanged; the system's default for a new user. `groups`: additional groups.
    `remove_home`: delete also removes the home directory, if Stockade created the user. `confirm_within`: seconds after
    which the host rolls back a change to the admin's account that no new login confirmed.

    The other inputs describe the healthy state, so that `refresh` can show a deviation. `enabled`: whether the account
    is neither locked nor expired. `ssh_mode`: mode of ~/.ssh. `keys_mode`: mode of authorized_keys.
    """

    name: str = Field(pattern=NAME)
    password: SecretStr | None = None
    sudo: Literal["password", "nopasswd", "none", "other"] = "password"
    keys: tuple[str, ...] = ()
    exclusive_keys: bool = False
    shell: str | None = Field(None, pattern=PATH)
    home: str | None = Field(None, pattern=PATH)
    groups: tuple[str, ...] = ()
    remove_home: bool = False
    confirm_within: int = Field(LIMIT, ge=5, le=600)
    enabled: bool = worked_out(True)
    ssh_mode: str = worked_out("700")
    keys_mode: str = worked_out("600")

    @field_validator("password")
    @classmethod
    def _one_line(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[^\n\r\0]+", value.get_secret_value()):
            raise ValueError("a password must be one line and not empty")
        return value

    @field_validator("keys")
    @classmethod
    def _lines(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        """Normalize the lines, so that the state contains what the file contains."""
        keys: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            try:
                key = parse_key(line)
            except ValueError as error:
                raise ValueError(f"key {number}: {error}") from None
            if keys.setdefault(key.blob, str(key)) != str(key):
                raise ValueError(f"key {number}: {key.fingerprint} is listed twice, with other options or comment")
        return tuple(keys.values())

    @field_validator("groups")
    @classmethod
    def _group_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(group_names(names))))

    @property
    def parsed_keys(self) -> tuple[AuthorizedKey, ...]:
        """The keys as data."""
        return tuple(parse_key(line) for line in self.keys)

    @property
    def hashed(self) -> bool:
        """Whether the declared password is a hash."""
        return self.password is not None and bool(HASHES.fullmatch(self.password.get_secret_value()))

    @property
    def drop_in_path(self) -> str:
        """Sorts last among the drop-ins, because the last rule wins; sudo skips names with a dot."""
        return "/etc/sudoers.d/zz-stockade-" + self.name.replace(".", "%2e")

    @property
    def drop_in(self) -> str:
        """The content of the sudoers drop-in; empty for none."""
        rule = RULES.get(self.sudo)
        return f"# Written by Stockade: edit the stack config instead.\n{self.name} {rule}\n" if rule else ""


def refusal(inputs: UserInputs) -> tuple[str, str]:
    """Return which property makes the user useless or dangerous, and why; two empty strings if none does."""
    no_login = ends_logins(inputs.shell or "")
    if inputs.name == "root":
        return "name", "root is not a limited user"
    if inputs.name in SYSTEM_NAMES or inputs.name.startswith("systemd-"):
        return "name", f"{inputs.name} is a system account; a limited user is a person's"
    if not inputs.enabled:
        return "enabled", "false only shows that an account was locked; leave it out"
    if inputs.sudo == "other":
        return "sudo", "password, nopasswd or none"
    for name, mode in (("sshMode", inputs.ssh_mode), ("keysMode", inputs.keys_mode)):
        if not re.fullmatch(r"[67][0145][0145]", mode):
            return name, "three octal digits; sshd takes no key from a place that others may write to"
    if no_login or not (inputs.keys or inputs.password):
        why = f"the shell {inputs.shell} ends every login" if no_login else "there is neither a key nor a password"
        return "keys", f"{inputs.name} could not log in: {why}"
    if inputs.sudo == "password" and inputs.password is None:
        return "sudo", (
            f"{inputs.name} could not use sudo: it would ask for a password, but none is declared; declare "
            "`password`, or "
            "set `sudo: nopasswd` (or `none`)"
        )
    return "", ""


class UserFacts(Model):
    """What was observed of one account on the host; texts are empty if it does not exist.

    `exists`: whether the account exists. `shell`, `home`: as in passwd(5). `groups`: the groups that the user is in.
    `drop_in`: the user's file in sudoers.d. `keys`: the user's authorized_keys file. `group_gid`: the number of the
    group of the same name. `sudo_group`: the group that grants sudo on this host. `password`: `set`, `none` (`*`),
    `locked` (`!`) or `empty`. `ageing`: fields 3 to 8 of shadow(5). `expired`: what has expired: `account`, `password`
    or both. `sudo`: the right to sudo, from the output of `sudo -l`. `home_state`: `MODE OWNER GROUP` of the home
    directory, or `link`. `ssh`: `MODE OWNER GROUP` of ~/.ssh, or `link`. `keys_trouble`: why the keys are neither read
    nor written, a word of `TROUBLES`.
    """

    exists: bool = False
    group_gid: str = ""
    sudo_group: str = ""
    shell: str = ""
    home: str = ""
    groups: tuple[str, ...] = ()
    password: str = ""
    ageing: str = ""
    expired: str = ""
    sudo: Sudo = "none"
    drop_in: FileState = FileState("", False)
    home_state: str = ""
    ssh: str = ""
    keys: FileState = FileState("", False)
    keys_trouble: str = ""


def effective_sudo(listing: str) -> Sudo:
    """Parse the output of `sudo -l -U`: the last rule about everything as root wins (sudoers(5)).

    `!ALL` revokes the right.
    """
    rights: Sudo = "none"
    for line in listing.splitlines():
        match = re.fullmatch(r"\s+\((?:ALL|root)\b[^)]*\)\s+(.*)", line.rstrip())
        free = False
        for command in re.split(r", +", match[1]) if match else ():
            *tags, what = re.split(r": *", command)
            for tag in tags:
                free = tag == "NOPASSWD" if tag in ("NOPASSWD", "PASSWD") else free
            if what == "ALL":
                rights = "nopasswd" if free else "password"
            elif re.fullmatch(r"! ?ALL", what):
                rights = "none"
    return rights


def keys_in_force(inputs: UserInputs, seen: UserFacts) -> tuple[str, ...]:
    """Return the declared keys that sshd accepts on this host; with `exclusive_keys`, also any others that it
    accepts."""
    owner = seen.ssh.split(" ")[1:2]
    if not seen.keys.exists or owner != [inputs.name] or seen.keys.owner != inputs.name:
        return ()
    there = found(seen.keys.unpacked().content)
    declared = []
    for key in inputs.parsed_keys:
        line = there.pop(key.blob, None)
        if line is not None:
            declared.append(_usual(line))
    return (*declared, *(_usual(line) for line in there.values())) if inputs.exclusive_keys else tuple(declared)


def _usual(line: str) -> str:
    try:
        return str(parse_key(line))
    except ValueError:
        return line


def ends_logins(shell: str) -> bool:
    """Return whether this shell ends every login."""
    return shell.rsplit("/", 1)[-1] in NO_LOGIN


def mode_of(state: str) -> str:
    """Return the first word of `MODE OWNER GROUP`, padded to three digits."""
    return state.split(" ", 1)[0].zfill(3) if state else ""


class UserSettings(Settings):
    """A limited user as the stack config declares it."""

    name: str = Field(pattern=NAME, description="Login name.")
    password: SecretStr | None = Field(None, description="Password, plain or hashed (`$y$...`, `$6$...`); a secret.")
    sudo: Sudo = Field("password", description="sudo with a password, without one, or not at all.")
    keys: tuple[str, ...] = Field((), description="Public keys, as lines of authorized_keys, with options if needed.")
    key_files: tuple[str, ...] = Field(
        (), description="Files with public keys: absolute paths, `~/...`, or relative to the project folder."
    )
    exclusive_keys: bool = Field(False, description="Remove all other keys of this user.")
    shell: str | None = Field(
        None, pattern=PATH, description="Login shell. Default: unchanged; /bin/bash for a new user."
    )
    home: str | None = Field(
        None, pattern=PATH, description="Home directory. Default: unchanged; the system's default for a new user."
    )
    groups: tuple[str, ...] = Field((), description="Additional groups.")
    remove_home: bool = Field(False, description="Delete the home directory along with the user.")
    confirm_within: int = Field(
        LIMIT,
        ge=5,
        le=600,
        description="Seconds after which the host reverts an unconfirmed change to the admin's account.",
    )

    @field_validator("groups")
    @classmethod
    def _group_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return group_names(names)

    @field_validator("key_files")
    @classmethod
    def _can_be_read(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        problems = {}
        for number, file in enumerate(files):
            try:
                public_keys(files=[file])
            except ValueError as error:
                problems[f"[{number}]"] = str(error)
        if problems:
            raise Problems(problems)
        return files

    @classmethod
    def of(cls, inputs: "UserInputs") -> Self:
        """Return the settings that declare these inputs. Raises ValueError if none do."""
        if inputs.sudo == "other":
            raise ValueError("its sudo rights are neither all nor none: no setting says that")
        named = {"name": inputs.name, "sudo": inputs.sudo, "keys": inputs.keys, "groups": inputs.groups}
        return cls.model_validate({name: value for name, value in named.items() if value})

    def props(self, more_keys: tuple[Any, ...] = ()) -> dict[str, Any]:
        """Return the properties of `LimitedUser` except `host` and `connection`.

        `more_keys`: public keys created in the same program (`KeyPair.public_key`). Raises what `public_keys` raises.
        """
        own: dict[str, Any] = {
            "name": self.name,
            "password": self.password.get_secret_value() if self.password else None,
            "sudo": self.sudo,
            "keys": [*public_keys(self.keys, self.key_files), *more_keys],
            "exclusiveKeys": self.exclusive_keys,
            "shell": self.shell,
            "home": self.home,
            "groups": list(self.groups),
            "removeHome": self.remove_home,
            "confirmWithin": self.confirm_within,
        }
        return {key: value for key, value in own.items() if value is not None}
