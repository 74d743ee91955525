"""What packages leave behind: links to units under other names, and services that go on running."""

import pytest

from hosts.scripts import script
from hosts.shell import Script
from tests.shell_room import Stage

FOLDER = "/var/lib/stockade/packages/host"
BODY = script("components/packages/transaction/leftovers.sh") + "_unlink\n"
SYSTEMCTL = """
case $* in
    *"-p LoadState"*) cat "/run/states/${*##* }" ;;
    "kill -s KILL "*) : >"/run/killed" ;;
    "stop stuck.service") [ -e /run/killed ] ;;
    "-q is-active "*) exit 3 ;;
esac
"""


def cleared(stage: Stage, *units: str) -> None:
    """Clear up after units of ours that were removed."""
    stage.write(f"{FOLDER}/aliases", "".join(f"{unit}\n" for unit in units))
    answer = stage.one(Script("clear up", BODY, {"folder": FOLDER}))
    assert answer.status == 0, answer.stderr
    assert not stage.path(f"{FOLDER}/aliases").exists()


@pytest.fixture
def links(stage: Stage) -> Stage:
    folder = stage.path("/etc/systemd/system")
    (folder / "multi-user.target.wants").mkdir(parents=True)
    stage.write("/lib/systemd/system/there.service", "")
    for name, target in {
        "sshd.service": "ssh.service",
        "there.service": "there.service",
        "theirs.service": "other.service",
        "multi-user.target.wants/ssh.service": "ssh.service",
    }.items():
        (folder / name).symlink_to(f"/lib/systemd/system/{target}")
    stage.write("/etc/systemd/system/ssh-own.service", "a file of the administrator's\n")
    return stage


def test_only_links_of_ours_that_lead_nowhere_go(links: Stage) -> None:
    cleared(links, "ssh.service", "there.service", "ssh-own.service")
    folder = links.path("/etc/systemd/system")
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["multi-user.target.wants", "ssh-own.service", "theirs.service", "there.service"]
    assert list((folder / "multi-user.target.wants").iterdir()) == []


def test_without_a_record_nothing_happens(links: Stage) -> None:
    answer = links.one(Script("clear up", BODY, {"folder": FOLDER}))
    assert answer.status == 0, answer.stderr
    assert links.path("/etc/systemd/system/sshd.service").is_symlink()


@pytest.mark.parametrize(
    ("unit", "state", "asked"),
    [
        ("left.service", "LoadState=not-found\nActiveState=active\n", [("stop", "left.service")]),
        ("left.service", "LoadState=loaded\nActiveState=active\n", []),
        ("left.service", "LoadState=not-found\nActiveState=inactive\n", []),
        (
            "stuck.service",
            "LoadState=not-found\nActiveState=active\n",
            [("stop", "stuck.service"), ("kill", "-s", "KILL", "stuck.service"), ("stop", "stuck.service")],
        ),
    ],
)
def test_what_still_runs_without_its_package_is_stopped(
    stage: Stage, unit: str, state: str, asked: list[tuple[str, ...]]
) -> None:
    stage.path("/run/systemd/system").mkdir(parents=True)
    stage.path("/run/states").mkdir()
    stage.write(f"/run/states/{unit}", state)
    stage.program("systemctl", SYSTEMCTL)
    stage.program("timeout", 'shift; "$@"')
    cleared(stage, unit)
    assert [call.arguments for call in stage.calls("systemctl") if "show" not in call.arguments] == asked


def test_a_service_that_cannot_be_killed_and_is_gone_is_no_failure(stage: Stage) -> None:
    stage.path("/run/systemd/system").mkdir(parents=True)
    stage.program(
        "systemctl",
        'case $* in *"-p LoadState"*) echo LoadState=not-found; echo ActiveState=active ;; '
        '"-q is-active "*) exit 3 ;; *) exit 1 ;; esac',
    )
    stage.program("timeout", 'shift; "$@"')
    cleared(stage, "left.service", "other.service")
    assert ("stop", "other.service") in [call.arguments for call in stage.calls("systemctl")]
