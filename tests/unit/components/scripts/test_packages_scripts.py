"""The package transaction on a stage: installed, removed, refused, interrupted at every step, and restored."""

from typing import Any

import pytest

from components.core.chapter import KnownState
from components.packages.chapter import EXITS, HELD, NAMELESS, UNSTARTED, WOULD_GO, PackageChapter
from components.packages.settings import RECORDS, PackageFacts, PackageInputs
from hosts.shell import Answer
from tests.shell_room import Stage
from tests.unit.components.scripts.apt import Debian, Moment, debian
from tests.unit.components.scripts.stubs import ONE_SHELL

CHAPTER = PackageChapter()
FOLDER = f"{RECORDS}/host"
POLICY = "/usr/sbin/policy-rc.d"


@pytest.fixture
def host(stage: Stage) -> Debian:
    made = debian(stage)
    made.has("libmail")
    made.daemon("exim4", needs="libmail")
    made.has("mailx", needs="exim4")
    made.has("libban")
    made.daemon("fail2ban", needs="libban")
    return made


def inputs(**values: Any) -> PackageInputs:
    return PackageInputs.model_validate({"host": "web1", **values})


def facts(stage: Stage, wanted: PackageInputs) -> PackageFacts:
    answer = stage.one(CHAPTER.observe(wanted))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(wanted, answer)


def applied(stage: Stage, wanted: PackageInputs) -> Answer:
    return stage.one(CHAPTER.apply(wanted, KnownState()))


def given_back(stage: Stage, wanted: PackageInputs, recorded: PackageFacts | None = None) -> Answer:
    return stage.one(CHAPTER.restore(wanted, KnownState(recorded=recorded)))


def changes(stage: Stage) -> list[list[str]]:
    """Return the real changes requested from apt-get, without options."""
    calls = [call.arguments for call in stage.calls("apt-get") if "-s" not in call.arguments]
    words = [[word for word in call if not word.startswith("-") and "::" not in word] for call in calls]
    return [call for call in words if call[0] not in ("update", "check")]


def picture(host: Debian) -> dict[str, Any]:
    """Return everything that a package transaction may change."""
    found: dict[str, Any] = {"installed": host.installed()}
    for top in ("etc", "run/units"):
        for path in sorted(host.stage.path(top).rglob("*")):
            mode = oct(path.lstat().st_mode)
            found[str(path.relative_to(host.stage.root))] = (mode, path.read_text() if path.is_file() else "")
    return found


def mail_server(host: Debian) -> None:
    """Install an Exim that an administrator has configured and stopped, and a tool that needs it."""
    host.install("mailx")
    host.stage.write("/etc/exim4.d/exim4.conf", "mine\n", 0o640)
    host.stage.write("/etc/exim4.d/local", "also mine\n", 0o600)
    host.units.set("exim4.service", "enabled inactive")


def test_what_is_wanted_comes_and_goes_with_what_it_needs(stage: Stage, host: Debian) -> None:
    before = picture(host)
    wanted = inputs(present=["fail2ban"])
    assert CHAPTER.differences(wanted, facts(stage, wanted)) == "not installed: fail2ban"
    assert applied(stage, wanted).status == 0
    assert host.installed() == {"openssh-server": "manual", "fail2ban": "manual", "libban": "auto"}
    seen = facts(stage, wanted)
    assert (seen.installed, seen.removed, seen.ours) == ({"fail2ban": "1"}, (), ("fail2ban",))
    assert CHAPTER.differences(wanted, seen) == ""
    assert (stage.path(FOLDER).stat().st_mode & 0o777, stage.path("/var/lib/stockade").stat().st_mode & 0o777) == (
        0o700,
        0o755,
    )
    assert not stage.path(f"{FOLDER}/phase").exists()
    stage.forget_calls()
    assert applied(stage, wanted).status == 0
    assert changes(stage) == []
    assert given_back(stage, wanted).status == 0
    assert picture(host) == before
    assert not stage.path(RECORDS).exists()


