"""Users: refusals, a host's answers, drift, and what is sent and recorded."""

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.output import Unknown

from components.core import stored
from components.core.chapter import STALE, KnownState
from components.failure import Failure
from components.users.chapter import UserChapter
from components.users.own_login import guard, outside
from components.users.resource import LimitedUserProvider
from components.users.settings import UserFacts, UserInputs, UserSettings, effective_sudo, keys_in_force
from hosts.errors import LoginRefused
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FileState
from tests.unit.hosts.test_shell import one


def line(seed: int) -> str:
    fields = (b"ssh-ed25519", bytes([seed]) * 32)
    return "ssh-ed25519 " + base64.b64encode(b"".join(struct.pack(">I", len(one)) + one for one in fields)).decode()


ONE, TWO, THREE = line(1), line(2), line(3)
PASSWORD = "pass: 'word'"
GOOD = {"host": "web1", "name": "deploy", "keys": [ONE], "sudo": "nopasswd"}
CHAPTER = UserChapter()


def inputs(**more: Any) -> UserInputs:
    return UserInputs.model_validate({**GOOD, **more})


def facts(declared: UserInputs, **more: Any) -> UserFacts:
    """The facts of a host that is as declared."""
    content = "".join(f"{key}\n" for key in declared.keys)
    ssh = f"{declared.ssh_mode} {declared.name} {declared.name}"
    usual: dict[str, Any] = {
        "exists": True,
        "sudo_group": "sudo",
        "shell": declared.shell or "/bin/bash",
        "home": declared.home or f"/home/{declared.name}",
        "groups": tuple(sorted({declared.name, "sudo", *declared.groups})),
        "password": "set" if declared.password else "none",
        "sudo": declared.sudo,
        "drop_in": FileState(declared.drop_in_path, True, declared.drop_in, "440", "root", "root"),
        "home_state": "700 deploy deploy",
        "ssh": ssh,
        "keys": FileState("", True, content, declared.keys_mode, declared.name, declared.name),
    }
    return UserFacts(**{**usual, **more})


def failures(**more: Any) -> dict[str, str]:
    result = LimitedUserProvider().check(
        {}, {key: value for key, value in {**GOOD, **more}.items() if value is not None}
    )
    return {failure.property: failure.reason for failure in result.failures}


@pytest.mark.parametrize(
    ("props", "place", "why"),
    [
        ({"keys": []}, "keys", "could not log in"),
        ({"keys": [], "sudo": "none"}, "keys", "could not log in"),
        ({"shell": "/usr/sbin/nologin"}, "keys", "ends every login"),
        ({"sudo": "password"}, "sudo", "could not use sudo"),
        ({"name": "root"}, "name", "not a limited user"),
        ({"enabled": False}, "enabled", "locked"),
        ({"sudo": "other"}, "sudo", "nopasswd"),
        ({"keysMode": "666"}, "keysMode", "octal"),
        ({"keys": ["ssh-ed25519 AAAA"]}, "keys", "key 1:"),
        ({"keys": [ONE, "no-pty " + ONE]}, "keys", "listed twice"),
        ({"name": "-rf"}, "name", "pattern"),
        ({"name": "a b"}, "name", "pattern"),
        ({"home": "/home/a b"}, "home", "pattern"),
        ({"shell": "bash"}, "shell", "pattern"),
        ({"groups": ["a;b"]}, "groups", "not a group name"),
        ({"password": "two\nlines"}, "password", "one line"),
    ],
)
def test_a_useless_or_dangerous_user_fails_the_preview(props: dict[str, Any], place: str, why: str) -> None:
    found = failures(**props)
    assert list(found) == [place]
    assert why in found[place]
    assert "two\nlines" not in str(found)


@pytest.mark.parametrize(
    "props",
    [
        {},
        {"sudo": "none"},
        {"keys": [], "password": PASSWORD, "sudo": "password"},
        {"keys": Unknown(), "sudo": "nopasswd"},
        {"keys": [Unknown()]},
        {"sudo": "password", "password": Unknown()},
    ],
)
def test_what_can_log_in_passes_and_what_is_not_known_yet_may(props: dict[str, Any]) -> None:
    assert failures(**props) == {}


