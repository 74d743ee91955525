"""The scripts of `components/sshd/` on a stage: rollback, reload of sshd, and labels."""

import re

from hosts.guard.guarded import committed, given_up
from hosts.scripts import parts, script, source
from hosts.shell import Answer, Script
from hosts.system.files import FILE_EXITS
from tests.unit.components.sshd.daemons import (
    CHAPTER,
    DEBIAN,
    DROPIN,
    KNOWN,
    MAIN,
    RUN,
    SETTINGS,
    SYSTEMCTL,
    Host,
    host,
    inputs,
    one_host,
    socket,
)

__all__ = ["host", "one_host"]


def test_a_change_goes_back_byte_for_byte(host: Host) -> None:
    host.stage.write(MAIN, DEBIAN + "AllowUsers carl\n", 0o644)
    socket(host.stage)
    before = host.files()
    assert host.change(inputs(SETTINGS + "AllowUsers deploy\nPort 2222\n")).status == 0
    assert host.stage.path(DROPIN).exists()
    host.stage.forget_calls()
    answer = host.stage.one(given_up("sshd", RUN))
    assert (answer.status, "in force again" in answer.stdout) == (0, True)
    assert {name: at for name, at in host.files().items() if "stockade-guard" not in name} == before
    assert host.asked()[:3] == [
        "systemctl stop stockade-back-sshd-" + host.asked()[0].rpartition("-")[2],
        "systemctl daemon-reload",
        "systemctl stop ssh.socket ssh.service",
    ]


def test_a_change_of_files_that_were_ours_goes_back_to_those(host: Host) -> None:
    host.applied(inputs())
    made = host.files()
    assert host.change(inputs(SETTINGS + "LogLevel VERBOSE\n")).status == 0
    assert host.files() != made
    assert host.stage.one(given_up("sshd", RUN)).status == 0
    assert {name: at for name, at in host.files().items() if "stockade-guard" not in name} == made


def test_an_sshd_that_a_reload_has_ended_is_started_again(host: Host) -> None:
    assert host.change(inputs()).status == 0
    host.stage.write("/stage/broken")
    host.stage.forget_calls()
    assert host.stage.one(given_up("sshd", RUN)).status == 0
    assert host.asked()[-2:] == ["systemctl reset-failed ssh.service", "systemctl restart ssh.service"]


def test_a_service_of_another_name_is_reloaded_and_started_again(host: Host) -> None:
    """It is `sshd` everywhere except on Debian and its derivatives."""
    unknown = "case $* in *' ssh.service') exit 1 ;; esac\n"
    host.stage.program("systemctl", unknown + SYSTEMCTL.replace("ssh.service", "sshd.service"))
    assert host.change(inputs()).status == 0
    assert "systemctl reload sshd.service" in host.asked()
    host.stage.write("/stage/broken")
    host.stage.forget_calls()
    assert host.stage.one(given_up("sshd", RUN)).status == 0
    assert host.asked()[-1] == "systemctl restart sshd.service"
    assert "systemctl restart ssh.service" not in host.asked()


def test_files_go_back_in_place_where_nothing_can_be_written_beside_them(host: Host) -> None:
    host.stage.write(MAIN, DEBIAN + "AllowUsers carl\n", 0o644)
    before = host.files()
    assert host.change(inputs(SETTINGS + "AllowUsers deploy\n")).status == 0
    host.stage.program("mv", 'case $* in *.stockade*) exit 1 ;; esac; exec /usr/bin/mv "$@"')
    assert go_back(host, "now").status == 0
    assert {name: at for name, at in host.files().items() if "stockade-guard" not in name} == before


def go_back(host: Host, occasion: str) -> Answer:
    """Run the guard's rollback in its folder."""
    (folder,) = host.stage.path("/var/lib/stockade/guard").iterdir()
    values = {"guard": f"/var/lib/stockade/guard/{folder.name}", "occasion": occasion}
    return host.stage.one(Script("go back", script("components/sshd/go_back.sh"), values))