@ONE_SHELL
def test_what_was_there_is_not_ours(stage: Stage, host: Debian) -> None:
    host.install("fail2ban")
    wanted = inputs(present=["fail2ban"])
    assert applied(stage, wanted).status == 0
    assert facts(stage, wanted).ours == ()
    assert given_back(stage, wanted).status == 0
    assert "fail2ban" in host.installed()


def test_what_is_removed_comes_back_as_it_was(stage: Stage, host: Debian) -> None:
    mail_server(host)
    before = picture(host)
    wanted = inputs(absent=["exim4"])
    assert applied(stage, wanted).status == 0
    assert host.installed() == {"openssh-server": "manual"}
    assert not stage.path("/etc/exim4.d/exim4.conf").exists()
    assert facts(stage, wanted).removed == ("exim4=1", "libmail=1", "mailx=1")
    rows = [row.split() for row in stage.read(f"{FOLDER}/removed").splitlines()]
    assert sorted(rows) == [
        ["exim4", "1", "auto", "exim4"],
        ["libmail", "1", "auto", "exim4"],
        ["mailx", "1", "manual", "exim4"],
    ]
    stage.forget_calls()
    assert given_back(stage, wanted).status == 0
    assert picture(host) == before
    assert changes(stage) == [["install", "exim4=1", "libmail=1", "mailx=1"]]
    assert [call for call in stage.calls("systemctl") if call.arguments == ("daemon-reload",)] != []


@ONE_SHELL
def test_all_is_one_transaction(stage: Stage, host: Debian) -> None:
    mail_server(host)
    assert applied(stage, inputs(present=["fail2ban"], absent=["exim4"])).status == 0
    assert changes(stage) == [["install", "fail2ban", "exim4-", "libmail-", "mailx-"]]


def test_what_is_not_declared_any_more_goes_or_comes_back(stage: Stage, host: Debian) -> None:
    mail_server(host)
    before = picture(host)
    assert applied(stage, inputs(present=["fail2ban"], absent=["exim4"])).status == 0
    assert applied(stage, inputs(absent=["exim4"])).status == 0
    assert host.installed() == {"openssh-server": "manual"}
    stage.forget_calls()
    assert applied(stage, inputs()).status == 0
    assert picture(host) == before
    assert stage.read(f"{FOLDER}/removed") == ""
    assert stage.read(f"{FOLDER}/before") == ""


@ONE_SHELL
def test_what_comes_back_alone_has_its_own_files_and_no_others(stage: Stage, host: Debian) -> None:
    stage.write("/repo/exim4/etc/exim4.d/fail2ban.conf", "exim4's\n")  # whose it is does not follow from its name
    mail_server(host)
    host.install("fail2ban")
    stage.write("/etc/fail2ban.d/local", "mine\n")
    for link in ("S01exim4", "K02fail2ban"):
        stage.folder("/etc/rc2.d")
        stage.path(f"/etc/rc2.d/{link}").symlink_to(f"../init.d/{link[3:]}")
    before = picture(host)
    assert applied(stage, inputs(absent=["exim4", "fail2ban"])).status == 0
    assert list(stage.path("/etc/rc2.d").iterdir()) == []
    for place in ("/etc/exim4.d/local", "/etc/fail2ban.d/local"):
        stage.path(place).unlink()
        stage.path(place).parent.rmdir()
    assert applied(stage, inputs(absent=["fail2ban"])).status == 0
    assert [path.name for path in stage.path("/etc/rc2.d").iterdir()] == ["S01exim4"]
    assert stage.read("/etc/exim4.d/exim4.conf") == "mine\n"
    assert stage.read("/etc/exim4.d/fail2ban.conf") == "exim4's\n"
    assert not stage.path("/etc/fail2ban.d").exists()
    assert {row.split()[0] for row in stage.read(f"{FOLDER}/removed").splitlines()} == {"fail2ban", "libban"}
    assert applied(stage, inputs()).status == 0
    now = picture(host)
    assert {place for place in before if place not in now} == {"etc/exim4.d/local", "etc/fail2ban.d/local"}
    assert {place for place in before if place in now and now[place] != before[place]} == set()


