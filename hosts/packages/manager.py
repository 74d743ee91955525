"""The host's packages: the constants of `hosts/packages/manager.sh`, which has the functions."""

import re

PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]+")
"""Matches package names; Debian's have no capitals and no underscores (Debian Policy 5.6.7)."""

LOCK_TIMEOUT = 300
"""Seconds to wait for another package manager: a new cloud host first upgrades itself."""

LOCKED = 72
"""Exit status (EX_OSFILE of sysexits.h): another package manager did not finish in time."""
