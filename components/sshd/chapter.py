"""`Sshd`: what sshd lets in, as `sshd -T` tells it: no root, no passwords, and any other keyword by its name.

The declared lines go where sshd reads first (the first value wins), and once more into a block before every other Match
block, so neither a cloud image's drop-in nor a Match further down undoes them. The whole configuration is tried before
any of it is in force; then sshd is reloaded, and open sessions carry on. Then the admin logs in anew; where that does
not work within `confirmWithin` seconds, or the run ends before, the host puts the old files back by itself.

A new Port needs no step by hand: sshd listens on both, a login on the new one is made, then the old one is closed.
The firewall must accept it before (depends_on), and the stack config says where each login knocks, for this run and
later ones: `admin: {port: 2222}`, `bootstrap: {port: 22}`. What the first refuses or does not answer, the second tries.

Source: the guide, "Harden SSH Access", "SSH Daemon Options"; sshd_config(5).
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Literal, Self

from pulumi import Output, ResourceOptions
from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.config.inventory import Settings
from components.config.names import shown
from components.core.change import Change
from components.core.chapter import Chapter, ChapterInputs, Failure, KnownState, Model
from components.core.dynamic import HostProvider
from components.core.resource import HostResource
from components.sshd import effective
from components.sshd.login import entrance, sole_login
from components.sshd.shell import APPLY, BACK, COMMIT, HEADER, OBSERVE, SAVE
from hosts.errors import Unreachable
from hosts.guard.guarded import LIMIT, Guard, is_armed
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FILE_EXITS

if TYPE_CHECKING:
    from hosts.host import Host

ROOT = "permitrootlogin"
PASSWORDS = "passwordauthentication"
KEYBOARD = "kbdinteractiveauthentication"


class SshdSettings(Settings):
    """What the stack config says under `stockade:sshd`."""

    permit_root_login: Literal["no", "prohibit-password", "forced-commands-only", "yes"] = Field(
        "no", description="Whether root may log in."
    )
    password_authentication: bool = Field(False, description="Let people log in with passwords, as the guide allows.")
    settings: dict[str, str | bool | int | tuple[str | int, ...] | None] = Field(
        {}, description="Any other keyword of sshd_config(5), as `MaxAuthTries: 3` or `AllowUsers: [deploy]`."
    )
    confirm_within: int = Field(
        LIMIT, ge=5, le=600, description="Seconds until a change nobody can log in with goes back."
    )

    @field_validator("permit_root_login", mode="before")
    @classmethod
    def _yaml_words(cls, value: Any) -> Any:
        return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        for keyword in self.settings:
            if not re.fullmatch(r"[A-Za-z0-9]+|subsystem [\w.-]+", keyword, re.ASCII | re.I):
                raise ValueError(f"not a setting of sshd: {shown(keyword)} is no keyword of sshd_config(5)")
        self.text()
        return self

    def text(self) -> str:
        """Return the lines, in canonical form. Raises ValueError for what does not go together."""
        own = {
            "PermitRootLogin": self.permit_root_login,
            "PasswordAuthentication": self.password_authentication,
        }
        given = {keyword.lower() for keyword in self.settings}
        for keyword, field in (("PermitRootLogin", "permitRootLogin"), (PASSWORDS, "passwordAuthentication")):
            if keyword.lower() in given:
                raise ValueError(f"{keyword} has a setting of its own: {field}")
        if not self.password_authentication and not given & {KEYBOARD, "challengeresponseauthentication"}:
            own["KbdInteractiveAuthentication"] = False
        return effective.from_settings({**own, **self.settings})

    @property
    def ports(self) -> tuple[int, ...]:
        """The declared ports, sorted; none where they are not."""
        return effective.ports(self.text())

    @property
    def declares_ports(self) -> bool:
        """Whether sshd's ports are declared."""
        return bool(self.ports)

    def props(self, host: str, admin: str = "") -> dict[str, Any]:
        """Return the inputs of `Sshd`, but for `connection`; `admin` is the login name that must get in."""
        own = {"host": host, "settings": self.text(), "confirmWithin": self.confirm_within}
        return {**own, "admin": admin} if admin else own