@ONE_SHELL
def test_what_the_administrator_had_deleted_stays_deleted(stage: Stage, host: Debian) -> None:
    mail_server(host)
    stage.path("/etc/exim4.d/exim4.conf").unlink()
    wanted = inputs(absent=["exim4"])
    assert applied(stage, wanted).status == 0
    assert given_back(stage, wanted).status == 0
    assert not stage.path("/etc/exim4.d/exim4.conf").exists()
    assert stage.read("/etc/exim4.d/local") == "also mine\n"


@ONE_SHELL
def test_the_way_in_is_not_removed_with_something_else(stage: Stage, host: Debian) -> None:
    host.has("libfoo")
    host.has("sudo", needs="libfoo")
    host.install("sudo")
    before = picture(host)
    answer = applied(stage, inputs(present=["fail2ban"], absent=["libfoo"]))
    assert answer.status == WOULD_GO
    assert "nothing was changed, because these would be removed, too: sudo" in answer.stderr
    assert "(to remove: libfoo; to install: fail2ban)" in " ".join(answer.stderr.split())
    assert picture(host) == before
    assert changes(stage) == []


@ONE_SHELL
def test_a_declared_package_is_not_removed_with_another(stage: Stage, host: Debian) -> None:
    host.has("nullmailer", conflicts="exim4")
    host.install("exim4")
    answer = applied(stage, inputs(present=["exim4", "nullmailer"]))
    assert answer.status == WOULD_GO
    assert changes(stage) == []


@ONE_SHELL
def test_what_is_held_is_named(stage: Stage, host: Debian) -> None:
    mail_server(host)
    stage.write("/repo/held", "exim4\n")
    stage.write("/repo/archive", stage.read("/repo/archive").replace("fail2ban|1|libban", "fail2ban|1|libban nowhere"))
    answer = applied(stage, inputs(present=["fail2ban"], absent=["exim4"]))
    assert answer.status not in (0, HELD)
    assert "nowhere" in answer.stderr
    assert changes(stage) == []


@ONE_SHELL
def test_a_name_that_the_distribution_does_not_have(stage: Stage, host: Debian) -> None:
    stage.write("/etc/os-release", "ID=arch\n")
    answer = applied(stage, inputs(present=["unattended-upgrades"]))
    assert answer.status == NAMELESS
    assert "Arch" in answer.stderr
    assert not stage.path(RECORDS).exists()


@ONE_SHELL
def test_what_a_metapackage_is_about_goes_for_it(stage: Stage, host: Debian) -> None:
    host.has("mail-suite", needs="exim4", section="metapackages")
    host.install("exim4")
    before = picture(host)
    wanted = inputs(absent=["mail-suite"])
    assert facts(stage, wanted).installed == {"mail-suite": "1"}
    assert CHAPTER.differences(wanted, facts(stage, wanted)) == "still installed: mail-suite"
    assert applied(stage, wanted).status == 0
    assert host.installed() == {"openssh-server": "manual"}
    assert facts(stage, wanted).installed == {}
    host.install("exim4")  # by hand: found by the declared name, although nothing shows any more what it stood for
    assert facts(stage, wanted).installed == {"mail-suite": "1"}
    host.stage.execute("apt-get", "purge", "exim4")
    assert given_back(stage, wanted).status == 0
    assert picture(host)["installed"] == before["installed"]


