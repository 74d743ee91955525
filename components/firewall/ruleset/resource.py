"""`Ruleset`: the iptables rules of one address family on one host, as a resource."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CheckFailure, CheckResult, DiffResult
from pydantic import ValidationError

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.stored import has_unknown
from components.failure import Failure
from components.firewall.ruleset.chapter import RulesetChapter
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from components.firewall.ruleset.way_in import LOCKOUT, refusal, refusal_of
from hosts.ssh.connection import HostAccess
from hosts.system.origin import Origin
from rules.language.sets import lacking, read


class RulesetProvider(HostProvider[RulesetInputs, RulesetFacts]):
    """Pulumi's CRUD for `Ruleset`."""

    chapter = RulesetChapter()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse, in addition to invalid rules, rules through which nobody could log in any more."""
        result = super().check(_olds, news)
        if result.failures or has_unknown(news.get("rules")) or has_unknown(news.get("host")):
            return result
        inputs = RulesetInputs.model_validate({k: v for k, v in result.inputs.items() if k != "connection"})
        need = lacking(inputs.declared, read(inputs.sets)) if inputs.persistent else ""
        if need:
            return CheckResult(result.inputs, [CheckFailure("rules", need)])
        access = None if inputs.accept_lockout else self._known_access(inputs.host, news.get("connection"))
        locked = refusal(inputs.declared, access) if access else ""
        if not locked:
            return result
        return CheckResult(result.inputs, [CheckFailure("rules", LOCKOUT.format(locked))])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Refuse, already in the preview, a change that would lock out the address that the last run came from.

        Raises Failure.
        """
        result = super().diff(_id, _olds, _news)
        if not result.changes:
            return result
        seen = RulesetFacts.model_validate(_olds.get("observed") or {})
        if not seen.client or has_unknown(_news):
            return result
        inputs = self._inputs(_news)
        access = self._known_access(inputs.host, _news.get("connection"))
        # sshd may have moved since; the run itself checks its own connection
        ports = dict.fromkeys((seen.port, *(login.port for _, login in (access.logins() if access else ()))))
        locked = [refusal_of(inputs.declared, Origin(seen.client, port)) for port in ports]
        if all(locked) and not inputs.accept_lockout:
            raise Failure(f"{inputs.host}: {self.chapter.title(inputs)}: {LOCKOUT.format(locked[0])}")
        return result

    def noted(self, before: RulesetFacts | None, seen: RulesetFacts) -> dict[str, Any]:
        """The address and port that the last observation came in by: a preview must not close that path."""
        if before is None or not seen.client or (seen.client, seen.port) == (before.client, before.port):
            return {}
        return {"observed": before.model_copy(update={"client": seen.client, "port": seen.port}).props()}

    def _known_access(self, host: str, connection: Any) -> HostAccess | None:
        """The access data of the host, as far as a preview can know."""
        if host in self._access or not connection or has_unknown(connection):
            return self._access.get(host)
        try:
            return HostAccess.model_validate({"name": host, **connection})
        except ValidationError:
            return None


class Ruleset(HostResource, provider=RulesetProvider):
    """The rules of one address family on one host. Properties: those of `RulesetInputs`.

    Outputs: `rules` (canonical text), `observed` (what the host shows).
    """

    rules: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)
