"""Fixtures for tests on lab hosts: a host for each module, and a stack that hardens it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from local.lab.errors import NotToBeHad
from tests.lab.shells import SHELL
from tests.lab.stack import Stack

DEBIAN = os.environ.get("STOCKADE_DEBIAN") or "debian"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder needs the lab."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.lab)
            if sys.platform != "linux" or os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="the lab needs root on Linux"))


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of this checkout."""
    return Lab()


@pytest.fixture(scope="module")
def bring_up(lab: Lab) -> Iterator[Callable[..., LabHost]]:
    """Bring up a pristine host by name (and variant) for the rest of the module.

    The default is Debian 12; `STOCKADE_DEBIAN` names another release, `debian-11` for example.
    """
    names: list[str] = []

    def up(name: str, variant: str = DEBIAN) -> LabHost:
        (host,) = lab.up([name], variant)
        if host.status().boots > 1 or name in names:
            host.reset()
        names.append(name)
        return host

    yield up
    lab.down(names)


@pytest.fixture
def pristine(host: LabHost) -> Iterator[None]:
    """Reset the module's `host` after each test."""
    yield
    host.reset()


MOVING = frozenset({"fedora41", "debian-sid"})
"""Variants with packages from an unreleased Debian, which may be unavailable for a while."""


def up_if_to_be_had(lab: Lab, name: str, variant: str) -> LabHost | None:
    """Bring up a host; None if its variant cannot be built now for reasons outside this project."""
    try:
        return lab.up([name], variant)[0]
    except NotToBeHad:
        if variant not in MOVING:
            raise
        return None


@pytest.fixture
def shell() -> str:
    """The shell of the test's stacks; `both_shells` overrides it."""
    return SHELL


@pytest.fixture
def new_stack(tmp_path: Path, shell: str) -> Callable[..., Stack]:
    """Create a stack that hardens these hosts: `new_stack(host, firewall={...})`; `program` replaces the program."""

    def make(*hosts: LabHost, program: str | None = None, **settings: Any) -> Stack:
        stack = Stack(tmp_path / "project", program=program, shell=shell)
        entries = {host.name: entry(host) for host in hosts}
        stack.configure(hosts=entries, **settings)
        return stack

    return make


def entry(host: LabHost, **more: Any) -> dict[str, Any]:
    """Return the entry of `stockade:hosts` for a lab host."""
    return {
        "address": host.ipv4,
        "hostKey": host.host_key,
        "bootstrap": {"user": "root", "privateKeyFile": str(host.key_file)},
        **more,
    }
