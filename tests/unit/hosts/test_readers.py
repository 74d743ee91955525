"""The parsers of services and packages."""

import pytest

from hosts.packages.manager import PACKAGE_NAME
from hosts.system.services import ServiceState, service_states


def test_service_states() -> None:
    text = "ssh enabled active\nno-such absent inactive\n\nfail2ban.service masked failed\n"
    assert service_states(text) == {
        "ssh": ServiceState("ssh", "enabled", "active"),
        "no-such": ServiceState("no-such", "absent", "inactive"),
        "fail2ban.service": ServiceState("fail2ban.service", "masked", "failed"),
    }


@pytest.mark.parametrize("name", ["iptables-persistent", "g++", "libstdc++6", "0ad", "NetworkManager", "python3_x"])
def test_package_names(name: str) -> None:
    assert PACKAGE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "a", "-o", "_x", "vim;reboot", "a b", "a=1.0"])
def test_what_is_no_package_name(name: str) -> None:
    assert not PACKAGE_NAME.fullmatch(name)
