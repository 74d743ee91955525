"""One account in terms of a host: keys, password, sudo, and how it is restored.

An existing account is adopted, and restored on delete. What the run itself needs (its login's account, key and sudo
right) is never removed: that is checked beforehand, and after a change the admin logs in again. If that fails, or if
nobody confirms the change, the host rolls it back.

Source: the guide, "Add a Limited User Account" and "Create an Authentication Keypair"; useradd(8), sudoers(5), sshd(8).
"""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from components.core.chapter import STALE, Chapter, KnownState
from components.failure import Failure
from components.users.existing import existing
from components.users.exits import EXITS
from components.users.keys import plan as keys_plan
from components.users.keys.facts import keys_program, own_folder, own_keys, own_trouble, trouble
from components.users.own_login import by_another_login, guard
from components.users.settings import (
    UserFacts,
    UserInputs,
    effective_sudo,
    ends_logins,
    keys_in_force,
    mode_of,
    refusal,
)
from components.users.sudo.groups import groups_ever, groups_of, groups_out, removed_groups
from hosts.errors import HostError, LoginRefused
from hosts.guard.guarded import Guard
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import file_state
from hosts.text.masking import printable, shortened

if TYPE_CHECKING:
    from hosts.host import Host

Seen = KnownState[UserInputs, UserFacts]


