"""Services of a host: by systemctl where systemd runs, and by the scripts in /etc/init.d elsewhere."""

import pytest

from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage
from tests.unit.components.scripts.stubs import Units, systemctl

UNIT = "cron.service"
ETC, RUN, LIB = (f"{top}/systemd/system" for top in ("/etc", "/run", "/lib"))


def ask(stage: Stage, body: str) -> Answer:
    return stage.one(Script("ask", script("hosts/system/services.sh") + body))


def words(stage: Stage, *, reading: bool = False) -> list[str]:
    """What systemctl was told, without questions unless `reading`."""
    told = [" ".join(word for word in call.arguments if word != "-q") for call in stage.calls("systemctl")]
    return [line for line in told if reading or not line.startswith(("is-", "show"))]


@pytest.fixture
def units(stage: Stage) -> Units:
    return systemctl(stage, cron="disabled inactive", ssh="enabled active")


def link(stage: Stage, place: str, target: str) -> None:
    path = stage.path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_the_states_of_many_units_are_one_question(stage: Stage, units: Units) -> None:
    units.set("masked.service", "masked inactive")
    done = ask(stage, "svc_state cron.service ssh.service masked.service none.service")
    assert done.stdout.splitlines() == [
        "cron.service disabled inactive",
        "ssh.service enabled active",
        "masked.service masked inactive",
        "none.service absent inactive",
    ]
    assert len(words(stage, reading=True)) == 1


def test_an_alias_and_a_sysv_script_are_asked_about_one_by_one(stage: Stage, units: Units) -> None:
    units.set("sshd.service", "enabled active")
    stage.write("/run/units/sshd.service.shown", "Id=ssh.service\n")
    stage.write("/run/units/cron.service.shown", "SourcePath=/etc/init.d/cron\n")
    assert ask(stage, "svc_state sshd.service cron.service").stdout.splitlines() == [
        "sshd.service enabled active",
        "cron.service disabled inactive",
    ]
    assert {line.split()[0] for line in words(stage, reading=True)} == {"show", "is-enabled", "is-active"}


def test_a_unit_that_is_linked_from_the_packages_file_needs_no_question(stage: Stage, units: Units) -> None:
    stage.write(f"{LIB}/{UNIT}")
    link(stage, f"{ETC}/multi-user.target.wants/{UNIT}", f"{LIB}/{UNIT}")
    assert ask(stage, "svc_enabled cron").stdout == "enabled\n"
    assert words(stage, reading=True) == []
    assert ask(stage, "svc_on cron").status == 0
    assert words(stage) == []


@pytest.mark.parametrize("own", [ETC, RUN])
@pytest.mark.parametrize("masks", [True, False])
def test_a_file_that_takes_precedence_is_asked_about(stage: Stage, units: Units, own: str, masks: bool) -> None:
    stage.write(f"{LIB}/{UNIT}")
    link(stage, f"{ETC}/multi-user.target.wants/{UNIT}", f"{LIB}/{UNIT}")
    if masks:
        link(stage, f"{own}/{UNIT}", "/dev/null")
    else:
        stage.write(f"{own}/{UNIT}")
    assert ask(stage, "svc_enabled cron").stdout == "disabled\n"
    assert words(stage, reading=True) == ["is-enabled cron"]


def test_a_link_to_another_file_is_asked_about(stage: Stage, units: Units) -> None:
    stage.write(f"{LIB}/{UNIT}")
    stage.write(f"{LIB}/other.service")
    link(stage, f"{ETC}/multi-user.target.wants/{UNIT}", f"{LIB}/other.service")
    assert ask(stage, "svc_enabled cron").stdout == "disabled\n"


def test_a_unit_that_does_not_exist_is_in_no_state(stage: Stage, units: Units) -> None:
    assert ask(stage, "svc_enabled none").stdout == ""


def test_a_masked_unit_is_unmasked_before_it_is_enabled(stage: Stage, units: Units) -> None:
    units.set(UNIT, "masked inactive")
    assert ask(stage, "svc_enable cron.service").status == 0
    assert units.state(UNIT) == "enabled active"
    assert words(stage) == ["unmask cron.service", "enable cron.service", "start cron.service"]


def test_a_mask_until_the_next_boot_goes_too(stage: Stage, units: Units) -> None:
    link(stage, f"{RUN}/{UNIT}", "/dev/null")
    assert ask(stage, "svc_on cron.service").status == 0
    assert words(stage) == ["unmask cron.service", "unmask --runtime cron.service", "enable cron.service"]


