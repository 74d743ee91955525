"""The scripts of `components/users/` on a stage: accounts are created, adopted, restored, rolled back."""

import re
from dataclasses import replace

import pytest

from components.core.chapter import STALE, KnownState
from components.users import exits
from hosts.guard.guarded import unguarded
from hosts.scripts import script
from hosts.shell import Script
from hosts.system.files import NOT_WRITTEN
from tests.unit.components.users.accounts import (
    ANNS_SHADOW,
    CHAPTER,
    KEPT,
    NEEDS,
    Host,
    host,
    inputs,
    one_host,
    own_keys,
)
from tests.unit.components.users.test_users import ONE, THREE, TWO

__all__ = ["host", "one_host"]
pytestmark = NEEDS


def test_an_account_is_made_and_deleted(host: Host) -> None:
    before = host.everything()
    declared = inputs(groups=["adm"])
    seen = host.applied(declared)
    assert host.account("deploy").split(":")[5:] == ["/home/deploy", "/bin/bash"]
    assert host.groups("deploy") == {"deploy", "sudo", "adm"}
    assert host.password("deploy") == "*"
    assert host.stage.read("/home/deploy/.ssh/authorized_keys") == f"{ONE}\n"
    for place, mode in (("", "755"), ("/.ssh", "700"), ("/.ssh/authorized_keys", "600")):
        assert host.owner(f"/home/deploy{place}") == (mode, 1002)
    assert host.owner("/etc/sudoers.d/zz-stockade-deploy") == ("440", 0)
    assert host.stage.read("/etc/sudoers.d/zz-stockade-deploy") == declared.drop_in
    assert seen.sudo == "nopasswd"
    made = host.everything()
    host.applied(declared)
    assert host.everything() == made, "the second time, nothing changes"
    host.restored(declared)
    after = host.everything()
    assert set(after) - set(before) == {"home/deploy", "home/deploy/.ssh", "home/deploy/.ssh/authorized_keys"}
    assert {place: after[place] for place in before} == before


def test_a_home_is_deleted_where_it_is_wanted_and_a_group_that_was_there_comes_back(host: Host) -> None:
    host.stage.write("/etc/group", host.stage.read("/etc/group") + "deploy:x:1500:\n")
    before = host.everything()
    declared = inputs(remove_home=True, sudo="none")
    host.applied(declared)
    assert host.account("deploy").split(":")[3] == "1500", "its group is the one of its name"
    assert host.groups("deploy") == {"deploy"}
    assert host.restore(declared).status == 0
    assert "deploy:x:1500:" in host.stage.read("/etc/group")
    assert set(host.everything()) == {*before}


def test_an_account_that_comes_again_has_its_home_and_its_number_again(host: Host) -> None:
    declared = inputs()
    host.applied(declared)
    host.restored(declared)
    host.stage.execute("chown", "-R", "1500:1500", "/home/deploy")
    host.known = KnownState()
    host.stage.execute("rm", "-r", "/home/deploy/.ssh")
    assert host.apply(declared).status == 0
    assert (host.account("deploy").split(":")[2], host.owner("/home/deploy")) == ("1500", ("755", 1500))


def test_a_deleted_account_leaves_no_process_and_not_the_one_that_this_run_uses(host: Host) -> None:
    declared = inputs()
    host.applied(declared)
    assert host.restore(declared, SUDO_USER="deploy").status == exits.OWN_LOGIN
    assert host.account("deploy")
    start = "{ setpriv --reuid 1002 --regid 1002 --clear-groups sleep 600; :; } >/dev/null 2>&1 &"
    host.stage.one(
        Script("start", f"{start} setpriv --reuid 1001 --regid 1001 --clear-groups sleep 601 >/dev/null 2>&1 &")
    )
    host.restored(declared)
    assert host.stage.processes() == {"sleep 601"}