def test_keys_are_brought_into_one_form_so_that_spelling_is_no_change() -> None:
    checked = LimitedUserProvider().check({}, {**GOOD, "keys": [f"  {ONE}   me ", f"{ONE} me"]}).inputs
    assert checked["keys"] == [f"{ONE} me"]
    assert (
        not LimitedUserProvider()
        .diff("", checked, LimitedUserProvider().check({}, {**GOOD, "keys": [f"{ONE} me"]}).inputs)
        .changes
    )


def test_a_renamed_user_is_made_before_the_old_one_goes() -> None:
    diff = LimitedUserProvider().diff("", {**GOOD}, {**GOOD, "name": "other"})
    assert diff.replaces == ["name"]
    assert diff.delete_before_replace is False


def test_the_password_goes_to_the_engine_and_nowhere_else() -> None:
    model = inputs(password=PASSWORD)
    assert model.props()["password"] == PASSWORD
    assert PASSWORD not in repr(model)
    assert PASSWORD not in json.dumps(facts(model).props())
    script = CHAPTER.apply(model, KnownState(before=UserFacts(), prior=UserFacts()))
    assert script.plain_secrets() == {"password": PASSWORD}
    assert PASSWORD not in script.body + "".join(script.values.values())


@pytest.mark.parametrize(
    ("password", "form"), [(PASSWORD, ""), ("$y$j9T$abc$" + "d" * 43, "-e"), ("$6$salt$" + "a" * 86, "-e"), ("$1", "")]
)
def test_a_hash_is_known_by_its_form(password: str, form: str) -> None:
    script = CHAPTER.apply(inputs(password=password), KnownState(before=UserFacts(), prior=UserFacts()))
    assert script.values["password_form"] == form


def test_the_password_is_set_only_when_the_declared_one_changes() -> None:
    old = inputs(password=PASSWORD)
    recorded = facts(old)

    def changed(new: UserInputs) -> str:
        return CHAPTER.apply(new, KnownState(old, recorded, UserFacts(), recorded)).values["password_changed"]

    assert changed(inputs(password=PASSWORD, groups=["adm"])) == ""
    assert changed(inputs(password="another")) == "yes"
    assert changed(inputs()) == "yes"


def test_nothing_is_planned_before_the_host_was_looked_at() -> None:
    assert CHAPTER.apply(inputs(), KnownState(prior=UserFacts())).body == f"exit {STALE}"


LISTINGS = [
    ("", "none"),
    ("User deploy is not allowed to run sudo on web1.", "none"),
    ("    (ALL : ALL) ALL", "password"),
    ("    (ALL : ALL) ALL\n    (ALL : ALL) NOPASSWD: ALL", "nopasswd"),
    ("    (ALL) NOPASSWD: ALL\n    (ALL : ALL) ALL", "password"),
    ("    (root) NOPASSWD: SETENV: ALL", "nopasswd"),
    ("    (ALL) NOPASSWD: /usr/bin/apt", "none"),
    ("    (www-data) NOPASSWD: ALL", "none"),
    ("    (ALL : ALL) NOPASSWD: ALL\n    (ALL) !ALL", "none"),
    ("    (root) NOPASSWD: SETENV: /bin/true, ALL", "nopasswd"),
    ("    (ALL) NOPASSWD: /bin/true, PASSWD: ALL", "password"),
    ("    (ALL) ALL, !ALL", "none"),
]


@pytest.mark.parametrize(("rules", "right"), LISTINGS)
def test_the_last_rule_decides_what_sudo_grants(rules: str, right: str) -> None:
    defaults = "Matching Defaults entries for deploy on web1:\n    env_reset, use_pty\n\n"
    assert effective_sudo(f"{defaults}User deploy may run the following commands on web1:\n{rules}\n") == right


