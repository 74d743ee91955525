"""What each chapter takes for existing settings, which `existing: fail` leaves alone."""

from __future__ import annotations

from typing import Any, cast

import pytest

from components.fail2ban.chapter import Fail2BanChapter
from components.fail2ban.settings import DROP_IN as JAILS
from components.fail2ban.settings import Fail2BanFacts
from components.gai.chapter import PreferenceChapter
from components.gai.settings import FILE, PreferenceFacts
from components.sysctl.chapter import DROP_IN as SYSCTL
from components.sysctl.chapter import SysctlChapter
from components.sysctl.settings import SysctlFacts
from components.updates.chapter import UpdateChapter
from components.updates.settings import DROP_IN as UPDATES
from components.updates.settings import UpdateFacts
from components.users.chapter import UserChapter
from components.users.settings import UserFacts
from hosts.system.files import FileState


def there(path: str, content: str = "") -> FileState:
    """A file that exists."""
    return FileState(path, True, content, "644", "root", "root")


@pytest.mark.parametrize(
    ("chapter", "facts", "told"),
    [
        (Fail2BanChapter(), Fail2BanFacts(), ""),
        (Fail2BanChapter(), Fail2BanFacts(dropin=there(JAILS)), f"fail2ban is configured already, in {JAILS}"),
        (
            Fail2BanChapter(),
            Fail2BanFacts(dropin=there(JAILS), local=("/etc/fail2ban/jail.local",)),
            f"fail2ban is configured already, in /etc/fail2ban/jail.local and {JAILS}",
        ),
        (PreferenceChapter(), PreferenceFacts(file=there(FILE, "precedence ::ffff:0:0/96  100\n")), f"{FILE} already"),
        (PreferenceChapter(), PreferenceFacts(file=there(FILE, "#precedence ::ffff:0:0/96  100\n")), ""),
        (PreferenceChapter(), PreferenceFacts(), ""),
        (SysctlChapter(), SysctlFacts(dropin=there(SYSCTL)), f"{SYSCTL} already exists"),
        (SysctlChapter(), SysctlFacts(), ""),
        (UpdateChapter(), UpdateFacts(dropin=there(UPDATES)), f"{UPDATES} already exists"),
        (UpdateChapter(), UpdateFacts(dropin=FileState(UPDATES, False)), ""),
        (UpdateChapter(), UpdateFacts(dropin=there("/etc/yum/yum-cron.conf")), ""),  # its package's
        (UserChapter(), UserFacts(exists=True), "the account already exists"),
        (UserChapter(), UserFacts(), ""),
    ],
)
def test_what_is_there_already(chapter: Any, facts: Any, told: str) -> None:
    found = chapter.already_configured(cast("Any", None), facts)
    assert found.startswith(told)
    assert bool(found) == bool(told)
