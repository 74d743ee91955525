"""The host's services: the reader of what the functions of `hosts/system/services.sh` print."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceState:
    """One unit: `enabled` is enabled, disabled, masked, static, …, or absent; `active` is active, inactive, …"""

    name: str
    enabled: str
    active: str


def service_states(text: str) -> dict[str, ServiceState]:
    """What `svc_state` printed, by the unit's name as it was asked for."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {name: ServiceState(name, enabled, active) for name, enabled, active in rows}
