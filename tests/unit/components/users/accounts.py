"""A host with accounts on a stage (tests/shell_room.py), with the shadow tools of this machine."""

import os
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from components.core.chapter import KnownState
from components.users.chapter import UserChapter
from components.users.settings import UserFacts, UserInputs
from hosts.guard.guarded import RunIdentity, armed, given_up, unguarded
from hosts.shell import Answer
from tests.shell_room import Stage
from tests.unit.components.users.test_users import ONE

SHADOW_TOOLS = ("chage", "chpasswd", "getent", "gpasswd", "groupadd", "useradd", "userdel", "usermod", "vipw")
NEEDS = [
    pytest.mark.skipif(os.geteuid() != 0, reason="files are given to other users"),
    pytest.mark.skipif(not all(map(shutil.which, SHADOW_TOOLS)), reason="the shadow tools are not installed"),
]
CHAPTER = UserChapter()
RUN = RunIdentity("0123456789abcdef", "me@here, process 1")
ANN = "ann:x:1001:1001:Ann,,,:/home/ann:/bin/sh\n"
ANNS_SHADOW = "ann:$y$j9T$abc:19000:1:99999:5:10:25000:\n"
TODAY = int(time.time() // 86400)
KEPT = "/var/lib/stockade/accounts/ann"
# Sudo's answer for a user, by the rules in /etc/sudoers and the drop-ins, in the order in which they are read.
SUDO = """\
cat /etc/sudoers $(visudo -c | sed -n 's,^\\(/etc/sudoers[.]d/.*\\): .*,\\1,p') |
    user=$4 all=" $(id -Gn "$4") " awk '
        index($1, "%") == 1 ? index(ENVIRON["all"], " " substr($1, 2) " ") : $1 == ENVIRON["user"] {
            sub(/^[^=]*=/, ""); sub(/\\)/, ") "); print "    " $0 }'
"""
VISUDO = """\
if [ "$1" = -cqf ]; then ! grep -q BROKEN "$2"; exit; fi
echo "/etc/sudoers: parsed OK"
! grep -q '^[#@]includedir /etc/sudoers.d' /etc/sudoers || for file in /etc/sudoers.d/*; do
    case ${file##*/} in *.* | '*') ;; *) echo "$file: parsed OK" ;; esac
done
"""


@dataclass
class Host:
    """A host with accounts on a stage."""

    stage: Stage
    known: KnownState[UserInputs, UserFacts] = field(default_factory=KnownState)

    def look(self, inputs: UserInputs) -> UserFacts:
        answer = self.stage.one(CHAPTER.observe(inputs))
        assert (answer.status, answer.stderr) == (0, "")
        return CHAPTER.parse(inputs, answer)

    def see(self, inputs: UserInputs, *, prior: UserFacts | None = None) -> KnownState[UserInputs, UserFacts]:
        """Look, and return the known state; with `prior` after a change."""
        self.known = replace(self.known, before=self.look(inputs), prior=prior or self.known.prior)
        if self.known.prior is None:
            self.known = replace(self.known, prior=self.known.before)
        return self.known

    def apply(self, inputs: UserInputs) -> Answer:
        script = CHAPTER.apply(inputs, self.see(inputs))
        answer = self.stage.one(unguarded(script))
        if answer.status == 0:
            self.known = replace(self.known, last=inputs)
        return answer

    def applied(self, inputs: UserInputs) -> UserFacts:
        """Apply, and assert that everything is in force."""
        answer = self.apply(inputs)
        assert (answer.status, answer.stderr) == (0, "")
        seen = self.look(inputs)
        assert CHAPTER.differences(inputs, seen) == ""
        return seen

    def restore(self, inputs: UserInputs, **more: str) -> Answer:
        script = CHAPTER.restore(inputs, self.see(inputs))
        return self.stage.one(unguarded(replace(script, values={**script.values, **more})))

    def restored(self, inputs: UserInputs) -> None:
        answer = self.restore(inputs)
        assert (answer.status, answer.stderr, dict(answer.sections)) == (0, "", {})

    def change(self, inputs: UserInputs) -> Answer:
        """Apply under the guard, as for the login of a run."""
        script = CHAPTER.apply(inputs, self.see(inputs))
        return self.stage.one(armed(script, self.guard(inputs), CHAPTER.title(inputs), RUN))

    def guard(self, inputs: UserInputs) -> Any:
        class Access:
            @staticmethod
            def logins() -> list[tuple[str, UserInputs]]:
                return [("admin", _Login(inputs.name))]  # type: ignore[list-item]

        return CHAPTER.guard(inputs, self.known, Access())  # type: ignore[arg-type]

    def give_up(self, inputs: UserInputs) -> Answer:
        return self.stage.one(given_up(CHAPTER.title(inputs), RUN))

    def owner(self, place: str) -> tuple[str, int]:
        """The mode and the owner of a file."""
        status = self.stage.path(place).stat()
        return f"{status.st_mode & 0o7777:o}", status.st_uid

    def account(self, name: str) -> str:
        return next((line for line in self.stage.read("/etc/passwd").splitlines() if line.startswith(f"{name}:")), "")

    def password(self, name: str) -> str:
        line = next(line for line in self.stage.read("/etc/shadow").splitlines() if line.startswith(f"{name}:"))
        return line.split(":")[1]

    def groups(self, name: str) -> set[str]:
        return set(self.stage.execute("id", "-Gn", name).stdout.split())

    def everything(self) -> dict[str, tuple[Any, ...]]:
        """All files of accounts: content, modes and owners."""
        found: dict[str, tuple[Any, ...]] = {}
        for top in ("etc", "home", "var"):
            for path in sorted(self.stage.path(top).rglob("*")):
                if path.name.endswith("-") or path.name in (".pwd.lock", "subuid", "subgid"):
                    continue
                status = path.lstat()
                content = path.read_bytes() if path.is_file() else os.readlink(path) if path.is_symlink() else ""
                found[str(path.relative_to(self.stage.root))] = (status.st_mode, status.st_uid, status.st_gid, content)
        return found


@dataclass
class _Login:
    user: str


@pytest.fixture
def host(stage: Stage) -> Host:
    """A host for each shell."""
    return hosted(stage)


@pytest.fixture
def one_host(one_stage: Stage) -> Host:
    """A host with dash, for tables of cases that do not depend on the shell."""
    return hosted(one_stage)


def hosted(stage: Stage) -> Host:
    for tool in SHADOW_TOOLS:
        place = os.path.realpath(shutil.which(tool) or "")
        (stage.root / "usr/sbin" / tool).symlink_to(f"/host{place}")
    for tool in ("unshare", "mount"):
        (stage.root / "usr/sbin" / tool).symlink_to(f"/host{os.path.realpath(shutil.which(tool) or '')}")
    stage.write("/etc/shadow", "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n" + ANNS_SHADOW, 0o640)
    stage.write("/etc/passwd", stage.read("/etc/passwd") + ANN)
    stage.write("/etc/group", stage.read("/etc/group") + "ann:x:1001:\nsudo:x:27:ann\nadm:x:4:\nbin:x:2:\n")
    stage.write("/etc/gshadow", "root:*::\nann:!::\nsudo:*::ann\nadm:*::\nbin:*::\n", 0o640)
    stage.write("/etc/login.defs", "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\n")
    stage.write("/etc/pam.d/chpasswd", "password required pam_unix.so yescrypt\n")
    stage.write("/etc/default/useradd", "SHELL=/bin/sh\n")
    stage.write("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n#includedir /etc/sudoers.d\n", 0o440)
    stage.folder("/etc/sudoers.d", "/etc/skel", "/var/mail", "/var/lib/stockade")
    stage.path("/var/lib/stockade").chmod(0o700)
    stage.program("/bin/bash")
    stage.program("sudo", SUDO)
    stage.program("visudo", VISUDO)
    home = stage.path("/home/ann")
    home.mkdir(mode=0o755)
    os.chown(home, 1001, 1001)
    return Host(stage)


def inputs(name: str = "deploy", **more: Any) -> UserInputs:
    return UserInputs.model_validate({"host": "web1", "name": name, "keys": [ONE], "sudo": "nopasswd", **more})


def own_keys(host: Host, content: str, mode: int = 0o600, folder: int = 0o700, owner: int = 1001) -> Path:
    """Write Ann's own keys."""
    path = host.stage.path("/home/ann/.ssh/authorized_keys")
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    for made, bits in ((path, mode), (path.parent, folder)):
        os.chown(made, owner, owner)
        made.chmod(bits)
    return path
