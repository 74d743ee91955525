"""Kernel settings: names and values, drift, and the scripts in their own network namespace."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.core.chapter import KnownState
from components.stack_config import ConfigError, parse
from components.sysctl.chapter import HEAD, LATER, REFUSED, SysctlChapter
from components.sysctl.names import holds, name_of, path_of, settings_in
from components.sysctl.resource import remarks
from components.sysctl.settings import DEFAULTS, DROP_IN, SysctlFacts, SysctlInputs, SysctlSettings
from hosts.guard.guarded import unguarded
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FileState
from tests.shell_room import Stage

CHAPTER = SysctlChapter()
DOCUMENT = Path(__file__).parents[4] / "docs/chapters.md"
ALL = "net/ipv4/conf/all/"
LO = "net/ipv4/conf/lo/"
ACCESS = HostAccess.model_validate({"name": "web1", "bootstrap": {"host": "192.0.2.1"}})


def inputs(**values: Any) -> SysctlInputs:
    return SysctlInputs.model_validate({"host": "web1", **SysctlSettings(values=values).props()})


def lines(*settings: str) -> SysctlInputs:
    return SysctlInputs(host="web1", settings="\n".join(settings))


class TestSettings:
    """What a stack config may declare."""

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("net.ipv4.tcp_syncookies", "net/ipv4/tcp_syncookies"),
            ("net/ipv4/conf/eth0.9/rp_filter", "net/ipv4/conf/eth0.9/rp_filter"),
            ("net.ipv4.conf.eth0/9.rp_filter", "net/ipv4/conf/eth0.9/rp_filter"),
        ],
    )
    def test_names_are_those_of_sysctl(self, name: str, path: str) -> None:
        assert path_of(name) == path
        assert path_of(name_of(path)) == path

    @pytest.mark.parametrize(
        ("values", "place", "words"),
        [
            ({"syncookies": 1}, "sysctl.values.syncookies", "not the name of a sysctl(8) setting"),
            ({"net/./etc": 1}, "sysctl.values.net/./etc", "not the name of a sysctl(8) setting"),
            (
                {"net.ipv4.conf.*.rp_filter": 1},
                "sysctl.values.net.ipv4.conf.*.rp_filter",
                "not the name of a sysctl(8) setting",
            ),
            ({"net.ipv4.a b": 1}, "sysctl.values.net.ipv4.a b", "not the name of a sysctl(8) setting"),
            ({"net.ipv4.tcp_rmem": "1\n2"}, "sysctl.values.net.ipv4.tcp_rmem", "one line"),
            (
                {"net.ipv6.conf.all.disable_ipv6": 1},
                "sysctl.values.net.ipv6.conf.all.disable_ipv6",
                "removes addresses or",
            ),
            (
                {"net.ipv6.conf.eth0.accept_ra": "0"},
                "sysctl.values.net.ipv6.conf.eth0.accept_ra",
                "removes addresses or",
            ),
            ({"net.ipv4.tcp_rmem": " "}, "sysctl.values.net.ipv4.tcp_rmem", "one line"),
            ({"net.ipv4.tcp_syncookies": True}, "sysctl.values.net.ipv4.tcp_syncookies", "1 or 0"),
            ({"net.ipv4.a_b": 1, "net/ipv4/a_b": 2}, "sysctl.values.net/ipv4/a_b", "the same setting as net.ipv4.a_b"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_place(self, values: Mapping[str, Any], place: str, words: str) -> None:
        with pytest.raises(ConfigError) as caught:
            parse({"sysctl": {"values": values}}, "test")
        assert f"stockade:{place}: " in str(caught.value)
        assert words in str(caught.value)

    def test_values_go_beside_the_defaults_or_in_their_place(self) -> None:
        more = {"net/ipv4/tcp_syncookies": 2, "net.ipv4.conf.all.send_redirects": None, "net.ipv4.tcp_rmem": "1\t 2 3"}
        text = SysctlSettings(values=more).text()
        assert "net.ipv4.tcp_syncookies = 2\n" in text
        assert "net.ipv4.tcp_rmem = 1 2 3\n" in text
        assert "send_redirects" not in text
        assert len(text.splitlines()) == len(DEFAULTS)

    def test_what_makes_a_router_is_set_first(self) -> None:
        assert SysctlSettings(values={"net.ipv4.ip_forward": 1}).text().startswith("net.ipv4.ip_forward = 1\n")

    def test_a_line_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="name = value"):
            lines("net.ipv4.tcp_syncookies")

    def test_each_default_is_documented_with_its_reason(self) -> None:
        text = DOCUMENT.read_text("utf-8")
        for name, (value, reason) in DEFAULTS.items():
            assert f"| `{name}` | {value} | {reason} |\n" in text


@pytest.mark.parametrize(
    ("setting", "wanted", "value", "of_all", "right"),
    [
        ("ipv4/conf/eth0/rp_filter", "1", "0", "1", True),
        ("ipv4/conf/eth0/rp_filter", "1", "2", "1", False),
        ("ipv4/conf/eth0/rp_filter", "2", "1", "2", True),
        ("ipv4/conf/eth0/accept_redirects", "0", "1", "0", False),
        ("ipv4/conf/eth0/secure_redirects", "1", "0", "1", True),
        ("ipv4/conf/eth0/accept_source_route", "0", "1", "0", True),
        ("ipv4/conf/eth0/accept_source_route", "0", "1", "1", False),
        ("ipv4/conf/default/rp_filter", "1", "0", "1", False),
        ("ipv6/conf/eth0/accept_redirects", "0", "1", "0", False),
    ],
)
def test_interfaces_do_what_the_kernel_makes_of_both_values(
    setting: str, wanted: str, value: str, of_all: str, right: bool
) -> None:
    assert holds(f"net/{setting}", wanted, value, of_all) is right


def test_what_a_host_lacks_is_told() -> None:
    facts = SysctlFacts(missing=("net/ipv6/conf/all/accept_redirects",), fixed=("net/ipv4/tcp_syncookies",))
    missing, fixed = remarks(facts.props())
    assert "no such settings" in missing
    assert "net.ipv6.conf.all.accept_redirects" in missing
    assert fixed.endswith("container?): net.ipv4.tcp_syncookies")
    assert remarks({"values": {}}) == []


class TestDrift:
    """Drift that a refresh finds on a host."""

    wanted = lines("net.ipv4.conf.all.rp_filter = 1", "net.ipv4.tcp_syncookies = 1")
    values: Mapping[str, str] = {f"{ALL}rp_filter": "1", "net/ipv4/conf/default/rp_filter": "1", f"{LO}rp_filter": "0"}
    file = (
        f"{HEAD}net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.default.rp_filter = 1\nnet.ipv4.tcp_syncookies = 1\n"
        "net.ipv4.conf.veth3.rp_filter = 1\n# before: net/ipv4/tcp_syncookies = 0\n"
    )

    def facts(self, file: str = file, **changes: Any) -> SysctlFacts:
        values = {**self.values, "net/ipv4/tcp_syncookies": "1", **changes.pop("values", {})}
        return SysctlFacts(values=values, dropin=FileState(DROP_IN, True, file, "644", "root", "root"), **changes)

    def drift(self, facts: SysctlFacts) -> dict[str, Any]:
        shown = CHAPTER.as_observed(self.wanted, KnownState(), facts)
        assert bool(CHAPTER.differences(self.wanted, facts)) is (shown != self.wanted)
        return {"settings": settings_in(shown.settings).items() - self.wanted.wanted.items(), "kept": shown.persistent}

    def test_interfaces_that_come_and_go_are_none(self) -> None:
        veth = {"net/ipv4/conf/veth9/rp_filter": "1", "net/ipv4/conf/cali1/rp_filter": "0"}
        assert self.drift(self.facts(values=veth)) == {"settings": set(), "kept": True}

    def test_what_is_otherwise_is_shown_by_its_name(self) -> None:
        other = {f"{LO}rp_filter": "2", "net/ipv4/tcp_syncookies": "0"}
        assert self.drift(self.facts(values=other)) == {"settings": set(other.items()), "kept": True}

    def test_what_nobody_may_change_here_is_none(self) -> None:
        facts = self.facts(values={"net/ipv4/tcp_syncookies": "0"}, fixed=("net/ipv4/tcp_syncookies",))
        assert self.drift(facts) == {"settings": set(), "kept": True}

    @pytest.mark.parametrize(
        "file",
        [
            "",
            file.replace("syncookies = 1", "syncookies = 0"),
            file.replace("net.ipv4.tcp_syncookies = 1\n", ""),
            file.replace("veth3.rp_filter = 1", "veth3.rp_filter = 2"),
            f"{file}net.ipv4.ip_forward = 1\n",
        ],
    )
    def test_another_file_is(self, file: str) -> None:
        assert self.drift(self.facts(file)) == {"settings": set(), "kept": False}

    def test_a_later_file_is(self) -> None:
        facts = self.facts(later=("/etc/sysctl.conf:3: net/ipv4/tcp_syncookies = 0",))
        assert self.drift(facts) == {"settings": set(), "kept": False}
        assert CHAPTER.differences(self.wanted, facts) == "/etc/sysctl.conf:3: net/ipv4/tcp_syncookies = 0"


def observed(stage: Stage, wanted: SysctlInputs) -> SysctlFacts:
    answer = stage.one(CHAPTER.observe(wanted))
    assert (answer.status, answer.stderr) == (0, "")
    return CHAPTER.parse(wanted, answer)


def changed(
    stage: Stage, wanted: SysctlInputs, prior: SysctlFacts | None = None, *, restoring: bool = False, keep: bool = True
) -> Answer:
    """Run a change as under the guard: save, change, and commit or roll back, if it arms at all."""
    known = KnownState(None, None, prior, prior)
    script = CHAPTER.restore(wanted, known) if restoring else CHAPTER.apply(wanted, known)
    guard = CHAPTER.guard(wanted, known, ACCESS, restoring=restoring)
    save = f"guard=/run/guard\nmkdir -p $guard\n({guard.save})\nsection armed echo yes\n"
    body = unguarded(script).body.replace("arm() { :; }", f"arm() {{\n{save}}}", 1)
    answer = stage.one(Script(script.step, body, script.values))
    if "armed" in answer.sections:
        then = guard.commit if keep else guard.back
        ended = stage.one(Script("end", then, {**guard.values, "guard": "/run/guard", "occasion": "now"}))
        assert (ended.status, ended.stderr) == (0, "")
    return answer


def kernel(stage: Stage, path: str) -> str:
    return stage.execute("cat", f"/proc/sys/{path}").stdout.strip()


def write(stage: Stage, path: str, value: str) -> None:
    stage.execute("sh", "-c", f"echo {value} >/proc/sys/{path}")


class TestScripts:
    """With the kernel settings of a network namespace."""

    def test_from_the_first_run_to_the_last(self, stage: Stage) -> None:
        write(stage, f"{LO}rp_filter", "2")
        wanted = inputs()
        prior = observed(stage, wanted)
        assert CHAPTER.differences(wanted, prior)
        assert "armed" in changed(stage, wanted).sections
        seen = observed(stage, wanted)
        assert CHAPTER.differences(wanted, seen) == ""
        assert CHAPTER.as_observed(wanted, KnownState(), seen) == wanted
        assert (kernel(stage, f"{LO}rp_filter"), kernel(stage, f"{ALL}accept_redirects")) == ("1", "0")
        again = changed(stage, wanted, prior)
        assert (again.status, again.sections) == (0, {})
        changed(stage, wanted, prior, restoring=True)
        assert CHAPTER.same_settings(observed(stage, wanted), prior)
        assert kernel(stage, f"{LO}rp_filter") == "2"
        again = changed(stage, wanted, prior, restoring=True)
        assert (again.status, again.sections) == (0, {})

    def test_what_nobody_confirms_goes_back(self, stage: Stage) -> None:
        wanted = inputs()
        prior = observed(stage, wanted)
        changed(stage, wanted, keep=False)
        assert observed(stage, wanted) == prior

    def test_a_value_that_the_kernel_refuses_keeps_no_other_from_being_set(self, stage: Stage) -> None:
        """Some can be set but never unset. A setting beside them that cuts the way in must still be rolled back."""
        write(stage, f"{LO}rp_filter", "0")
        body = script("components/sysctl/kernel.sh") + 'put_settings "$given"\n'
        given = f"net/ipv4/icmp_ratelimit no number\n{LO}rp_filter 1"
        answer = stage.one(Script("set them", body, {"given": given, "settings": "", "spread": ""}))
        assert (answer.status, kernel(stage, f"{LO}rp_filter")) == (REFUSED, "1")
        assert "the kernel does not accept net.ipv4.icmp_ratelimit = no number" in answer.stderr

    def test_a_setting_may_be_empty_before(self, stage: Stage) -> None:
        path = "net/ipv4/ip_local_reserved_ports"
        wanted = inputs(**{name_of(path): "8080"})
        prior = observed(stage, wanted)
        assert (prior.values[path], prior.missing) == ('""', ())
        changed(stage, wanted)
        assert kernel(stage, path) == "8080"
        assert CHAPTER.differences(wanted, observed(stage, wanted)) == ""
        changed(stage, wanted, prior, restoring=True)
        assert kernel(stage, path) == ""
        assert CHAPTER.same_settings(observed(stage, wanted), prior)

    def test_a_boot_has_nothing_to_take_back(self, stage: Stage) -> None:
        back = CHAPTER.guard(inputs(), KnownState(), ACCESS).back
        assert stage.one(Script("boot", back, {"guard": "/nowhere", "occasion": "boot"})).status == 0

    def test_what_somebody_else_has_set_since_stays(self, stage: Stage) -> None:
        wanted = inputs()
        prior = observed(stage, wanted)
        changed(stage, wanted)
        write(stage, f"{ALL}rp_filter", "2")
        answer = changed(stage, wanted, prior, restoring=True)
        assert answer.sections["left.1"].strip().endswith("since: net.ipv4.conf.all.rp_filter = 2")
        assert kernel(stage, f"{ALL}rp_filter") == "2"
        assert kernel(stage, f"{ALL}accept_redirects") == prior.values[f"{ALL}accept_redirects"]
        assert not stage.path(DROP_IN).exists()

    def test_a_file_that_was_there_comes_back(self, stage: Stage) -> None:
        stage.write(DROP_IN, "# mine\nnet.ipv4.tcp_syncookies=1", 0o600)
        wanted = inputs()
        prior = observed(stage, wanted)
        assert DROP_IN in CHAPTER.already_configured(wanted, prior)
        changed(stage, wanted)
        assert stage.read(DROP_IN).startswith(HEAD)
        changed(stage, wanted, prior, restoring=True)
        assert stage.read(DROP_IN) == "# mine\nnet.ipv4.tcp_syncookies=1"

    def test_what_is_no_longer_declared_becomes_what_it_was(self, stage: Stage) -> None:
        more = inputs(**{"net.ipv4.conf.all.arp_announce": 2, "net.ipv4.tcp_sack": 0, "net.ipv4.conf.lo.arp_ignore": 1})
        prior = observed(stage, inputs())
        changed(stage, inputs())
        changed(stage, more, prior)
        assert CHAPTER.differences(more, observed(stage, more)) == ""
        assert kernel(stage, f"{LO}arp_announce") == "2"
        changed(stage, more, prior)
        write(stage, "net/ipv4/tcp_sack", "1")  # a foreign change
        changed(stage, inputs(), prior)
        assert [kernel(stage, f"{LO}{name}") for name in ("arp_announce", "arp_ignore")] == ["0", "0"]
        assert kernel(stage, f"{ALL}arp_announce") == "0"
        assert CHAPTER.differences(inputs(), observed(stage, inputs())) == ""

    def test_what_makes_a_router_and_sets_others_anew_comes_first(self, stage: Stage) -> None:
        wanted = inputs(**{"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.accept_redirects": 1})
        changed(stage, wanted)
        assert CHAPTER.differences(wanted, observed(stage, wanted)) == ""

    def test_ports_of_a_bridge_are_left_alone(self, stage: Stage) -> None:
        stage.folder("/sys/class/net/lo/brport")
        write(stage, f"{LO}rp_filter", "2")
        changed(stage, inputs())
        assert (kernel(stage, f"{LO}rp_filter"), kernel(stage, f"{ALL}rp_filter")) == ("2", "1")
        assert "conf.lo." not in stage.read(DROP_IN)
        assert CHAPTER.differences(inputs(), observed(stage, inputs())) == ""

    def test_what_the_kernel_has_not_is_left_out(self, stage: Stage) -> None:
        wanted = inputs(**{"net.ipv4.no_such_thing": 1, "net.ipv4.conf.wg0.rp_filter": 2})
        changed(stage, wanted)
        seen = observed(stage, wanted)
        assert seen.missing == ("net/ipv4/conf/wg0/rp_filter", "net/ipv4/no_such_thing")
        assert CHAPTER.differences(wanted, seen) == ""
        assert "no_such_thing" not in stage.read(DROP_IN)

    def test_what_the_kernel_refuses_ends_the_change(self, stage: Stage) -> None:
        answer = changed(stage, inputs(**{"net.ipv4.tcp_syncookies": "many"}), keep=False)
        assert (answer.status, answer.stderr) == (
            REFUSED,
            "the kernel does not accept net.ipv4.tcp_syncookies = many\n",
        )

    def test_files_that_are_read_later_and_say_otherwise_are_named(self, stage: Stage) -> None:
        stage.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
        stage.write("/etc/default/ufw", 'IPT_SYSCTL="/etc/ufw/own.conf"\n')
        wanted = inputs()
        before = observed(stage, wanted)
        for file, text, line in (
            ("/etc/sysctl.conf", "# a\nnet.ipv4.tcp_syncookies=0\n", 2),
            ("/etc/sysctl.d/zzz.conf", "net/ipv4/tcp_syncookies = 2", 1),
            ("/usr/lib/sysctl.d/zzz.conf", "\n\n  -net.ipv4.tcp_syncookies = 0", 3),
            ("/etc/sysctl.conf", "net.ipv4.conf.lo.rp_filter = 2", 1),
            ("/etc/sysctl.conf", "net.ipv4.conf.default.accept_redirects=1", 1),
            ("/etc/ufw/own.conf", "net/ipv4/tcp_syncookies=0\n", 1),
        ):
            place = stage.write(file, text)
            answer = changed(stage, wanted)
            assert answer.status == LATER
            assert answer.stderr.startswith(f"{file}:{line}: net/ipv4/")
            assert len(answer.stderr.splitlines()) == 1
            seen = observed(stage, wanted)
            assert (seen.values, seen.dropin, len(seen.later)) == (before.values, before.dropin, 1)
            place.unlink()

    def test_files_that_say_the_same_or_come_before_are_none(self, stage: Stage) -> None:
        stage.write(
            "/etc/sysctl.conf", "net.ipv4.tcp_syncookies = 1\nnet.ipv4.ip_forward=1\n;net.ipv4.tcp_syncookies=0\n"
        )
        stage.write("/etc/sysctl.d/99-sysctl.conf", "net.ipv4.tcp_syncookies = 0\n")
        stage.write("/usr/lib/sysctl.d/zzz.conf", "net.ipv4.tcp_syncookies = 0\n")
        stage.path("/etc/sysctl.d/zzz.conf").symlink_to("/dev/null")
        stage.write("/etc/ufw/ufw.conf", "ENABLED=no\n")
        stage.write("/etc/ufw/sysctl.conf", "net/ipv4/tcp_syncookies=0\n")
        assert changed(stage, inputs()).status == 0

    def test_a_pattern_of_the_distributions_is_answered_by_the_same(self, stage: Stage) -> None:
        """systemd-sysctl applies patterns to interfaces that appear later."""
        stage.write(
            "/usr/lib/sysctl.d/50-default.conf", "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n"
        )
        changed(stage, inputs())
        assert "net.ipv4.conf.*.rp_filter = 1\n" in stage.read(DROP_IN)
        assert CHAPTER.differences(inputs(), observed(stage, inputs())) == ""
