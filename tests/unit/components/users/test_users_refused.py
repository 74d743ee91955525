"""What the scripts of `components/users/` refuse, on a stage: accounts, homes, sudo rules, key files."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.core.chapter import STALE, KnownState
from components.users import exits
from components.users.keys import facts
from hosts.guard.guarded import unguarded
from hosts.scripts import parts, source
from tests.shell_room import Stage
from tests.unit.components.users.accounts import (
    CHAPTER,
    NEEDS,
    Host,
    host,
    inputs,
    one_host,
    own_keys,
)
from tests.unit.components.users.test_users import TWO

__all__ = ["host", "one_host"]
pytestmark = NEEDS
CARL = "carl:x:5000:5000::/home/carl:/bin/sh"


def directory(stage: Stage) -> None:
    """Add an account that is in no file."""
    stage.program("getent", f'[ "$*" != "passwd carl" ] || {{ echo "{CARL}"; exit; }}; exec /usr/sbin/getent "$@"')
    stage.program("id", 'case $*  in *carl) echo carl ;; *) exec /usr/bin/id "$@" ;; esac')


REFUSED: dict[str, tuple[int, str, dict[str, Any], Callable[[Stage], Any]]] = {
    "no program": (exits.NO_TOOL, "visudo", {}, lambda stage: stage.path("/usr/local/sbin/visudo").unlink()),
    "no shell": (exits.NO_SHELL, "/bin/zsh", {"shell": "/bin/zsh"}, lambda _: None),
    "no group": (exits.NO_GROUP, "wheel", {"groups": ["wheel"]}, lambda _: None),
    "no home": (exits.NO_HOME, "", {"name": "ann"}, lambda stage: edit(stage, "/etc/passwd", "/home/ann", "")),
    "system account": (
        exits.SYSTEM,
        "the number 999; people's accounts have those from 1000 on",
        {"name": "ann"},
        lambda stage: edit(stage, "/etc/passwd", "x:1001:1001", "x:999:1001"),
    ),
    "nobody's number": (
        exits.SYSTEM,
        "has the number 65534",
        {"name": "ann"},
        lambda stage: edit(stage, "/etc/passwd", "x:1001:1001", "x:65534:1001"),
    ),
    "no login": (
        exits.SYSTEM,
        "/usr/sbin/nologin, which ends every login",
        {"name": "ann"},
        lambda stage: edit(stage, "/etc/passwd", "/home/ann:/bin/sh", "/home/ann:/usr/sbin/nologin"),
    ),
    "the system's group": (exits.SYSTEM, "the group bin", {"name": "bin"}, lambda _: None),
    "another's home": (exits.HOME_TAKEN, "", {"home": "/home/ann"}, lambda _: None),
    "a home of the system's": (
        exits.HOME_TAKEN,
        "",
        {"home": "/srv/daemon"},
        lambda stage: (stage.folder("/srv/daemon"), os.chown(stage.path("/srv/daemon"), 500, 500)),
    ),
    "a home that others make": (exits.HOME_OPEN, "/tmp/deploy", {"home": "/tmp/deploy"}, lambda _: None),
    "a device for a home": (exits.NO_PLACE, "/dev/null", {"home": "/dev/null"}, lambda _: None),
    "a home below a device": (exits.NO_PLACE, "/dev/null", {"home": "/dev/null/deploy"}, lambda _: None),
    "a pipe for a home": (
        exits.NO_PLACE,
        "/home/pipe",
        {"name": "ann", "home": "/home/pipe"},
        lambda stage: os.mkfifo(stage.path("/home/pipe")),
    ),
    "a link to nowhere for a home": (
        exits.NO_PLACE,
        "/home/link",
        {"home": "/home/link"},
        lambda stage: stage.path("/home/link").symlink_to("nowhere"),
    ),
    "an attribute": (
        exits.UNWRITABLE,
        "/etc/shadow is immutable (chattr +i)",
        {},
        lambda stage: stage.program("lsattr", 'case $2 in /etc/shadow) echo "----i---- $2" ;; esac'),
    ),
    "an attribute of the keys": (
        exits.UNWRITABLE,
        "authorized_keys is append-only (chattr +a)",
        {"name": "ann"},
        lambda stage: stage.program("/usr/local/bin/lsattr", 'case $2 in authorized_keys) echo "-----a--- $2" ;; esac'),
    ),
    "sudoers": (exits.BAD_SUDOERS, "", {}, lambda stage: stage.program("visudo", '[ "$1" != -cqf ]')),
    "a directory service": (exits.FOREIGN, "", {"name": "carl"}, directory),
}


def edit(stage: Stage, place: str, old: str, new: str) -> None:
    """Replace text in a file."""
    text = stage.read(place)
    assert old in text
    stage.write(place, text.replace(old, new))


@pytest.mark.parametrize("why", REFUSED)
def test_what_would_not_do_is_refused_and_nothing_is_changed(one_host: Host, why: str) -> None:
    status, words, more, prepare = REFUSED[why]
    if "keys" in why:
        own_keys(one_host, f"{TWO}\n")
    prepare(one_host.stage)
    before = one_host.everything()
    answer = one_host.apply(inputs(**more))
    assert (answer.status, one_host.everything()) == (status, before), answer.stderr
    assert words in answer.stderr
    assert len(answer.stderr.splitlines()) == bool(words)
    assert exits.EXITS[status]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("ann ALL=(ALL) ALL\n", "/etc/sudoers.d/zzz:1: ann ALL=(ALL) ALL"),
        ("# no rule\n\nann ALL=(root) !ALL\n", "/etc/sudoers.d/zzz:3: ann ALL=(root) !ALL"),
        ("%adm ALL=(ALL) ALL\n", "/etc/sudoers.d/zzz:1: %adm ALL=(ALL) ALL"),
    ],
)
def test_another_rule_that_decides_is_named_before_anything_is_changed(one_host: Host, rule: str, told: str) -> None:
    one_host.stage.write("/etc/sudoers.d/zzz", rule, 0o440)
    before = one_host.everything()
    answer = one_host.apply(inputs("ann", groups=["adm"]))
    assert (answer.status, answer.stderr) == (exits.SUDO_ELSEWHERE, f"{told}\n")
    assert one_host.everything() == before
    one_host.stage.write("/etc/sudoers.d/zzz", "%bin ALL=(ALL) ALL\n", 0o440)
    one_host.applied(inputs("ann", groups=["adm"]))


def test_a_group_that_is_left_counts_no_more_when_sudo_is_tried(host: Host) -> None:
    host.stage.write("/etc/sudoers.d/groups", "%sudo ALL=(ALL:ALL) ALL\n", 0o440)
    host.applied(inputs("ann", sudo="none"))


def test_a_folder_of_drop_ins_that_is_not_there_yet_is_made(host: Host) -> None:
    host.stage.execute("rm", "-r", "/etc/sudoers.d")
    assert host.applied(inputs("ann")).sudo == "nopasswd"


def test_sudoers_that_read_no_drop_in_are_told(host: Host) -> None:
    host.stage.write("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440)
    answer = host.apply(inputs("ann"))
    assert (answer.status, answer.stderr) == (
        exits.SUDO_ELSEWHERE,
        "/etc/sudoers does not read /etc/sudoers.d; a line is missing: #includedir /etc/sudoers.d\n",
    )


FOREIGN: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "link": ("link", lambda path: (path.unlink(), path.symlink_to("/etc/shadow"))),
    "other": ("other", lambda path: (path.unlink(), os.mkfifo(path))),
    "owner": ("owner", lambda path: os.chown(path, 0, 0)),
    "folder-owner": ("folder-owner", lambda path: os.chown(path.parent, 0, 0)),
    "folder-link": (
        "folder-link",
        lambda path: (path.parent.rename(path.parents[1] / "keys"), path.parent.symlink_to("keys")),
    ),
    "folder-other": ("folder-other", lambda path: (path.unlink(), path.parent.rmdir(), path.parent.write_text("x"))),
    "large": ("large 1048577", lambda path: os.truncate(path, 1048577)),
    "binary": ("binary", lambda path: path.write_bytes(b"a\0b")),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_the_users_own_file_of_keys_is_neither_read_nor_written(one_host: Host, kind: str) -> None:
    word, prepare = FOREIGN[kind]
    prepare(own_keys(one_host, f"{TWO}\n"))
    before = one_host.everything()
    declared = inputs("ann")
    seen = one_host.look(declared)
    assert (seen.keys_trouble, seen.keys.content) == (word, "")
    assert word.split(" ")[0] in facts.TROUBLES
    # as if it had changed after the look
    sound = seen.model_copy(update={"keys_trouble": ""})
    script = CHAPTER.apply(declared, KnownState(prior=sound, before=sound))
    values = {**script.values, "password_changed": "", "groups": "", "dropin_content": ""}
    answer = one_host.stage.one(unguarded(replace(script, values={**values, "sudo_wanted": "none"})))
    assert (answer.status, answer.stderr.strip()) == (facts.FOREIGN_KEYS, word)
    assert one_host.everything() == {
        **before,
        **{p: v for p, v in one_host.everything().items() if "accounts" in p or p == "var/lib/stockade"},
    }


def test_statuses_in_the_scripts_are_those_that_are_explained() -> None:
    own = {path for name in ("apply", "restore", "observe", "go_back") for path in parts(f"components/users/{name}.sh")}
    own |= set(parts("components/users/keys/program.sh"))
    used: dict[int, set[str]] = {}
    for path in own:
        for number in re.findall(r"\b(?:exit|refuse|return) ([0-9]{2})\b", source(path)):
            used.setdefault(int(number), set()).add(path)
    explained = {*exits.EXITS, STALE}
    assert set(used) <= explained, used
    assert set(used) | {facts.UNWRITABLE} >= explained - {68, 73, 74}
    for name, value in vars(exits).items():
        if isinstance(value, int) and not name.startswith("_"):
            assert value in exits.EXITS, name