def test_an_account_is_adopted_and_given_back_as_it_was(host: Host) -> None:
    own_keys(host, f"# mine\n{TWO} ann\n{ONE} an old comment", 0o644, 0o755)
    host.stage.path("/home/ann").chmod(0o775)
    before = host.everything()
    declared = inputs("ann", keys=[ONE, THREE], groups=["adm"], shell="/bin/bash", password="$6$salt$hash")
    host.applied(declared)
    assert host.stage.read("/home/ann/.ssh/authorized_keys") == f"# mine\n{TWO} ann\n{ONE}\n{THREE}\n"
    assert host.owner("/home/ann") == ("755", 1001), "sshd takes no key from a home that others can write to"
    assert host.password("ann") == "$6$salt$hash"
    assert host.stage.read(KEPT) == ANNS_SHADOW
    assert host.owner(KEPT) == ("600", 0)
    assert host.account("ann").endswith(":/bin/bash")
    host.applied(declared.model_copy(update={"password": None, "groups": ()}))
    assert host.password("ann") == "$y$j9T$abc", "its own again"
    host.restored(declared)
    assert host.everything() == before


@pytest.mark.parametrize(
    ("shadow", "expired", "after"),
    [
        ("ann:!:19000:0:99999:7:::\n", "", "ann:*:19000:0:99999:7:::\n"),
        ("ann::19000:0:99999:7:::\n", "", "ann:*:19000:0:99999:7:::\n"),
        ("ann:$y$x:19000:0:99999:7::100:\n", "account", "ann:$y$x:19000:0:99999:7:::\n"),
        ("ann:$y$x:0:0:99999:7:::\n", "password", None),
        ("ann:$y$x:1000:0:30:7:::\n", "password", None),
        ("ann:*:1000:0:30:7:5::\n", "password", None),
    ],
)
def test_what_lets_no_key_in_is_lifted_and_comes_back(
    one_host: Host, shadow: str, expired: str, after: str | None
) -> None:
    others = one_host.stage.read("/etc/shadow").replace(ANNS_SHADOW, "")
    one_host.stage.write("/etc/shadow", others + shadow, 0o640)
    before = one_host.everything()
    declared = inputs("ann")
    assert one_host.look(declared).expired == expired
    seen = one_host.applied(declared)
    assert seen.expired == ""
    if after is not None:
        assert (
            re.sub(r"(?<=^ann:)([^:]*):\d+", r"\1:19000", one_host.stage.read("/etc/shadow"), flags=re.M)
            == others + after
        )
    one_host.restored(declared)
    assert one_host.everything() == before


def test_the_right_to_use_sudo_follows_what_is_declared(host: Host) -> None:
    host.applied(inputs("ann", sudo="password", password="a word"))
    assert host.look(inputs("ann")).sudo == "password"
    host.applied(inputs("ann", sudo="none"))
    assert host.groups("ann") == {"ann"}
    assert not host.stage.path("/etc/sudoers.d/zz-stockade-ann").exists()
    host.restored(inputs("ann", sudo="none"))
    assert host.groups("ann") == {"ann", "sudo"}


def test_a_plain_password_is_set_and_stands_in_no_argument(host: Host) -> None:
    chpasswd = (host.stage.root / "usr/sbin/chpasswd").readlink()
    host.stage.program("chpasswd", f'exec {chpasswd} "$@"', reads=True)
    host.applied(inputs("ann", sudo="password", password="a word"))
    assert re.match(r"\$y\$", host.password("ann"))
    assert [(call.arguments, call.stdin) for call in host.stage.calls("chpasswd")] == [((), "ann:a word\n")]


def test_keys_that_sshd_reads_elsewhere_are_told(host: Host) -> None:
    host.stage.program("sshd", "echo authorizedkeysfile /etc/ssh/keys/%u")
    answer = host.apply(inputs("ann"))
    assert (answer.status, answer.stderr) == (exits.KEYS_ELSEWHERE, "/etc/ssh/keys/%u\n")