class UserChapter(Chapter[UserInputs, UserFacts]):
    """One account."""

    inputs = UserInputs
    facts = UserFacts
    replaced_by = frozenset({"host", "name"})
    importable = ("user NAME",)
    proof = ""

    def title(self, inputs: UserInputs) -> str:
        return f"user {inputs.name}"

    def observe(self, inputs: UserInputs) -> Script:
        body = script("components/users/observe.sh")
        return Script("read the account", body, _names(inputs), exits=EXITS)

    def parse(self, inputs: UserInputs, answer: Answer) -> UserFacts:
        part = answer.sections
        account = part["account"].strip().split(":")
        group = part["group"].strip().split(":")
        facts = UserFacts(
            group_gid=group[2] if len(group) > 2 else "",
            sudo_group=part["sudo_group"].strip(),
            drop_in=file_state(part, "dropin").packed(),
        )
        if len(account) < 7:
            return facts
        kind, ageing, expired = (*part["shadow"].splitlines(), "", "", "")[:3]
        return facts.model_copy(
            update={
                "exists": True,
                "shell": account[6],
                "home": account[5],
                "groups": tuple(sorted(part["groups"].split())),
                "password": kind,
                "ageing": ageing,
                "expired": expired.strip(),
                "sudo": effective_sudo(part["sudo"]),
                "home_state": part["home"].strip(),
                "ssh": own_folder(part),
                "keys": own_keys(part),
                "keys_trouble": own_trouble(part),
            }
        )

    def apply(self, inputs: UserInputs, known: Seen) -> Script:
        before, prior, last = known.before, known.prior or UserFacts(), known.last
        if before is None:
            return Script("read the account first", f"exit {STALE}")
        if keys_plan.managed(inputs, known) and before.keys_trouble:
            if known.reobserved:
                raise Failure(f"{inputs.host}: {self.title(inputs)}: {trouble(inputs, before)}")
            return Script("read the keys", f"exit {STALE}")
        content = before.keys.unpacked().content
        homeless = _homeless(inputs, before) and not _homeless(inputs, prior)
        last_password = last.password if last else None
        change = {
            "adopted": _flag(prior.exists),
            "shell": inputs.shell or (prior.shell if _ever(known, "shell") or _lost(inputs, prior, before) else ""),
            "shell_lost": _flag(_lost(inputs, prior, before) and not prior.exists),
            "want_home": inputs.home or (prior.home if _ever(known, "home") or homeless else ""),
            "home_lost": _flag(homeless and not prior.exists),
            "leaves_home": _flag(keys_plan.ever_managed(known) and prior.exists and before.home == prior.home),
            **keys_plan.given_back(last or inputs, prior, before, known),
            "groups": " ".join(groups_of(inputs, before)),
            "groups_out": " ".join(groups_out(inputs, known)),
            "password_form": "-e" if inputs.hashed else "",
            "password_changed": _flag(last_password != inputs.password),
            "dropin_content": inputs.drop_in,
            "sudo_wanted": inputs.sudo,
            "sudo_trial": script("components/users/sudo/trial.sh"),
            "first": _flag(last is None),
            "keys_managed": _flag(keys_plan.managed(inputs, known)),
            "keys_expected": content,
            "keys_content": keys_plan.wanted(inputs, known, content),
            "ssh_mode": inputs.ssh_mode,
            "keys_mode": inputs.keys_mode,
        }
        secrets = {"password": inputs.password or SecretStr("")}
        body = script("components/users/apply.sh")
        return Script("set up the account", body, {**_names(inputs), **change}, secrets, exits=EXITS)

    def restore(self, inputs: UserInputs, known: Seen) -> Script:
        prior, now = known.prior or UserFacts(), known.before or UserFacts()
        known = replace(known, earlier=(*known.earlier, inputs))
        gave_password = inputs.password is not None or prior.password != "set"  # noqa: S105  # a kind, not a password
        change = {
            "adopted": _flag(prior.exists),
            "remove_home": _flag(inputs.remove_home),
            "group_gid": prior.group_gid,
            "shell_back": prior.shell if _ever(known, "shell") or _lost(inputs, prior, now) else now.shell,
            "home_back": prior.home if _ever(known, "home") or _homeless(inputs, now) else now.home,
            "home_made": _flag(not prior.home_state),
            "home_mode": mode_of(prior.home_state) if _writable(prior.home_state) else "",
            "groups": " ".join(sorted({name for one in known.possible for name in removed_groups(one, prior)})),
            "groups_out": " ".join(sorted(groups_ever(known, now) - set(prior.groups))),
            "shadow_back": _flag(gave_password or bool(prior.expired)),
            "keys_managed": _flag(keys_plan.ever_managed(known)),
            "keys_expected": now.keys.unpacked().content,
            **keys_plan.given_back(inputs, prior if prior.home == now.home else UserFacts(), now, known),
            **prior.drop_in.unpacked().values("prior_dropin"),
        }
        body = script("components/users/restore.sh")
        return Script("restore the account", body, {**_names(inputs), **change}, exits=EXITS)

    def guard(self, inputs: UserInputs, known: Seen, access: HostAccess, *, restoring: bool = False) -> Guard | None:
        """Only for this user's logins. Its prior state may not allow a login, so that case is not guarded."""
        if restoring or all(login.user != inputs.name for _, login in access.logins()):
            return None
        save, back = script("components/users/save.sh"), script("components/users/go_back.sh")
        return Guard(save, back, "", _names(inputs), inputs.confirm_within)

    def stages(self, host: "Host", inputs: UserInputs, known: Seen) -> tuple[UserInputs, ...]:
        if inputs.existing == "asIs" and known.last is None and (why := refusal(inputs)[1]):
            raise Failure(f"{host.name}: user {inputs.name}: the account is not as declared, and {why}")
        guard(host, inputs, known)
        return (inputs,)

    def prove_login(self, host: "Host", inputs: UserInputs, patience: float, *, restoring: bool = False) -> None:
        host.credentials_changed(inputs.name)
        # at this run's port: if a later chapter moves sshd, nothing listens on the admin's port yet
        port = host.entered().port
        try:
            for login in _proved(host, inputs.name):
                host.confirm_everywhere(patience, login=login, port=port)
        except LoginRefused as error:
            error.hint = _kept_out(host, inputs.name) or error.hint
            raise
        host.renew()

    def differences(self, inputs: UserInputs, seen: UserFacts) -> str:
        if not seen.exists:
            return "the account does not exist"
        if seen.sudo != inputs.sudo:
            return f"sudo -l reports `{seen.sudo}` instead of `{inputs.sudo}`; another sudoers rule overrides it"
        shown = self.as_observed(inputs, KnownState(), seen)
        names = sorted(name for name in type(inputs).model_fields if getattr(shown, name) != getattr(inputs, name))
        return ", ".join(names)

    def as_observed(self, inputs: UserInputs, known: Seen, seen: UserFacts) -> UserInputs:
        if not seen.exists:
            gone = {"enabled": False, "password": None, "keys": (), "groups": ()}
            return inputs.model_copy(update=gone)
        changes: dict[str, Any] = {
            "enabled": not (
                seen.expired
                or _locked(inputs, seen)
                or _homeless(inputs, seen)
                or _writable(seen.home_state)
                or (inputs.shell is None and ends_logins(seen.shell))
            ),
            "groups": tuple(group for group in inputs.groups if group in seen.groups),
            "sudo": _shown_sudo(inputs, seen),
        }
        if inputs.password is not None and seen.password != "set":  # noqa: S105
            changes["password"] = None
        if inputs.shell is not None:
            changes["shell"] = seen.shell
        if inputs.home is not None:
            changes["home"] = seen.home
        if keys_plan.manages(inputs):
            changes["keys"] = keys_in_force(inputs, seen)
            changes["ssh_mode"] = mode_of(seen.ssh) if seen.ssh[:1].isdigit() else inputs.ssh_mode
            changes["keys_mode"] = seen.keys.mode.zfill(3) if seen.keys.exists else inputs.keys_mode
        return inputs.model_copy(update=changes)

    def host_for_restore(self, host: "Host", inputs: UserInputs, known: Seen) -> "Host":
        return by_another_login(host, inputs.name, adopted=bool(known.prior and known.prior.exists))

    def existing(self, inputs: UserInputs, seen: UserFacts, answer: Answer) -> UserInputs | None:
        return existing(inputs, seen)

    def already_configured(self, inputs: UserInputs, seen: UserFacts) -> str:
        return "the account already exists" if seen.exists else ""