@ONE_SHELL
def test_a_virtual_package_is_whatever_provides_it(stage: Stage, host: Debian) -> None:
    host.has("netcat-openbsd", provides="netcat")
    wanted = inputs(present=["netcat"])
    assert facts(stage, wanted).installed == {}
    assert applied(stage, wanted).status == 0
    assert host.installed() == {"openssh-server": "manual", "netcat-openbsd": "manual"}
    assert facts(stage, wanted).installed == {"netcat": "1"}
    assert facts(stage, wanted).ours == ("netcat-openbsd",)
    gone = inputs(absent=["netcat"])
    assert applied(stage, gone).status == 0
    assert host.installed() == {"openssh-server": "manual"}


@ONE_SHELL
def test_lists_are_fetched_where_there_are_none(stage: Stage, host: Debian) -> None:
    stage.path("/var/lib/apt/lists/deb_Packages").unlink()
    applied(stage, inputs(absent=["exim4"]))
    assert [call.arguments[-1] for call in stage.calls("apt-get")].count("update") == 1


@ONE_SHELL
@pytest.mark.parametrize("moment", ["before", "removing", "installing", "after"])
def test_a_change_that_is_cut_off_is_finished_by_the_next_run(stage: Stage, host: Debian, moment: Moment) -> None:
    mail_server(host)
    before = picture(host)
    wanted = inputs(present=["fail2ban"], absent=["exim4"])
    host.dies(moment)
    [answer] = stage.run(CHAPTER.apply(wanted, KnownState()))
    assert answer is None
    assert stage.read(f"{FOLDER}/phase") == "change\n"
    assert applied(stage, wanted).status == 0
    assert host.installed() == {"openssh-server": "manual", "fail2ban": "manual", "libban": "auto"}
    assert facts(stage, wanted).removed == ("exim4=1", "libmail=1", "mailx=1")
    assert facts(stage, wanted).ours == ("fail2ban",)
    assert not stage.path(f"{FOLDER}/phase").exists()
    assert not stage.path(f"{FOLDER}/draft.tar").exists()
    assert given_back(stage, wanted).status == 0
    assert picture(host) == before


@ONE_SHELL
@pytest.mark.parametrize("moment", ["before", "removing", "installing", "after"])
def test_giving_back_that_is_cut_off_is_finished_by_the_next_run(stage: Stage, host: Debian, moment: Moment) -> None:
    mail_server(host)
    before = picture(host)
    wanted = inputs(present=["fail2ban"], absent=["exim4"])
    assert applied(stage, wanted).status == 0
    host.dies(moment)
    [answer] = stage.run(CHAPTER.restore(wanted, KnownState()))
    assert answer is None
    assert given_back(stage, wanted).status == 0
    assert picture(host) == before


@ONE_SHELL
def test_only_a_change_under_way_is_taken_for_one_that_was_cut_off(stage: Stage, host: Debian) -> None:
    wanted = inputs(present=["fail2ban"])
    assert applied(stage, wanted).status == 0
    for phase, marks in (("record", False), ("settle", False), ("change", True), ("", True)):
        stage.write(f"{FOLDER}/phase", phase and f"{phase}\n")
        stage.forget_calls()
        assert applied(stage, wanted).status == 0
        assert bool([call for call in stage.calls("apt-mark") if call.arguments == ("auto", "libban")]) is marks
        assert not stage.path(f"{FOLDER}/phase").exists()


@ONE_SHELL
def test_a_change_that_fails_is_finished_later(stage: Stage, host: Debian) -> None:
    wanted = inputs(present=["fail2ban"])
    stage.write("/repo/refuses", "E: no space left\n")
    answer = applied(stage, wanted)
    assert answer.status == 1
    assert "E: no space left" in answer.stderr
    stage.path("/repo/refuses").unlink()
    assert applied(stage, wanted).status == 0
    assert facts(stage, wanted).ours == ("fail2ban",)


@ONE_SHELL
def test_services_that_another_resource_starts_are_left_to_it(stage: Stage, host: Debian) -> None:
    assert applied(stage, inputs(present=["fail2ban"], unstarted=["fail2ban"])).status == 0
    assert host.units.state("fail2ban.service") == "enabled inactive"
    assert not stage.path(POLICY).exists()


