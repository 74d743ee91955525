"""What a package's name stands for, as apt's lists and dpkg's database tell it."""

from pathlib import Path

import pytest

from hosts.packages.limits import COMMON
from hosts.packages.means import APT_MEANS
from hosts.shell import Script
from tests.unit.hosts.test_shell import one

LISTS = {
    "exim4": "Package: exim4\nPriority: optional\nSection: mail\nDepends: debconf (>= 0.5) | debconf-2.0, exim4-base "
    "(<< 4.97), exim4-daemon-light (>= 4.96) | exim4-daemon-heavy\nDescription: metapackage to ease it\n long\n",
    "ntp": "Package: ntp\nSource: ntpsec (1.2)\nSection: oldlibs\nDepends: ntpsec\n"
    "Description-en: Network Time Protocol daemon (transitional package)\n",
    "nginx": "Package: nginx\nSection: httpd\nDepends: nginx-common\nDescription: small, powerful web server\n",
    "desktop": "Package: desktop\nSection: metapackages\nDepends: exim4, player:any\nDescription: all of it\n",
    "postfix": "Package: postfix\nSection: mail\nProvides: mail-transport-agent (= 3), default-mta\nDescription: MTA\n",
}
INSTALLED = [  # name, essential, priority, source, provides, section, summary, depends
    ("debconf", "no", "required", "debconf", "debconf-2.0", "admin", "configuration", ""),
    ("exim4-base", "no", "optional", "exim4", "", "mail", "support files", "libc6 (>= 2), exim4-config | x, cron"),
    ("exim4-config", "no", "optional", "exim4", "exim4-config-2", "mail", "configuration", ""),
    ("exim4-daemon-light", "no", "optional", "exim4", "mail-transport-agent", "mail", "daemon", "exim4-base"),
    ("cron", "no", "important", "cron", "cron-daemon", "admin", "process scheduling daemon", ""),
    ("ntpsec", "no", "optional", "ntpsec", "ntp-server, time-daemon", "net", "Network Time Protocol daemon", ""),
    ("nginx-common", "no", "optional", "nginx", "", "httpd", "common files", ""),
    ("player", "no", "optional", "player", "", "sound", "plays", ""),
]
HALF_GONE = ("old-mta", "no", "optional", "mta", "default-mta", "mail", "transfers", "")


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """apt-cache and dpkg-query, as far as they are asked."""
    for name, text in LISTS.items():
        (tmp_path / f"{name}.list").write_text(text)
    rows = [*(("install ok installed", *row) for row in INSTALLED), ("deinstall ok config-files", *HALF_GONE)]
    (tmp_path / "rows").write_text("".join("\t".join(row) + "\n" for row in rows))
    show = f'shift 2; for name; do cat "{tmp_path}/$name.list" 2>/dev/null && echo; done'
    for program, body in (("apt-cache", show), ("dpkg-query", f"cat {tmp_path}/rows")):
        (tmp_path / program).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / program).chmod(0o755)
    return tmp_path


def means(fakes: Path, *names: str, gone: str = "") -> list[str]:
    """Ask the sh."""
    body = f"PATH={fakes}:$PATH\n{COMMON}{APT_MEANS}pkg_means {' '.join(names)}"
    answer = one(Script("ask", body, {"pkg_gone": gone}))
    assert answer.status == 0, answer.stderr
    return answer.stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("exim4", ["exim4-base with", "exim4-config with", "exim4-daemon-light with"]),
        ("ntp", ["ntpsec with"]),
        ("nginx", []),
        ("desktop", ["player with"]),
        ("debconf-2.0", ["debconf for"]),
        ("default-mta", []),
        ("no-such-thing", []),
    ],
)
def test_what_a_name_stands_for(fakes: Path, name: str, others: list[str]) -> None:
    assert means(fakes, name) == [f"{name} {other}" for other in others]


def test_what_went_counts_as_if_it_were_there(fakes: Path) -> None:
    assert means(fakes, "default-mta", gone="postfix") == ["default-mta postfix for"]
    assert means(fakes, "nginx", "ntp") == ["ntp ntpsec with"]
