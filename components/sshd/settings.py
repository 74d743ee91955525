"""The declared settings of sshd and the facts about a host: the data of `components/sshd/chapter.py`, no I/O."""

import re
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.config.inventory import Settings
from components.config.names import shown
from components.core.chapter import ChapterInputs, Model
from components.sshd import algorithms, effective
from hosts.guard.guarded import LIMIT

ROOT = "permitrootlogin"
PASSWORDS = "passwordauthentication"
KEYBOARD = "kbdinteractiveauthentication"
_OWN = {ROOT: "permitRootLogin", PASSWORDS: "passwordAuthentication"}
"""Keywords that have a setting of their own."""


_TYPED = {
    "MaxAuthTries": "max_auth_tries",
    "LoginGraceTime": "login_grace_time",
    "X11Forwarding": "x11_forwarding",
    "AllowAgentForwarding": "agent_forwarding",
    "AllowUsers": "allow_users",
}
"""Keywords that can be declared by a typed setting, or among `settings`."""


class SshdSettings(Settings):
    """Settings under `stockade:sshd`."""

    permit_root_login: Literal["no", "prohibit-password", "forced-commands-only", "yes"] = Field(
        "no", description="Whether root may log in."
    )
    password_authentication: bool = Field(False, description="Allow logins with a password.")
    algorithms: Literal["distribution", "modern"] = Field(
        "distribution",
        description="`modern`: key exchange, ciphers, MACs and host keys that ssh-audit does not call insecure, for "
        "clients from OpenSSH 6.7 on; needs OpenSSH 7.2 on the host. `distribution`: what is set on the host.",
    )
    max_auth_tries: int | None = Field(
        None, ge=1, description="Failed attempts to log in after which a connection ends: fewer guesses."
    )
    login_grace_time: int | None = Field(
        None,
        ge=1,
        description="Seconds in which a login must succeed: connections left open use up sshd's `MaxStartups`.",
    )
    x11_forwarding: bool | None = Field(
        None, description="Allow X11 forwarding, by which root of the host can read the client's keyboard and screen."
    )
    agent_forwarding: bool | None = Field(
        None, description="Allow agent forwarding, by which root of the host can use the client's keys."
    )
    allow_users: tuple[str, ...] = Field(
        (),
        description="Login names that may log in, as in `AllowUsers`; nobody else can. The admin must be one of them.",
    )
    settings: dict[str, str | bool | int | tuple[str | int, ...] | None] = Field(
        {},
        description="Any other keyword of sshd_config(5), such as `ClientAliveInterval: 300` or `AllowGroups: [ssh]`.",
    )
    confirm_within: int = Field(
        LIMIT, ge=5, le=600, description="Seconds after which the host reverts a change that no new login confirmed."
    )

    @field_validator("permit_root_login", mode="before")
    @classmethod
    def _yaml_words(cls, value: Any) -> Any:
        return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        for keyword in self.settings:
            if not re.fullmatch(r"[A-Za-z0-9]+|subsystem [\w.-]+", keyword, re.ASCII | re.I):
                raise ValueError(f"not a setting of sshd: {shown(keyword)} is not a keyword of sshd_config(5)")
        self.text()
        return self

    def text(self) -> str:
        """Return the lines, in canonical form. Raises ValueError for contradictory settings."""
        own: dict[str, Any] = {
            "PermitRootLogin": self.permit_root_login,
            "PasswordAuthentication": self.password_authentication,
        }
        given = {keyword.lower() for keyword in self.settings}
        for keyword, field in (("PermitRootLogin", "permitRootLogin"), (PASSWORDS, "passwordAuthentication")):
            if keyword.lower() in given:
                raise ValueError(f"{keyword} has its own setting: {field}")
        if not self.password_authentication and not given & {KEYBOARD, "challengeresponseauthentication"}:
            own["KbdInteractiveAuthentication"] = False
        typed = {keyword: getattr(self, field) for keyword, field in _TYPED.items()}
        own |= {keyword: value for keyword, value in typed.items() if value not in (None, ())}
        if self.algorithms == algorithms.MODERN:
            own |= dict.fromkeys(algorithms.KEYWORDS, algorithms.MODERN)
        if twice := given & {keyword.lower() for keyword in own} - {KEYBOARD}:
            raise ValueError(f"{', '.join(sorted(twice))} is declared twice: in `settings` and by a setting of its own")
        return effective.from_settings({**own, **self.settings})

    @classmethod
    def of(cls, inputs: "SshdInputs") -> Self:
        """Return the settings that declare these inputs. Raises ValueError if none do."""
        lines: dict[str, list[str]] = {}
        spelled: dict[str, str] = {}
        for line in effective.parse(inputs.settings):
            subsystem = line.key.startswith("subsystem ")
            keyword = spelled.setdefault(
                line.key, f"{line.keyword} {line.value.split()[0]}" if subsystem else line.keyword
            )
            lines.setdefault(keyword, []).append(line.value.partition(" ")[2] if subsystem else line.value)
        own = {name: lines.pop(spelled[key])[0] for key, name in _OWN.items() if key in spelled}
        if own.keys() != set(_OWN.values()):
            raise ValueError("PermitRootLogin and PasswordAuthentication are not both known")
        if own["passwordAuthentication"] == "no" and lines.get(spelled.get(KEYBOARD, "")) == ["no"]:
            del lines[spelled[KEYBOARD]]
        settings = {
            keyword: _typed(given[0]) if len(given) == 1 else tuple(int(v) if v.isdecimal() else v for v in given)
            for keyword, given in lines.items()
        }
        if own["permitRootLogin"] == "without-password":  # as sshd prints it
            own["permitRootLogin"] = "prohibit-password"
        passwords = {"yes": True, "no": False}[own["passwordAuthentication"]]
        typed = _taken(settings)
        return cls.model_validate({**own, **typed, "passwordAuthentication": passwords, "settings": settings})

    @property
    def ports(self) -> tuple[int, ...]:
        """The declared ports, sorted; empty if none are declared."""
        return effective.ports(self.text())

    @property
    def declares_ports(self) -> bool:
        """Whether sshd's ports are declared."""
        return bool(self.ports)

    def props(self, host: str, admin: str = "") -> dict[str, Any]:
        """Return the inputs of `Sshd` except `connection`. `admin`: the login name that must be able to log in."""
        own = {"host": host, "settings": self.text(), "confirmWithin": self.confirm_within}
        return {**own, "admin": admin} if admin else own