@ONE_SHELL
def test_anothers_policy_is_left_alone(stage: Stage, host: Debian) -> None:
    stage.write(POLICY, "#!/stage/sh\nexit 0\n", 0o755)
    assert applied(stage, inputs(present=["fail2ban"], unstarted=["fail2ban"])).status == 0
    assert stage.read(POLICY) == "#!/stage/sh\nexit 0\n"
    assert host.units.state("fail2ban.service") == "enabled active"


@ONE_SHELL
def test_our_policy_of_a_killed_run_goes(stage: Stage, host: Debian) -> None:
    stage.write(POLICY, "#!/bin/sh\n# stockade: until then\nexit 101\n", 0o755)
    assert applied(stage, inputs(present=["fail2ban"])).status == 0
    assert not stage.path(POLICY).exists()
    assert host.units.state("fail2ban.service") == "enabled active"


@ONE_SHELL
def test_our_policy_goes_with_the_run_after_one_that_was_killed(stage: Stage, host: Debian) -> None:
    wanted = inputs(present=["fail2ban"], unstarted=["fail2ban"])
    host.dies("installing")
    assert stage.run(CHAPTER.apply(wanted, KnownState())) == [None]
    assert stage.read(POLICY).startswith("#!/bin/sh\n")
    assert applied(stage, wanted).status == 0
    assert not stage.path(POLICY).exists()


@ONE_SHELL
@pytest.mark.parametrize("deleted", [True, False])
def test_a_service_that_does_not_start_again_is_told(stage: Stage, host: Debian, deleted: bool) -> None:
    mail_server(host)
    host.units.set("exim4.service", "enabled active")
    wanted = inputs(absent=["exim4"])
    assert applied(stage, wanted).status == 0
    host.units.set("exim4.service", "enabled inactive", fails=True)
    host.stage.path("/run/units/exim4.service").unlink()
    stage.write(POLICY, "#!/stage/sh\nexit 101\n", 0o755)
    answer = given_back(stage, wanted) if deleted else applied(stage, inputs())
    assert answer.status == UNSTARTED
    assert "reinstalled, but not started: exim4.service" in answer.stderr
    assert stage.read("/etc/exim4.d/exim4.conf") == "mine\n"


def test_an_active_ufw_is_asked_about(stage: Stage, host: Debian) -> None:
    host.has("ufw")
    host.daemon("iptables-persistent", conflicts="ufw")
    host.install("ufw")
    stage.program("ufw", reads=False)
    stage.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
    wanted = inputs(present=["iptables-persistent"])
    answer = applied(stage, wanted)
    assert answer.status == WOULD_GO
    assert "`takeOver: true` under `stockade:firewall`" in answer.stderr
    assert "ufw" in host.installed()
    wanted = inputs(present=["iptables-persistent"], takeOver=True)
    assert applied(stage, wanted).status == 0
    assert "ufw" not in host.installed()
    assert stage.read("/etc/ufw/ufw.conf") == "ENABLED=no\n"
    said = [call.stdin for call in stage.calls("debconf-set-selections")]
    assert said[-1] == "".join(
        f"iptables-persistent iptables-persistent/autosave_{family} boolean false\n" for family in ("v4", "v6")
    )
    stage.forget_calls()
    assert given_back(stage, wanted).status == 0
    assert [str(call) for call in stage.calls("ufw")] == ["ufw --force enable"]


@ONE_SHELL
def test_a_ufw_that_is_not_active_or_stays_is_left_as_it_is(stage: Stage, host: Debian) -> None:
    host.has("ufw")
    host.daemon("iptables-persistent")
    host.install("ufw")
    stage.program("ufw")
    stage.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
    assert applied(stage, inputs(present=["iptables-persistent"])).status == 0
    assert stage.read("/etc/ufw/ufw.conf") == "ENABLED=yes\n"
    assert not stage.path(f"{FOLDER}/ufw").exists()