@pytest.mark.parametrize(
    ("settings", "told"),
    [("allowgroups ssh\nport 22\ndenyusers bob", "allowgroups ssh\ndenyusers bob\n"), ("port 22", "")],
)
def test_whom_sshd_lets_in_is_shown(one_host: Host, settings: str, told: str) -> None:
    one_host.stage.program("sshd", f"cat <<'EOF'\n{settings}\nEOF")
    answer = one_host.stage.one(Script("look", script("components/users/let_in.sh"), {"name": "ann"}))
    assert (answer.status, answer.stdout) == (0, told)
    assert one_host.stage.calls("sshd")[-1].arguments == ("-T", "-C", "user=ann,host=localhost,addr=127.0.0.1")


def test_a_home_that_its_user_makes_has_ordinary_folders_above_it(host: Host) -> None:
    host.applied(inputs("ann", home="/home/ann/more/of/it"))
    assert [host.owner(place) for place in ("/home/ann/more", "/home/ann/more/of", "/home/ann/more/of/it")] == [
        ("755", 1001),
        ("755", 1001),
        ("700", 1001),
    ]
    assert host.account("ann").split(":")[5] == "/home/ann/more/of/it"
    host.known = replace(host.known, prior=host.known.prior)


def test_a_home_that_root_makes_has_ordinary_folders_above_it(host: Host) -> None:
    before = host.everything()
    host.applied(inputs("ann", home="/srv/homes/ann"))
    assert [host.owner(place) for place in ("/srv", "/srv/homes", "/srv/homes/ann")] == [
        ("755", 0),
        ("755", 0),
        ("700", 1001),
    ]
    assert host.stage.read("/srv/homes/ann/.ssh/authorized_keys") == f"{ONE}\n"
    host.restored(inputs("ann", home="/srv/homes/ann"))
    assert host.everything() == before


def test_keys_that_changed_since_the_look_are_left_as_they_are(host: Host) -> None:
    path = own_keys(host, f"{TWO}\n")
    declared = inputs("ann")
    script = CHAPTER.apply(declared, host.see(declared))
    path.write_text(f"{THREE}\n")
    assert host.stage.one(unguarded(script)).status == STALE
    assert path.read_text() == f"{THREE}\n"


def test_keys_that_somebody_else_keeps_changing_are_told_when_an_account_is_given_back(host: Host) -> None:
    path = own_keys(host, f"{TWO}\n")
    declared = inputs("ann")
    host.applied(declared)
    known = host.see(declared)
    path.write_text(f"{THREE}\n")
    assert host.stage.one(unguarded(CHAPTER.restore(declared, known))).status == STALE
    again = replace(known, reobserved=True)
    answer = host.stage.one(unguarded(CHAPTER.restore(declared, again)))
    assert answer.status == 0
    assert answer.sections["left.1"] == (
        "/home/ann/.ssh/authorized_keys is being changed by somebody else, and is left as it is\n"
    )
    assert path.read_text() == f"{THREE}\n"


def test_what_its_owner_has_locked_for_itself_is_unlocked_to_write_only(host: Host) -> None:
    path = own_keys(host, f"{TWO}\n", 0o000, 0o000)
    assert host.look(inputs("ann")).keys_trouble == ""
    assert (host.owner("/home/ann/.ssh")[0], path.stat().st_mode & 0o777) == ("0", 0)


def test_a_password_that_its_owner_has_changed_stays_and_one_that_is_gone_comes_back(host: Host) -> None:
    declared = inputs("ann", password="$6$salt$hash")
    host.applied(declared)
    host.stage.execute("chpasswd", "-e", stdin="ann:$6$own$word\n")
    host.applied(declared)
    assert host.password("ann") == "$6$own$word"
    host.stage.execute("usermod", "-L", "ann")
    host.applied(declared)
    assert host.password("ann") == "$6$salt$hash"


def test_keys_that_cannot_be_written_are_as_they_were(host: Host) -> None:
    path = own_keys(host, f"{TWO}\n")
    host.stage.write("/stage/calls", mode=0o666)
    host.stage.program("mv", 'case $PWD in */.ssh) : >/tmp/failed; exit 1 ;; esac; exec /usr/bin/mv "$@"')
    host.stage.program(
        "/usr/local/bin/lsattr", '[ ! -e /tmp/failed ] || [ "$2" != authorized_keys ] || echo "----i---- $2"'
    )
    answer = host.apply(inputs("ann"))
    assert (answer.status, "authorized_keys is immutable (chattr +i)" in answer.stderr) == (NOT_WRITTEN, True)
    assert path.read_text() == f"{TWO}\n"
    assert [file.name for file in path.parent.iterdir()] == ["authorized_keys"]