def _taken(settings: dict[str, Any]) -> dict[str, Any]:
    """Take those out of `settings` that have a typed setting, as far as its type can express the value."""
    taken: dict[str, Any] = {}
    for keyword, field in _TYPED.items():
        value = settings.get(keyword)
        if field == "allow_users":
            fits = keyword in settings
        elif field in ("x11_forwarding", "agent_forwarding"):
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, int) and value > 0
        if fits:
            taken[field] = (value,) if isinstance(value, str) and field == "allow_users" else value
            del settings[keyword]
    if all(settings.get(keyword) == algorithms.MODERN for keyword in algorithms.KEYWORDS):
        taken["algorithms"] = algorithms.MODERN
        for keyword in algorithms.KEYWORDS:
            del settings[keyword]
    return taken


def _typed(value: str) -> str | bool | int:
    """Return a value as people write it in YAML."""
    if value in ("yes", "no"):
        return value == "yes"
    return int(value) if value.isdecimal() and str(int(value)) == value else value


class SshdInputs(ChapterInputs):
    """Inputs of `Sshd`.

    `settings`: lines of sshd_config(5), `Keyword value`; stored sorted. `admin`: login name of the admin; the settings
    must be in force for the admin and for root. If empty: for the user who logs in. `confirm_within`: seconds after
    which the host rolls back a change that no new login confirmed.
    """

    admin: str = Field("", pattern=r"^[^\s:/@,]*$")
    settings: str
    confirm_within: int = Field(LIMIT, ge=5, le=600)

    @field_validator("settings")
    @classmethod
    def _canonical(cls, text: str) -> str:
        lines = effective.canonical(text)
        two_factors = effective.value(lines, "authenticationmethods").split()
        if (
            effective.value(lines, PASSWORDS) == "no"
            and effective.value(lines, KEYBOARD) == "yes"
            and not (two_factors and all("publickey" in methods.split(",") for methods in two_factors))
        ):
            raise ValueError(
                "KbdInteractiveAuthentication yes allows passwords through PAM: remove it, or declare "
                "`AuthenticationMethods: publickey,keyboard-interactive`"
            )
        return lines

    @field_validator("settings")
    @classmethod
    def _admin_gets_in(cls, text: str, info: ValidationInfo) -> str:
        admin = info.data.get("admin", "")
        if admin and (reason := effective.shuts_out(text, admin)):
            raise ValueError(f"the admin would be locked out: {reason}")
        if admin == "root" and effective.value(text, ROOT) == "no":
            raise ValueError("PermitRootLogin no needs an admin login other than root")
        return text


class SshdFacts(Model):
    """What was observed on the host, for the declared keywords only; texts are lines of `sshd -T`.

    `wanted`: the declared settings in sshd's own spelling. `admin`: what is in force for the admin's logins. `root`:
    what is in force for root's logins. `ports`: the ports on which sshd, or the socket unit that starts it, listens.
    `unwritten`: declared lines that are neither in the output of `sshd -T` nor in Stockade's file. `ours`: whether a
    file or block of Stockade's exists. `version`: the version of OpenSSH.
    """

    wanted: str = ""
    admin: str = ""
    root: str = ""
    ports: tuple[int, ...] = ()
    unwritten: tuple[str, ...] = ()
    ours: bool = False
    version: str = ""
