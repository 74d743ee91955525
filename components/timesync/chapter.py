"""`TimeSync`: which daemon keeps a host's clock; the guide offers OpenNTPD in the place of ntpd.

Source: the guide, "Determine Which Services to Remove": "If you prefer a time synchronization method which does not
hold open network ports [...] you may be interested in replacing NTPdate with OpenNTPD".
"""

from collections.abc import Mapping
from typing import Any, Literal

from pulumi import ComponentResource, Input, ResourceOptions
from pydantic import Field

from components.config.inventory import Settings
from components.core.chapter import Chapter, ChapterInputs, KnownState, Model
from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.waiting import waiting
from components.packages.chapter import Packages
from hosts.shell import Answer, Script
from hosts.system.services import SERVICES, ServiceState, service_states

Daemon = Literal["openntpd", "chrony", "systemd-timesyncd"]
Choice = Literal["keep"] | Daemon

DAEMONS: tuple[Daemon, ...] = ("openntpd", "chrony", "systemd-timesyncd")
NTP = ("ntp", "ntpsec")
"""Packages of ntpd, which holds UDP port 123 open."""


def packages_for(choice: Choice) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is `present` and what `absent` for a choice; nothing of either for `keep`."""
    if choice == "keep":
        return (), ()
    return (choice,), tuple(sorted({*NTP, *DAEMONS} - {choice}))


class TimeSyncSettings(Settings):
    """What the stack config says under `stockade:timeSync`."""

    daemon: Choice = Field("keep", description="Daemon that keeps the clock. `keep`: whatever is there.")

    def packages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is present and what absent."""
        return packages_for(self.daemon)


class TimeSyncInputs(ChapterInputs):
    """`daemon`: the package and the unit of the same name. `running`: false only where somebody has stopped it."""

    daemon: Daemon
    running: bool = True


class TimeSyncFacts(Model):
    """The daemon's unit in systemctl(1)'s words; `may_set_clock`: whether the host may (a container may not)."""

    enabled: str
    active: str
    may_set_clock: bool


class TimeSyncChapter(Chapter[TimeSyncInputs, TimeSyncFacts]):
    """The unit is enabled and running; its package is another resource's."""

    inputs = TimeSyncInputs
    facts = TimeSyncFacts
    replaced_by = frozenset({"host", "daemon"})

    def title(self, inputs: TimeSyncInputs) -> str:
        return "time sync"

    def observe(self, inputs: TimeSyncInputs) -> Script:
        body = (
            SERVICES
            + 'section state svc_state "$unit"\n'
            + "begin capable; sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/1/status; end\n"
        )
        return Script(step="look at the time daemon", body=body, values=_unit(inputs))

    def parse(self, inputs: TimeSyncInputs, answer: Answer) -> TimeSyncFacts:
        unit = _unit(inputs)["unit"]
        state = service_states(answer.sections["state"]).get(unit, ServiceState(unit, "absent", "inactive"))
        cap_sys_time = 1 << 25  # capabilities(7)
        capable = int(answer.sections["capable"].strip() or "0", 16) & cap_sys_time
        return TimeSyncFacts(enabled=state.enabled, active=state.active, may_set_clock=bool(capable))

    def apply(self, inputs: TimeSyncInputs, known: KnownState[TimeSyncInputs, TimeSyncFacts]) -> Script:
        # where the clock may not be set, the daemon is enabled and can't start
        body = SERVICES + 'svc_on "$unit"\nsvc_start "$unit" || :\n'
        return Script(step="enable the time daemon", body=body, values=_unit(inputs))

    def restore(self, inputs: TimeSyncInputs, known: KnownState[TimeSyncInputs, TimeSyncFacts]) -> Script:
        prior = known.prior or TimeSyncFacts(enabled="absent", active="inactive", may_set_clock=False)
        values = {**_unit(inputs), "enabled": prior.enabled, "active": prior.active}
        body = SERVICES + '[ "$(svc_state "$unit")" != "$unit absent inactive" ] || exit 0\n'
        body += 'svc_restore "$unit" "$enabled" "$active"\n'
        return Script(step="put the time daemon back", body=body, values=values)

    def differences(self, inputs: TimeSyncInputs, seen: TimeSyncFacts) -> str:
        if seen.enabled != "enabled":
            return f"{inputs.daemon} is {seen.enabled}"
        if seen.may_set_clock and seen.active != "active":
            return f"{inputs.daemon} is {seen.active}: journalctl -u {inputs.daemon}"
        return ""

    def as_observed(
        self, inputs: TimeSyncInputs, known: KnownState[TimeSyncInputs, TimeSyncFacts], seen: TimeSyncFacts
    ) -> TimeSyncInputs:
        """A daemon that was stopped or disabled shows as not running."""
        if not self.differences(inputs, seen):
            return inputs
        return inputs.model_copy(update={"running": False})


class TimeSyncProvider(HostProvider[TimeSyncInputs, TimeSyncFacts]):
    """Pulumi's CRUD for `TimeSyncService`."""

    chapter = TimeSyncChapter()


class TimeSyncService(HostResource, module="stockade", name="TimeSyncService"):
    """The unit of a time daemon on one host. Properties: `host` (str), `connection`, `daemon` (str)."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(TimeSyncProvider(), name, {"observed": None, **props}, opts)


class TimeSync(ComponentResource):
    """One time daemon on a host, in the place of the others.

    Args:
        name: name of the component; its children are `NAME-service` and, unless `packages` is given, `NAME-packages`.
        host: name of the host in the stack config.
        settings: which daemon; by default the one that is there is kept, and nothing is done.
        connection: how to reach the host, where the stack config does not say (values may be Outputs).
        packages: a `Packages` resource that has what `packages_for` says already.
        opts: resource options; `retain_on_delete` is handed to the children.
    """

    def __init__(
        self,
        name: str,
        host: str,
        settings: TimeSyncSettings | None = None,
        *,
        connection: Input[Mapping[str, Any]] | None = None,
        packages: Packages | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:TimeSync", name, {}, opts)
        settings = settings or TimeSyncSettings()
        if settings.daemon != "keep":
            retain = opts.retain_on_delete if opts else None
            common: dict[str, Any] = {"host": host, "connection": connection}
            if packages is None:
                present, absent = settings.packages()
                child = ResourceOptions(parent=self, depends_on=before, retain_on_delete=retain)
                props = {**common, "present": present, "absent": absent, "group": "time"}
                packages = Packages(f"{name}-packages", props, child)
            child = ResourceOptions(parent=self, depends_on=[*before, packages], retain_on_delete=retain)
            common["triggers"] = packages.came_back(settings.daemon)
            TimeSyncService(f"{name}-service", {**common, "daemon": settings.daemon}, child)
        self.register_outputs({})


def _unit(inputs: TimeSyncInputs) -> dict[str, str]:
    return {"unit": f"{inputs.daemon}.service"}