def test_nobody_logs_in_while_an_account_is_deleted(host: Host) -> None:
    declared = inputs()
    host.applied(declared)
    host.stage.program("userdel", 'grep "^deploy:" /etc/shadow >/tmp/then; exec /usr/sbin/userdel "$@"')
    host.restored(declared)
    assert host.stage.read("/tmp/then").split(":")[7] == "0"


# Under the guard: an unconfirmed change is rolled back


def test_a_change_of_an_account_goes_back(host: Host) -> None:
    own_keys(host, f"{TWO}\n", 0o640, 0o2755)
    host.stage.path("/home/ann").chmod(0o2775)
    host.stage.write("/etc/sudoers.d/zz-stockade-ann", "ann ALL=(ALL:ALL) ALL\n", 0o440)
    before = host.everything()
    declared = inputs("ann", keys=[ONE], exclusive_keys=True, groups=["adm"], shell="/bin/bash", password="$6$s$h")
    answer = host.change(declared)
    assert (answer.status, answer.stderr) == (0, "")
    assert host.password("ann") == "$6$s$h"
    assert host.stage.read("/home/ann/.ssh/authorized_keys") == f"{ONE}\n"
    answer = host.give_up(declared)
    assert (answer.status, "in force again" in answer.stdout) == (0, True), answer.stderr
    after = host.everything()
    assert {place: value for place, value in after.items() if "guard" not in place} == before


def test_a_change_that_goes_back_keeps_the_shadow_line_of_an_earlier_one(host: Host) -> None:
    first = inputs("ann", password="$6$s$h")
    host.applied(first)
    before = host.everything()
    second = inputs("ann", password="$6$s$other", sudo="none")
    assert host.change(second).status == 0
    assert host.give_up(second).status == 0
    assert host.stage.read(KEPT) == ANNS_SHADOW
    assert {place: value for place, value in host.everything().items() if "guard" not in place} == before
    host.restored(first)
    assert host.password("ann") == "$y$j9T$abc"


def test_an_account_that_a_change_made_goes_and_its_group_of_before_stays(host: Host) -> None:
    host.stage.write("/etc/group", host.stage.read("/etc/group") + "deploy:x:1500:\n")
    before = host.stage.read("/etc/passwd"), host.stage.read("/etc/shadow")
    declared = inputs()
    assert host.change(declared).status == 0
    assert host.account("deploy")
    assert host.give_up(declared).status == 0
    assert (host.stage.read("/etc/passwd"), host.stage.read("/etc/shadow")) == before
    assert "deploy:x:1500:" in host.stage.read("/etc/group")
    assert not host.stage.path("/etc/sudoers.d/zz-stockade-deploy").exists()


def test_keys_that_a_change_made_go_back_to_none(host: Host) -> None:
    declared = inputs("ann")
    assert host.change(declared).status == 0
    assert host.stage.path("/home/ann/.ssh/authorized_keys").exists()
    assert host.give_up(declared).status == 0
    assert not host.stage.path("/home/ann/.ssh").exists()


def test_keys_that_cannot_be_removed_are_no_change_that_went_back(one_host: Host) -> None:
    declared = inputs("ann")
    assert one_host.change(declared).status == 0
    one_host.stage.program(
        "/usr/local/bin/rm",
        'case $PWD in */.ssh) [ -e /tmp/failed ] || { : >/tmp/failed; exit 1; } ;; esac; exec /usr/bin/rm "$@"',
    )
    one_host.stage.write("/stage/calls", one_host.stage.read("/stage/calls"), mode=0o666)
    answer = one_host.give_up(declared)
    assert (answer.status == 0, one_host.stage.path("/home/ann/.ssh").exists()) == (False, True)
    assert one_host.give_up(declared).status == 0
    assert not one_host.stage.path("/home/ann/.ssh").exists()


