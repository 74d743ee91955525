"""`LimitedUser`: an account with SSH keys, a password and sudo on one host; as many of them as wanted."""

from collections.abc import Mapping
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import CheckFailure, CheckResult

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.stored import Stored, has_unknown
from components.users.chapter import UserChapter
from components.users.settings import UserFacts, UserInputs, refusal
from hosts.ssh.connection import HostAccess


class LimitedUserProvider(HostProvider[UserInputs, UserFacts]):
    """Pulumi's CRUD for `LimitedUser`, including former logins of the user."""

    chapter = UserChapter()

    def way_since(self, inputs: UserInputs, state: Stored[UserInputs, UserFacts]) -> HostAccess | None:
        """As in every chapter, plus the password that the state has for this user, if it can be used for logging in."""
        way, word = super().way_since(inputs, state), state.declared.password
        if way is None or word is None or state.declared.hashed:
            return way
        logins = {name: login for name, login in way.logins() if login.user == inputs.name}
        before = {name: login.since(login.model_copy(update={"sudo_password": word})) for name, login in logins.items()}
        return way.model_copy(update=before)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse, additionally, a user who could not log in or use sudo; unknown keys and passwords count as valid. An
        imported account may have a password that only its host knows."""
        result = super().check(_olds, news)
        unknown = [name for name, value in result.inputs.items() if has_unknown(value)]
        if result.failures or any(name != "connection" for name in unknown):
            return result
        given = {key: value for key, value in result.inputs.items() if key not in ("connection", "__provider")}
        name, why = refusal(UserInputs.model_validate(given))
        if name in ("keys", "sudo") and (_same_ways_in(_olds, given) or given.get("existing") == "asIs"):
            return result  # if the host has no such account, `create` refuses it
        return CheckResult(result.inputs, [CheckFailure(name, why)]) if name else result


def _same_ways_in(olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    """Return whether a user is in the state already, with the same password, keys and right to sudo."""
    defaults: dict[str, Any] = {"name": None, "sudo": "password", "keys": [], "password": None}
    return all(olds.get(name, default) == news.get(name, default) for name, default in defaults.items())


class LimitedUser(HostResource, provider=LimitedUserProvider):
    """An account on one host. Properties: those of `UserInputs`.

    Outputs: those and `observed` (what the host shows). The password is a secret.
    """

    name: Output[str]
    keys: Output[list[str]]
    sudo: Output[str]

    def __init__(self, name: str, props: Mapping[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        own = {key: Output.secret(value) if key == "password" and value else value for key, value in props.items()}
        super().__init__(name, {**own, "observed": None}, opts)