def test_at_boot_files_go_back_and_nothing_is_reloaded(host: Host) -> None:
    assert host.change(inputs()).status == 0
    host.stage.forget_calls()
    assert go_back(host, "boot").status == 0
    assert not host.stage.path(DROPIN).exists()
    assert host.asked() == []
    assert go_back(host, "boot").status == 0


def test_a_reload_that_fails_is_told(host: Host) -> None:
    host.stage.write("/stage/broken")
    answer = host.apply(inputs())
    assert (answer.status, answer.stderr) == (70, "sshd did not take the new configuration\n")


def test_without_systemd_the_init_script_is_asked(host: Host) -> None:
    host.stage.path("/run/systemd/system").rmdir()
    host.stage.path("/var/run").symlink_to("/run")
    host.stage.program("/etc/init.d/ssh", 'kill -HUP "$(cat /run/sshd.pid)"')
    assert host.apply(inputs()).status == 0
    assert [str(call) for call in host.stage.calls("ssh")] == ["ssh reload"]
    host.stage.path("/etc/init.d/ssh").unlink()
    answer = host.apply(inputs(SETTINGS + "LogLevel VERBOSE\n"))
    assert (answer.status, answer.stderr.splitlines()[0]) == (
        70,
        "none of ssh.service, sshd.service, ssh.socket and /etc/init.d/ssh runs on this host",
    )


def test_ports_are_labelled_for_selinux_and_the_label_goes_with_them(host: Host) -> None:
    host.stage.program("selinuxenabled")
    host.stage.program("semanage", "[ \"$2\" != -l ] || echo 'ssh_port_t                     tcp      22, 2200'")
    socket(host.stage)
    declared = inputs(SETTINGS + "Port 22\nPort 2222\n")
    assert host.change(declared).status == 0
    labels = [str(call) for call in host.stage.calls("semanage") if call.arguments[1] != "-l"]
    assert labels == ["semanage port -a -t ssh_port_t -p tcp 2222"]
    assert "# SELinux ports labelled: 2222\n" in host.stage.read(DROPIN)
    guard = CHAPTER.guard(inputs(), KNOWN, None)  # type: ignore[arg-type]
    host.stage.forget_calls()
    assert host.stage.one(committed(CHAPTER.guard(declared, KNOWN, None), "sshd", RUN)).status == 0  # type: ignore[arg-type]
    assert host.stage.calls("semanage") == []
    assert host.change(inputs(SETTINGS + "Port 22\n")).status == 0
    assert host.stage.one(committed(guard, "sshd", RUN)).status == 0
    assert str(host.stage.calls("semanage")[-1]) == "semanage port -d -t ssh_port_t -p tcp 2222"


def test_a_label_goes_back_with_the_change_that_set_it(host: Host) -> None:
    host.stage.program("selinuxenabled")
    host.stage.program("semanage", "[ \"$2\" != -l ] || echo 'ssh_port_t                     tcp      22'")
    socket(host.stage)
    assert host.change(inputs(SETTINGS + "Port 2222\n")).status == 0
    assert host.stage.one(given_up("sshd", RUN)).status == 0
    assert str(host.stage.calls("semanage")[-1]) == "semanage port -d -t ssh_port_t -p tcp 2222"


def test_where_a_run_comes_from_and_the_groups_of_the_admin(host: Host) -> None:
    answer = host.stage.one(Script("look", script("components/sshd/login.sh"), {"user": "nobody"}))
    assert answer.stdout == "\n\nnogroup\n"
    answer = host.stage.one(Script("look", script("components/sshd/login.sh"), {"user": "-carl"}))
    assert answer.stdout == "\n\n\n"


def test_statuses_in_the_scripts_are_those_that_are_named_at_their_top() -> None:
    for path in parts("components/sshd/apply.sh"):
        if path.startswith("components/sshd/"):
            used = set(re.findall(r"\b(?:exit|fail) ([0-9]{2})\b", source(path)))
            named = set(
                re.findall(r"\b([0-9]{2}) ", "".join(re.findall(r"^# Exits: .*(?:\n# .+)*", source(path), re.M)))
            )
            assert used <= named, path
    assert {68, 73, 74} == set(FILE_EXITS)