def test_a_host_as_declared_shows_nothing() -> None:
    for declared in (inputs(), inputs(password=PASSWORD, sudo="password", groups=["adm"], exclusiveKeys=True)):
        seen = facts(declared)
        assert CHAPTER.as_observed(declared, KnownState(), seen) == declared
        assert CHAPTER.differences(declared, seen) == ""


@pytest.mark.parametrize(
    ("drift", "shown"),
    [
        ({"exists": False}, {"enabled": False, "keys": ()}),
        ({"expired": "account"}, {"enabled": False}),
        ({"password": "locked"}, {"enabled": False}),
        ({"home_state": "770 deploy deploy"}, {"enabled": False}),
        ({"shell": "/bin/sh"}, {"shell": "/bin/sh"}),
        ({"home": "/srv"}, {"home": "/srv"}),
        ({"groups": ("deploy", "sudo")}, {"groups": ()}),
        ({"groups": ("adm", "deploy")}, {"sudo": "other"}),
        ({"sudo": "password"}, {"sudo": "password"}),
        ({"drop_in": FileState("", False)}, {"sudo": "other"}),
        ({"ssh": "755 deploy deploy"}, {"ssh_mode": "755"}),
        ({"ssh": "0 deploy deploy"}, {"ssh_mode": "000"}),
        ({"ssh": "700 root root"}, {"keys": ()}),
        ({"ssh": "link"}, {"keys": ()}),
        ({"keys": FileState("", True, f"{ONE}\n", "644", "deploy", "deploy")}, {"keys_mode": "644"}),
        ({"keys": FileState("", True, f"{ONE}\n", "600", "root", "root")}, {"keys": ()}),
        ({"keys": FileState("", True, f"no-pty {ONE}\n", "600", "deploy", "deploy")}, {"keys": ("no-pty " + ONE,)}),
        ({"keys": FileState("", True, f"{ONE}\n{TWO}\n", "600", "deploy", "deploy")}, {}),
    ],
)
def test_drift_shows_as_the_input_that_it_is_about(drift: dict[str, Any], shown: dict[str, Any]) -> None:
    declared = inputs(shell="/bin/bash", home="/home/deploy", groups=["adm"])
    now = CHAPTER.as_observed(declared, KnownState(), facts(declared, **drift))
    changed = {name for name in UserInputs.model_fields if getattr(now, name) != getattr(declared, name)}
    assert {name: getattr(now, name) for name in shown} == shown
    assert set(shown) <= changed | ({"keys"} if not shown else set())
    assert bool(changed) == bool(shown)
    assert bool(CHAPTER.differences(declared, facts(declared, **drift))) == bool(shown)
    UserInputs.model_validate(now.props())  # the properties in the state can be read again


def test_a_foreign_key_is_drift_where_keys_are_exclusive() -> None:
    declared = inputs(exclusiveKeys=True)
    seen = facts(declared, keys=FileState("", True, f"{TWO}\n{ONE}\n", "600", "deploy", "deploy"))
    assert keys_in_force(declared, seen) == (ONE, TWO)
    assert CHAPTER.apply(declared, KnownState(before=seen, prior=UserFacts())).values["keys_content"] == f"{ONE}\n"


def test_groups_that_were_there_before_are_not_left() -> None:
    old, new = inputs(groups=["adm", "video"]), inputs(sudo="none")
    prior = facts(old, groups=("deploy", "video"))
    script = CHAPTER.apply(new, KnownState(old, facts(old), prior, facts(old)))
    assert script.values["groups_out"] == "adm sudo"
    assert script.values["dropin_content"] == ""


class _Logins:
    """The part of a host that the guard uses."""

    def __init__(self, **logins: dict[str, Any]) -> None:
        entries = {name: {"host": "192.0.2.1", **login} for name, login in logins.items()}
        self.access = HostAccess.model_validate({"name": "web1", **entries})


def _planned(new: dict[str, Any], last: dict[str, Any] | None, prior: UserFacts | None) -> Mapping[str, str]:
    """The values of a script that changes from `last` to `new`."""
    old = inputs(**last) if last is not None else None
    now = facts(old) if old else prior or UserFacts()
    return CHAPTER.apply(inputs(**new), KnownState(old, now, prior or UserFacts(), now)).values


