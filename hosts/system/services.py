"""The host's services: the parser for the functions of `hosts/system/services.sh`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceState:
    """One unit: `enabled` is enabled, disabled, masked, static, …, or absent; `active` is active, inactive, …"""

    name: str
    enabled: str
    active: str


def service_states(text: str) -> dict[str, ServiceState]:
    """Parse the output of `svc_state`, by the unit names that were asked for."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {name: ServiceState(name, enabled, active) for name, enabled, active in rows}
