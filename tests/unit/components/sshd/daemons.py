"""A host with sshd on a stage (tests/shell_room.py): the program is sshd.sh, the daemon a few lines of Perl."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.core.chapter import KnownState
from components.sshd.chapter import SshdChapter
from components.sshd.settings import SshdFacts, SshdInputs
from hosts.guard.guarded import RunIdentity, armed, unguarded
from hosts.shell import Answer, Script
from tests.shell_room import Stage

CHAPTER = SshdChapter()
KNOWN: KnownState[SshdInputs, SshdFacts] = KnownState()
RUN = RunIdentity("0123456789abcdef", "me@here, process 1")
MAIN = "/etc/ssh/sshd_config"
DROPIN = "/etc/ssh/sshd_config.d/00-stockade.conf"
ASIDE = "/etc/ssh/stockade.conf"
CLOUD = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
DEBIAN = "# This is Debian's\n\nInclude /etc/ssh/sshd_config.d/*.conf\n\nPermitRootLogin yes\nMaxAuthTries 4\n"
SETTINGS = "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
# Listens on one port, and opens it again when told to.
DAEMON = """\
use Socket;
sub listen_at_it {
    socket(our $server, PF_INET, SOCK_STREAM, 0); setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($server, sockaddr_in(2200, INADDR_ANY)) or die; listen($server, 1);
}
$SIG{HUP} = sub { listen_at_it() };
listen_at_it();
open(my $file, ">", "/run/sshd.pid"); print $file "$$\\n"; close $file;
sleep 60 while 1;
"""
SYSTEMCTL = """\
case $* in
    'is-active ssh.socket sshd.socket') cat /stage/sockets ;;
    'is-active --quiet ssh.service') ;;
    'is-active '*) exit 3 ;;
    'show -p MainPID ssh.service') echo "MainPID=$(cat /run/sshd.pid)" ;;
    'show -p Listen '*) cat /stage/listens ;;
    'reload ssh.service') [ ! -f /stage/broken ] || exit 1; kill -HUP "$(cat /run/sshd.pid)" ;;
esac
"""


@dataclass
class Host:
    """A stage with sshd."""

    stage: Stage
    before: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def look(self, inputs: SshdInputs) -> SshdFacts:
        answer = self.stage.one(CHAPTER.observe(inputs))
        assert (answer.status, answer.stderr) == (0, "")
        return CHAPTER.parse(inputs, answer)

    def apply(self, inputs: SshdInputs) -> Answer:
        return self.stage.one(unguarded(CHAPTER.apply(inputs, KNOWN)))

    def applied(self, inputs: SshdInputs) -> SshdFacts:
        """Apply, and assert that everything is in force."""
        answer = self.apply(inputs)
        assert (answer.status, answer.stderr) == (0, "")
        seen = self.look(inputs)
        assert CHAPTER.differences(inputs, seen) == ""
        return seen

    def restore(self, inputs: SshdInputs) -> Answer:
        return self.stage.one(unguarded(CHAPTER.restore(inputs, KNOWN)))

    def change(self, inputs: SshdInputs) -> Answer:
        guard = CHAPTER.guard(inputs, KNOWN, None)  # type: ignore[arg-type]
        return self.stage.one(armed(CHAPTER.apply(inputs, KNOWN), guard, "sshd", RUN))

    def files(self) -> dict[str, tuple[int, bytes]]:
        """All files below /etc, with their modes."""
        found = (path for path in self.stage.path("/etc").rglob("*") if path.is_file())
        return {str(path.relative_to(self.stage.root)): (path.stat().st_mode, path.read_bytes()) for path in found}

    def told(self, user: str = "root") -> Mapping[str, str]:
        """The configuration of the host for a login."""
        lines = self.stage.execute("sshd", "-T", "-C", f"user={user},host=x,addr=x").stdout.splitlines()
        return {line.split(" ", 1)[0].lower(): line.split(" ", 1)[1] for line in lines}

    def asked(self) -> list[str]:
        """The actions requested from systemd."""
        return [str(call) for call in self.stage.calls("systemctl") if call.arguments[0] not in ("is-active", "show")]


def hosted(stage: Stage) -> Host:
    (stage.root / "usr/sbin/perl").symlink_to(f"/host{os.path.realpath(shutil.which('perl') or '')}")
    stage.systemd()
    stage.program("systemctl", SYSTEMCTL)
    stage.program("systemd-run")
    stage.program("sshd", (Path(__file__).parent / "sshd.sh").read_text())
    stage.write("/stage/sockets", "inactive\ninactive\n")
    stage.write("/stage/daemon", DAEMON)
    stage.write(MAIN, DEBIAN, 0o600)
    stage.write(CLOUD, "PasswordAuthentication yes\n", 0o640)
    stage.folder("/var/lib/stockade")
    start = "perl /stage/daemon >/dev/null 2>&1 & while [ ! -s /run/sshd.pid ]; do sleep 0.02; done"
    assert stage.one(Script("start", start)).status == 0
    return Host(stage, Host(stage).files())


@pytest.fixture
def host(stage: Stage) -> Host:
    """A host for each shell."""
    return hosted(stage)


@pytest.fixture
def one_host(one_stage: Stage) -> Host:
    """A host with dash, for tables of cases that do not depend on the shell."""
    return hosted(one_stage)


def inputs(settings: str = SETTINGS, admin: str = "deploy") -> SshdInputs:
    return SshdInputs.model_validate({"host": "web1", "settings": settings, "admin": admin})


def socket(stage: Stage, listens: str = "Listen=[::]:22 (Stream)\nListen=0.0.0.0:22 (Stream)\n") -> None:
    """Make systemd listen for sshd."""
    stage.write("/stage/sockets", "active\ninactive\n")
    stage.write("/stage/listens", listens)