def test_what_is_declared_no_more_becomes_what_it_was() -> None:
    prior = facts(inputs(), home="/srv/deploy", shell="/bin/zsh")
    declared = {"home": "/home/deploy", "shell": "/bin/sh"}
    values = _planned({}, declared, prior)
    assert (values["want_home"], values["shell"], values["adopted"], values["first"]) == (
        "/srv/deploy",
        "/bin/zsh",
        "yes",
        "",
    )
    values = _planned(declared, None, prior)
    assert (values["want_home"], values["shell"], values["first"]) == ("/home/deploy", "/bin/sh", "yes")
    values = _planned({}, {}, prior)
    assert (values["want_home"], values["shell"]) == ("", "")
    assert _planned({}, None, None)["adopted"] == ""


def test_keys_go_back_where_an_adopted_account_leaves_its_home() -> None:
    assert _planned({"home": "/srv"}, {}, facts(inputs()))["leaves_home"] == "yes"
    assert _planned({"home": "/srv"}, {}, facts(inputs(), home="/old"))["leaves_home"] == ""
    assert _planned({"home": "/srv"}, {}, UserFacts())["leaves_home"] == ""
    without = {"keys": [], "password": PASSWORD, "sudo": "password"}
    assert _planned({"home": "/srv"}, without, facts(inputs()))["leaves_home"] == ""
    assert _planned({"home": "/srv"}, None, facts(inputs()))["leaves_home"] == ""


def test_a_shell_that_ends_every_login_is_lifted_unless_it_was_there_before() -> None:
    now = facts(inputs(), shell="/usr/sbin/nologin")

    def lifted(prior: UserFacts, last: UserInputs | None = None) -> tuple[str, str]:
        values = CHAPTER.apply(inputs(), KnownState(last, now, prior, now)).values
        return values["shell"], values["shell_lost"]

    assert lifted(facts(inputs())) == ("/bin/bash", "")
    assert lifted(UserFacts()) == ("", "yes")
    assert lifted(now) == ("", "")


def test_keys_that_cannot_be_read_are_looked_at_again_and_then_told() -> None:
    seen = facts(inputs(), keys_trouble="hangs")
    assert CHAPTER.apply(inputs(), KnownState(prior=seen, before=seen)).body == f"exit {STALE}"
    with pytest.raises(Failure, match="web1: user deploy: "):
        CHAPTER.apply(inputs(), KnownState(prior=seen, before=seen, reobserved=True))
    without = inputs(keys=[], password=PASSWORD, sudo="password")
    assert CHAPTER.apply(without, KnownState(prior=seen, before=seen)).body != f"exit {STALE}"


class _Entered(_Logins):
    """A host that this run has entered as an admin."""

    login = "admin"

    def __init__(self, let_in: str = "", **logins: dict[str, Any]) -> None:
        super().__init__(**logins)
        self.let_in, self.refuses, self.calls = let_in, False, list[Any]()

    def entered(self) -> Any:
        return self.access.logins()[0][1].model_copy(update={"port": 2022})

    def credentials_changed(self, user: str) -> None:
        self.calls.append(("changed", user))

    def confirm_everywhere(self, patience: float, *, login: str, port: int) -> None:
        self.calls.append((login, port, patience))
        if self.refuses:
            raise LoginRefused("no", host="web1")

    def renew(self) -> None:
        self.calls.append("renew")

    def run(self, script: Script, resource: str) -> list[Answer]:
        return [Answer(self.let_in, "", 0)]


def test_a_change_is_proved_by_the_logins_that_this_user_has_and_is_renewed() -> None:
    host: Any = _Entered(admin={"user": "deploy"}, bootstrap={"user": "deploy"})
    CHAPTER.prove_login(host, inputs(), 9)
    assert host.calls == [("changed", "deploy"), ("admin", 2022, 9), "renew"]
    host = _Entered(admin={"user": "deploy"}, bootstrap={"user": "deploy"})
    host.login = "bootstrap"
    CHAPTER.prove_login(host, inputs(), 9)
    assert host.calls == [("changed", "deploy"), ("admin", 2022, 9), ("bootstrap", 2022, 9), "renew"]
    host = _Entered(admin={"user": "else"}, bootstrap={"user": "deploy"})
    CHAPTER.prove_login(host, inputs(), 9)
    assert host.calls == [("changed", "deploy"), "renew"]