def _proved(host: "Host", user: str) -> list[str]:
    """Return the user's logins that prove a change: the one that later runs use first, and the one in use, which is
    known to have worked before."""
    logins = host.access.logins()
    return [name for name, login in logins if login.user == user and name in (logins[0][0], host.login)]


def _names(inputs: UserInputs) -> dict[str, str]:
    return {"name": inputs.name, "dropin": inputs.drop_in_path, "keys_program": keys_program()}


def _flag(value: bool) -> str:
    return "yes" if value else ""


def _ever(known: Seen, name: str) -> bool:
    """Return whether any inputs that may be in force set this."""
    return any(getattr(one, name) for one in known.possible)


def _lost(inputs: UserInputs, prior: UserFacts, seen: UserFacts) -> bool:
    """Return whether somebody gave the account a shell that ends every login, although its prior shell did not."""
    return inputs.shell is None and seen.exists and ends_logins(seen.shell) and not ends_logins(prior.shell)


def _homeless(inputs: UserInputs, seen: UserFacts) -> bool:
    """Return whether the account's home is not a path, although none is declared."""
    return inputs.home is None and seen.exists and not seen.home.startswith("/")


def _locked(inputs: UserInputs, seen: UserFacts) -> bool:
    return inputs.password is None and seen.password in ("locked", "empty")


def _writable(state: str) -> bool:
    """Return whether sshd's StrictModes would refuse a directory of this mode."""
    return bool(int(mode_of(state) or "0", 8) & 0o022)


def _shown_sudo(inputs: UserInputs, seen: UserFacts) -> str:
    ours = seen.drop_in.unpacked()
    if seen.sudo != inputs.sudo:
        return seen.sudo
    same = ours.content == inputs.drop_in and (not ours.exists or (ours.mode, ours.owner) == ("440", "root"))
    member = inputs.sudo == "none" or not seen.sudo_group or seen.sudo_group in seen.groups
    return inputs.sudo if same and member else "other"


def _kept_out(host: "Host", name: str) -> str:
    """Return which settings of sshd may lock out a user with a valid key; "" if there are none."""
    with suppress(HostError):
        look = Script("look whom sshd lets in", script("components/users/let_in.sh"), {"name": name})
        [answer] = host.run(look, resource=f"user {name}")
        if lines := shortened(printable("; ".join(answer.stdout.splitlines())), 300):
            return (
                f"sshd on the host lets in only some: {lines}. Is {name} among them? Declare `groups` of this user "
                "that are, or change that on the host"
            )
    return ""