class SshdInputs(ChapterInputs):
    """Inputs of `Sshd`.

    `settings`: lines of sshd_config(5), `Keyword value`; kept sorted. `admin`: login name of the admin, for whom (and
    for root) the settings must be in force; "": whoever logs in. `confirm_within`: seconds until a change that
    nobody could log in with goes back.
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
                "KbdInteractiveAuthentication yes lets passwords in through PAM: leave it out, or declare "
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
    """What a host shows, about the declared keywords alone; texts are lines of `sshd -T`.

    `wanted`: the declared settings in sshd's own spelling. `admin`, `root`: what is in force for their logins. `ports`:
    where sshd, or the socket unit that starts it, listens. `unwritten`: declared lines of which `sshd -T` says nothing
    and which are not in our file either. `ours`: a file or block of ours is there.
    """

    wanted: str = ""
    admin: str = ""
    root: str = ""
    ports: tuple[int, ...] = ()
    unwritten: tuple[str, ...] = ()
    ours: bool = False
    version: str = ""


Seen = KnownState[SshdInputs, SshdFacts]


class SshdChapter(Chapter[SshdInputs, SshdFacts]):
    """The settings of sshd."""

    inputs = SshdInputs
    facts = SshdFacts
    proof = ""

    def title(self, inputs: SshdInputs) -> str:
        return "sshd"

    def observe(self, inputs: SshdInputs) -> Script:
        return Script("read the settings in force", OBSERVE, _values(inputs), exits=FILE_EXITS)

    def parse(self, inputs: SshdInputs, answer: Answer) -> SshdFacts:
        part = answer.sections
        admin = part.get("admin", part["root"])
        wanted = effective.about(part["wanted"], inputs.settings)
        told = {line.key for line in map(effective.row, wanted.splitlines())}
        ours = {line.strip() for line in part["ours"].splitlines()}
        silent = (str(line) for line in effective.parse(inputs.settings) if line.key not in told)
        return SshdFacts(
            wanted=wanted,
            admin=effective.about(admin, inputs.settings),
            root=effective.about(part["root"], inputs.settings),
            ports=effective.listening(admin, part.get("listener")),
            unwritten=tuple(line for line in silent if line not in ours),
            ours=bool(ours),
            version=part["version"].partition("\n")[0].partition(",")[0].strip(),
        )

    def apply(self, inputs: SshdInputs, known: Seen) -> Script:
        return Script("change the settings", APPLY, _values(inputs))

    def restore(self, inputs: SshdInputs, known: Seen) -> Script:
        values = {**_values(inputs), "silence": "", "ports": "", "give_back": "yes"}
        return Script("put the prior settings back", APPLY, values)

    def differences(self, inputs: SshdInputs, seen: SshdFacts) -> str:
        parts = [
            f"{key} for {who}"
            for who, shown in (("the admin", seen.admin), ("root", seen.root))
            for key in effective.differing(seen.wanted, shown)
        ]
        declared = effective.ports(inputs.settings)
        if declared and declared != seen.ports:
            parts.append(f"Port: sshd listens on {', '.join(map(str, seen.ports))}")
        return "; ".join((*parts, *seen.unwritten))

    def as_observed(self, inputs: SshdInputs, known: Seen, seen: SshdFacts) -> SshdInputs:
        text = effective.without(inputs.settings, seen.unwritten)
        for view in (seen.root, seen.admin):
            text = effective.as_shown(text, effective.differing(seen.wanted, view), view)
        declared = effective.ports(inputs.settings)
        if declared and declared != seen.ports:
            text = effective.as_shown(text, ("port",), "".join(f"port {port}\n" for port in seen.ports))
        return inputs.model_copy(update={"settings": text})

    def already_configured(self, inputs: SshdInputs, seen: SshdFacts) -> str:
        return "Stockade's settings of sshd are on the host already" if seen.ours else ""

    def guard(self, inputs: SshdInputs, known: Seen, access: HostAccess, *, restoring: bool = False) -> Guard:
        ports = "" if restoring else " ".join(map(str, effective.ports(inputs.settings)))
        return Guard(SAVE, BACK, COMMIT, {"ports": ports}, inputs.confirm_within)

    def stages(self, host: "Host", inputs: SshdInputs, known: Seen) -> tuple[SshdInputs, ...]:
        """Let the admin prove a login over a new connection. A new port is opened beside the old one first."""
        way = entrance(host, inputs.settings, inputs.admin)
        way.check()
        if not way.moves:
            return (inputs,)
        return listening_on(inputs, {*effective.ports(inputs.settings), way.port}), inputs

    def prove_login(self, host: "Host", inputs: SshdInputs, patience: float, *, restoring: bool = False) -> None:
        """Log in as later runs will; by whichever login works where the prior settings are back."""
        if restoring:
            host.confirm_everywhere(patience, login="any")
            return
        try:
            sole_login(host, inputs.settings).confirm_everywhere(patience)
        except Unreachable as error:
            port = host.access.logins()[0][1].port
            if port != host.entered().port:
                error.hint = f"Does the firewall accept port {port}? It must, before sshd moves there."
            raise

    def host_for_restore(self, host: "Host", inputs: SshdInputs, known: Seen) -> "Host":
        """Open the port that sshd goes back to beside the present one, and prove a login there, before all else is put
        back: what closes it may be the firewall, which goes back after this, or one that is not on the host."""
        way = entrance(host, inputs.settings, inputs.admin)
        before = known.prior.ports if known.prior else ()
        if way.behind_nat or way.port in before or not before:
            return host
        port = ([login.port for _, login in host.access.logins() if login.port in before] or [*before])[0]
        step, title = listening_on(inputs, {port, way.port}), self.title(inputs)
        guard = self.guard(step, known, host.access)
        change = Change(host, title, guard, lambda limit: host.confirm_everywhere(limit, login=host.login, port=port))
        try:
            if is_armed(change.run(self.apply(step, known))[0]):
                change.keep(self.observe(step))
        except Failure as error:
            raise Failure(
                f"{host.name}: {title}: sshd goes back to port {port}, where nobody can log in now. Let port {port} in "
                "first, wherever this host is filtered; in the stack config, under the host: "
                f"`firewall: {{services: [{{name: sshd before, ports: [{port}]}}]}}`. Then `up`, and `destroy` again."
                f"\n{error}"
            ) from error
        return host


class SshdProvider(HostProvider[SshdInputs, SshdFacts]):
    """Pulumi's CRUD for `Sshd`."""

    chapter = SshdChapter()


def listening_on(inputs: SshdInputs, ports: AbstractSet[int]) -> SshdInputs:
    """Return the same settings, with these ports in place of those that are declared."""
    lines = effective.without(inputs.settings, [f"Port {port}" for port in {*effective.ports(inputs.settings), *ports}])
    return inputs.model_copy(update={"settings": lines + "".join(f"Port {port}\n" for port in sorted(ports))})


class Sshd(HostResource, module="stockade", name="Sshd"):
    """The settings of sshd on one host. Properties: those of `SshdInputs`; see `SshdSettings.props`.

    Outputs: `settings` (canonical lines), `observed` (what is in force), `prior` (what was before).
    """

    settings: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(SshdProvider(), name, {**props, "observed": None}, opts)


def _values(inputs: SshdInputs) -> dict[str, str]:
    text = inputs.settings
    return {
        "head": HEADER + effective.written(text),
        "match": effective.match_all(text),
        "keys": effective.pattern(text),
        "silence": effective.silenced(text),
        "ports": " ".join(map(str, effective.ports(text))),
        "admin": inputs.admin,
        "give_back": "",
    }