@ONE_SHELL
def test_what_stays_in_etc_is_not_kept_as_if_it_were_gone(stage: Stage, host: Debian) -> None:
    mail_server(host)
    stage.write("/etc/other/file", "stays\n")
    stage.path("/etc/other/link").symlink_to("nowhere")
    assert applied(stage, inputs(absent=["exim4"])).status == 0
    kept = stage.execute("tar", "-tf", f"{FOLDER}/etc.tar").stdout.splitlines()
    assert "etc/exim4.d/exim4.conf" in kept
    assert [name for name in kept if "other" in name or name == "etc/passwd"] == []


@ONE_SHELL
def test_answers_to_packages_questions_come_back_without_passwords(stage: Stage, host: Debian) -> None:
    mail_server(host)
    stage.write(
        "/var/cache/debconf/templates.dat",
        "Name: exim4/kind\nType: select\n\nName: exim4/secret\nType: password\n\nName: other/x\nType: string\n",
    )
    config = "Name: {0}\nTemplate: {0}\nValue: {1}\nOwners: {2}\nFlags: seen\n"
    stage.write(
        "/var/cache/debconf/config.dat",
        "\n".join(
            [
                config.format("exim4/kind", "internet site", "exim4, mailx"),
                config.format("exim4/secret", "sesame", "exim4"),
                config.format("other/x", "y", "other"),
            ]
        ),
    )
    wanted = inputs(absent=["exim4"])
    assert applied(stage, wanted).status == 0
    assert "sesame" not in stage.read(f"{FOLDER}/debconf")
    stage.forget_calls()
    assert given_back(stage, wanted).status == 0
    [said] = [call.stdin for call in stage.calls("debconf-set-selections")]
    assert said == "exim4 exim4/kind select internet site\nmailx exim4/kind select internet site\n"


def test_links_to_units_of_ours_under_other_names_go_with_them(stage: Stage, host: Debian) -> None:
    wanted = inputs(present=["fail2ban"])
    assert applied(stage, wanted).status == 0
    link = stage.path("/etc/systemd/system/ban.service")
    link.symlink_to("/lib/systemd/system/fail2ban.service")
    other = stage.path("/etc/systemd/system/other.service")
    other.symlink_to("/lib/systemd/system/elsewhere.service")
    assert given_back(stage, wanted).status == 0
    assert not link.is_symlink()
    assert other.is_symlink()


@ONE_SHELL
def test_where_the_records_are_lost_the_state_knows_enough(stage: Stage, host: Debian) -> None:
    mail_server(host)
    wanted = inputs(present=["fail2ban"], absent=["exim4"])
    assert applied(stage, wanted).status == 0
    recorded = facts(stage, wanted)
    stage.execute("rm", "-r", "/var/lib/stockade")
    assert given_back(stage, wanted, recorded).status == 0
    assert set(host.installed()) == {"openssh-server", "exim4", "libmail", "mailx"}


@ONE_SHELL
def test_two_groups_have_records_of_their_own(stage: Stage, host: Debian) -> None:
    host.install("exim4")
    mine, other = inputs(present=["fail2ban"]), inputs(absent=["exim4"], group="mail")
    assert applied(stage, mine).status == 0
    assert applied(stage, other).status == 0
    assert given_back(stage, mine).status == 0
    assert host.installed() == {"openssh-server": "manual"}
    assert given_back(stage, other).status == 0
    assert set(host.installed()) == {"openssh-server", "exim4", "libmail"}


def test_exits_are_those_of_the_scripts() -> None:
    bodies = [CHAPTER.apply(inputs(), KnownState()).body, CHAPTER.restore(inputs(), KnownState()).body]
    for status in (NAMELESS, HELD, WOULD_GO, UNSTARTED):
        assert any(f"exit {status}\n" in body for body in bodies)
    assert {NAMELESS, HELD} <= set(EXITS)