def test_what_cannot_be_unmasked_is_not_enabled(stage: Stage, units: Units) -> None:
    stage.program("systemctl", "case $* in *unmask*) exit 1 ;; *is-enabled*) echo masked; exit 1 ;; esac")
    assert ask(stage, "svc_on cron.service || exit 9").status == 9
    assert [line.split()[0] for line in words(stage)] == ["unmask"]


@pytest.mark.parametrize(
    ("now", "prior", "told"),
    [
        ("disabled inactive", "enabled active", ["unmask", "enable", "start"]),
        ("enabled active", "disabled inactive", ["unmask", "disable", "stop"]),
        ("enabled active", "masked inactive", ["mask", "stop"]),
        ("enabled active", "masked-runtime inactive", ["mask --runtime", "stop"]),
        ("static inactive", "static active", ["start"]),
        ("enabled active", "absent inactive", []),
    ],
)
def test_a_state_is_restored(stage: Stage, units: Units, now: str, prior: str, told: list[str]) -> None:
    units.set(UNIT, now)
    assert ask(stage, f"svc_restore {UNIT} {prior}").status == 0
    assert [line.removesuffix(f" {UNIT}") for line in words(stage)] == told


def test_a_start_that_fails_is_reported(stage: Stage, units: Units) -> None:
    units.set(UNIT, "enabled inactive", fails=True)
    for body in ("svc_enable cron", "svc_start cron", "svc_restart cron", f"svc_restore {UNIT} enabled active"):
        assert ask(stage, f"{body} || exit 9").status == 9, body
    assert ask(stage, "svc_active cron || exit 9").status == 9
    assert ask(stage, "svc_active ssh").status == 0


SERVICE = 'case $2 in status) [ -e "/run/$1.runs" ] ;; start) : >"/run/$1.runs" ;; stop) rm -f "/run/$1.runs" ;; esac'


@pytest.fixture
def sysv(stage: Stage) -> Stage:
    """A host without systemd, with the script of cron, which is on at boot and runs."""
    stage.write("/etc/init.d/cron", "", 0o755)
    link(stage, "/etc/rc2.d/S02cron", "../init.d/cron")
    stage.write("/run/cron.runs")
    stage.program("service", SERVICE)
    stage.program("chkconfig", '[ "$2" = on ] && : >/etc/rc2.d/S02cron || rm -f /etc/rc2.d/S02cron')
    return stage


def state(sysv: Stage) -> str:
    return ask(sysv, "svc_state cron.service").stdout.strip()


def test_scripts_are_switched_and_restored(sysv: Stage) -> None:
    assert state(sysv) == "cron.service enabled active"
    assert ask(sysv, "svc_disable cron.service").status == 0
    assert state(sysv) == "cron.service disabled inactive"
    assert ask(sysv, "svc_restore cron.service enabled active").status == 0
    assert state(sysv) == "cron.service enabled active"
    sysv.forget_calls()
    assert ask(sysv, "svc_restore cron.service enabled active").status == 0
    assert [call.arguments[1] for call in sysv.calls("service")] == ["status"]
    assert ask(sysv, "svc_restore cron.service disabled inactive").status == 0
    assert state(sysv) == "cron.service disabled inactive"
    sysv.forget_calls()
    assert ask(sysv, "svc_restore cron.service disabled inactive; svc_restore cron.service absent active").status == 0
    assert [call.arguments[1] for call in sysv.calls("service")] == ["status"]


@pytest.mark.parametrize("verb", ["on", "off", "start", "stop", "restart", "reload", "active"])
def test_there_are_services_only_and_those_with_a_script(sysv: Stage, verb: str) -> None:
    for name in ("none.service", "cron.socket"):
        assert ask(sysv, f"svc_{verb} {name} || exit 9").status == 9
    assert ask(sysv, "svc_state none.service cron.socket").stdout.splitlines() == [
        "none.service absent inactive",
        "cron.socket absent inactive",
    ]


def test_debian_has_another_program_for_scripts(sysv: Stage) -> None:
    sysv.path("/usr/local/sbin/chkconfig").unlink()
    sysv.program("update-rc.d")
    assert ask(sysv, "svc_on cron; svc_off cron").status == 0
    assert [call.arguments for call in sysv.calls("update-rc.d")] == [
        ("cron", "defaults"),
        ("cron", "enable"),
        ("cron", "disable"),
    ]
