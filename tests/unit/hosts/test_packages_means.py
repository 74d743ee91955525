"""What a package name stands for, according to apt's lists and dpkg's database."""

import pytest

from hosts.scripts import script
from hosts.shell import Script
from tests.shell_room import Stage

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
def apt(stage: Stage) -> Stage:
    """Stubs for apt-cache and dpkg-query, as far as they are used."""
    for name, text in LISTS.items():
        stage.write(f"/fake/{name}.list", text)
    rows = [*(("install ok installed", *row) for row in INSTALLED), ("deinstall ok config-files", *HALF_GONE)]
    stage.write("/fake/rows", "".join("\t".join(row) + "\n" for row in rows))
    show = 'shift 2; for name; do cat "/fake/$name.list" 2>/dev/null && echo; done'
    stage.program("apt-cache", f'case $* in *showpkg*) cat "/fake/$3.provided" ;; *) {show} ;; esac')
    stage.program("dpkg-query", "cat /fake/rows")
    return stage


def asked(apt: Stage, body: str, gone: str = "") -> list[str]:
    """Run the shell functions."""
    values = {"pkg_manager": "apt", "pkg_gone": gone}
    answer = apt.one(Script("ask", script("hosts/packages/apt_means.sh") + body, values))
    assert answer.status == 0, answer.stderr
    return answer.stdout.splitlines()


def means(apt: Stage, *names: str, gone: str = "") -> list[str]:
    return asked(apt, f"pkg_means {' '.join(names)}", gone)


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
def test_what_a_name_stands_for(apt: Stage, name: str, others: list[str]) -> None:
    assert means(apt, name) == [f"{name} {other}" for other in others]


def test_what_went_counts_as_if_it_were_there(apt: Stage) -> None:
    assert means(apt, "default-mta", gone="postfix") == ["default-mta postfix for"]
    assert means(apt, "nginx", "ntp") == ["ntp ntpsec with"]


PROVIDED = """\
Package: mail-agent
Versions:
{versions}
Reverse Depends:
  mutt,mail-agent
Dependencies:
Provides:
Reverse Provides:
{who}
"""


@pytest.mark.parametrize(
    ("versions", "who", "provider"),
    [
        ("", "postfix 3.7 (= )", ["postfix"]),
        ("", "postfix 3.7 (= )\npostfix 3.5 (= )", ["postfix"]),
        ("", "postfix 3.7 (= )\nexim4 4.9 (= )", []),
        ("", "", []),
        ("1.0 (/var/lib/apt/lists/x) (/var/lib/dpkg/status)", "postfix 3.7 (= )", []),  # also a real package's name
    ],
)
def test_the_one_that_provides_a_name_is_told(apt: Stage, versions: str, who: str, provider: list[str]) -> None:
    apt.write("/fake/mail-agent.provided", PROVIDED.format(versions=versions, who=who))
    assert asked(apt, "pkg_provider mail-agent") == provider