@pytest.mark.parametrize(
    ("let_in", "told"), [("allowgroups ssh\ndenyusers a\n", "allowgroups ssh; denyusers a. Is deploy"), ("", "")]
)
def test_who_is_refused_although_the_key_is_right_is_told_whom_sshd_lets_in(let_in: str, told: str) -> None:
    host: Any = _Entered(let_in, admin={"user": "deploy"})
    host.refuses = True
    with pytest.raises(LoginRefused) as error:
        CHAPTER.prove_login(host, inputs(), 9)
    assert told in error.value.hint
    assert bool(error.value.hint) == bool(told)
    assert "renew" not in host.calls


def test_a_password_of_before_is_tried_for_sudo_while_it_changes() -> None:
    provider = LimitedUserProvider()
    connection = {"admin": {"host": "192.0.2.1", "user": "deploy"}, "bootstrap": {"host": "192.0.2.1", "user": "root"}}

    def tried(**before: Any) -> list[tuple[str, list[str]]]:
        declared = inputs(connection=connection, **before)
        state = stored.read(CHAPTER, {**declared.props(), "observed": facts(declared).props(), "claim": "c"})
        way = provider.way_since(inputs(connection=connection, password="new"), state)
        assert way is not None
        words = [(n, [login.sudo_password, *(one.sudo_password for one in login.former)]) for n, login in way.logins()]
        return [(name, [word.get_secret_value() for word in found if word]) for name, found in words]

    assert tried(password=PASSWORD, sudo="password") == [("admin", [PASSWORD]), ("bootstrap", [])]
    assert tried() == [("admin", []), ("bootstrap", [])]
    assert tried(password="$6$salt$" + "a" * 86) == [("admin", []), ("bootstrap", [])]


def test_only_a_change_of_a_runs_own_login_is_guarded() -> None:
    def guarded(**logins: dict[str, Any]) -> bool:
        access = _Logins(**logins).access
        assert CHAPTER.guard(inputs(), KnownState(), access, restoring=True) is None
        found = CHAPTER.guard(inputs(confirmWithin=77), KnownState(), access)
        assert found is None or found.limit == 77
        return found is not None

    assert guarded(admin={"user": "deploy"})
    assert guarded(admin={"user": "else"}, bootstrap={"user": "deploy"})
    assert not guarded(admin={"user": "else"}, bootstrap={"user": "root"})


def test_an_owners_own_key_outlives_delete_and_the_rest_is_as_before() -> None:
    declared = inputs()
    prior = facts(declared, keys=FileState("", True, f"# mine\n{THREE}", "644", "deploy", "deploy"))
    applied = f"# mine\n{THREE}\n{ONE}\n"

    def left(now: str) -> str:
        seen = facts(declared, keys=FileState("", True, now, "600", "deploy", "deploy"))
        return CHAPTER.restore(declared, KnownState(declared, seen, prior, seen)).values["prior_keys_content"]

    assert left(applied) == f"# mine\n{THREE}"
    assert left(f"{applied}{TWO}\n") == f"# mine\n{THREE}\n{TWO}\n"


def test_answers_are_read_without_an_account() -> None:
    sections = {"account": "", "group": "deploy:x:1005:\n", "sudo_group": "wheel\n", "dropin.meta": "absent\n/x\n"}
    read = CHAPTER.parse(inputs(), Answer("", "", 0, sections))
    assert (read.exists, read.group_gid, read.sudo_group) == (False, "1005", "wheel")