def test_keys_that_cannot_be_removed_are_told_when_an_account_is_given_back(one_host: Host) -> None:
    declared = inputs("ann")
    one_host.applied(declared)
    one_host.stage.program("/usr/local/bin/rm", 'case $PWD in */.ssh) exit 1 ;; esac; exec /usr/bin/rm "$@"')
    one_host.stage.write("/stage/calls", one_host.stage.read("/stage/calls"), mode=0o666)
    assert one_host.restore(declared).status == NOT_WRITTEN
    one_host.stage.path("/usr/local/bin/rm").unlink()
    one_host.restored(declared)
    assert not one_host.stage.path("/home/ann/.ssh").exists()


@pytest.mark.parametrize("number", ["0", "1001"])
def test_an_account_with_the_number_of_another_is_deleted_without_the_others_processes_and_home(
    one_host: Host, number: str
) -> None:
    """Somebody may give it another account's number, root's too, and another home."""
    declared = inputs(remove_home=True)
    one_host.applied(declared)
    accounts = one_host.stage.read("/etc/passwd")
    changed = re.sub("^deploy:x:[0-9]+:(.*):/home/deploy:", rf"deploy:x:{number}:\1:/home/ann:", accounts, flags=re.M)
    assert changed != accounts
    one_host.stage.write("/etc/passwd", changed)
    one_host.stage.execute("chown", number, "/home/ann")
    start = f"setpriv --reuid {number} --regid 1001 --clear-groups sleep 600 >/dev/null 2>&1 &"
    one_host.stage.one(Script("start", start))
    answer = one_host.restore(declared)
    assert answer.status == 0
    assert f"deploy the number {number}, another account's" in answer.sections["left.1"]
    assert one_host.account("deploy") == ""
    assert one_host.stage.path("/home/ann").is_dir()
    assert one_host.stage.processes() == {"sleep 600"}
    assert not one_host.stage.path("/etc/sudoers.d/zz-stockade-deploy").exists()


def test_a_home_that_is_no_path_is_drift_and_comes_back(one_host: Host) -> None:
    declared = inputs(groups=["adm"])
    one_host.applied(declared)
    accounts = one_host.stage.read("/etc/passwd")
    for home in ("", "relative/x"):
        one_host.stage.write("/etc/passwd", accounts.replace(":/home/deploy:", f":{home}:"))
        assert not CHAPTER.as_observed(declared, one_host.known, one_host.look(declared)).enabled
        assert one_host.apply(declared).status == STALE  # the keys are looked at again where they are now
        one_host.applied(declared)
        assert one_host.account("deploy").split(":")[5] == "/home/deploy"
    one_host.restored(declared)
    assert one_host.account("deploy") == ""


def test_an_account_whose_group_is_gone_is_read_and_changed(one_host: Host) -> None:
    one_host.applied(inputs())
    for file in ("/etc/group", "/etc/gshadow"):
        one_host.stage.write(file, re.sub("^deploy:.*\n", "", one_host.stage.read(file), flags=re.M))
    answer = one_host.stage.one(CHAPTER.observe(inputs()))
    assert (answer.status, "sudo" in answer.sections["groups"].split()) == (0, True)
    known = replace(one_host.known, before=CHAPTER.parse(inputs(), answer))
    answer = one_host.stage.one(unguarded(CHAPTER.apply(inputs(groups=["adm"]), known)))
    assert answer.status == 0
    assert re.search("^adm:.*:deploy$", one_host.stage.read("/etc/group"), re.M)


def test_nothing_is_done_as_a_user_whose_number_is_roots(one_host: Host) -> None:
    text = script("hosts/system/as_user.sh") + "as_user touch /done || echo $?"
    answer = one_host.stage.one(Script("try", text, {"name": "ann", "uid": "0", "gid": "0"}))
    assert answer.stdout == "126\n"
    assert not one_host.stage.path("/done").exists()