@pytest.fixture(scope="module")
def own() -> tuple[str, str]:
    """A private key and its public line."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


@pytest.mark.parametrize(
    ("login", "change", "why"),
    [
        ("admin", {"sudo": "none"}, "needs sudo"),
        ("admin", {"sudo": "password", "password": PASSWORD}, "sudoPassword"),
        ("admin", {"keys": [TWO]}, "would be removed"),
        ("bootstrap", {"keys": [TWO]}, "would be removed"),
        ("bootstrap", {"keys": [TWO], "exclusiveKeys": True}, "would be removed"),
    ],
)
def test_the_runs_own_key_and_sudo_are_not_taken(own: tuple[str, str], login: str, change: Any, why: str) -> None:
    private, public = own
    old = inputs(keys=[public])
    known = KnownState(old, facts(old), UserFacts(), facts(old))
    host: Any = _Logins(**{login: {"user": "deploy", "privateKey": private}})
    with pytest.raises(Failure, match=why) as error:
        guard(host, inputs(**change), known)
    assert PASSWORD not in str(error.value)
    guard(host, inputs(keys=[TWO, public]), known)
    other: Any = _Logins(**{login: {"user": "else", "privateKey": private}})
    guard(other, inputs(**change), known)


def test_a_key_that_was_there_before_us_may_leave_the_declaration(own: tuple[str, str]) -> None:
    private, public = own
    old = inputs(keys=[public])
    host: Any = _Logins(admin={"user": "deploy", "privateKey": private})
    guard(host, inputs(keys=[TWO]), KnownState(old, facts(old), facts(old), facts(old)))


def test_a_user_is_deleted_by_another_login() -> None:
    both: Any = _Logins(admin={"user": "deploy"}, bootstrap={"user": "root"})
    assert outside(both, "ann", adopted=False) is both
    way = outside(both, "deploy", adopted=False).access
    assert [login for login, _ in way.logins()] == ["bootstrap"]
    alone: Any = _Logins(bootstrap={"user": "deploy"})
    assert outside(alone, "deploy", adopted=True) is alone
    with pytest.raises(Failure, match="bootstrap"):
        outside(alone, "deploy", adopted=False)


def test_settings_give_the_resources_properties() -> None:
    settings = UserSettings.model_validate({"name": "deploy", "keys": [ONE], "password": PASSWORD, "removeHome": True})
    props = settings.props((TWO,))
    model = UserInputs.model_validate({"host": "web1", **props})
    assert (model.keys, model.remove_home, model.sudo) == ((ONE, TWO), True, "password")
    assert PASSWORD not in repr(settings)


def test_two_names_never_share_a_drop_in_and_sudo_reads_it() -> None:
    paths = {inputs(name=name).drop_in_path for name in ("a.b", "a_b", "a-b", "ab")}
    assert len(paths) == 4
    assert not any("." in path.rsplit("/", 1)[1] or path.endswith("~") for path in paths)


@pytest.mark.parametrize("name", ["daemon", "www-data", "systemd-resolve", "sudo", "root"])
def test_accounts_of_the_system_are_refused_in_the_preview(name: str) -> None:
    assert list(failures(name=name)) == ["name"]


def sudo_told(listing: str) -> str:
    """The result of the host's sh for a listing."""
    fake = f"sudo() {{ printf '%s\\n' \"$listing\"; }}\nname=deploy\n{script('components/users/sudo/right.sh')}right"
    return one(Script("ask", fake, {"listing": listing})).stdout.strip()


@pytest.mark.parametrize(("rules", "right"), LISTINGS)
def test_the_host_reads_the_listing_as_we_do(rules: str, right: str) -> None:
    assert sudo_told(rules) == right


@pytest.mark.parametrize(("right", "left"), [("password", "sudo"), ("nopasswd", "sudo"), ("none", "")])
def test_a_group_that_allows_some_commands_is_not_left(right: str, left: str) -> None:
    """`%sudo ALL = /usr/bin/apt` gives no right to everything: another setting of the user must not end it."""
    before = UserFacts(exists=True, sudo_group="sudo", groups=("sudo",), sudo=right)
    declared = inputs(name="erin", sudo="none")
    script = CHAPTER.apply(declared, KnownState(None, None, before, before).seen(before))
    assert script.values["groups_out"] == left
