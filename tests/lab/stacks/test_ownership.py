"""Ownership of a host that is renamed, replaced, moved, reinstalled or declared by two stacks. After each successful
run, what is declared is in force, and a host that is no longer declared is restored."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import listen, probe_ports
from tests.lab.stack import Stack

CLOSED = 3306
needs_cli = pytest.mark.skipif(not shutil.which("pulumi"), reason="the Pulumi CLI is not on PATH")
ENGINES = [pytest.param("embedded"), pytest.param("pulumi", marks=needs_cli)]


@pytest.fixture(scope="module")
def machines(bring_up: Callable[[str], LabHost]) -> list[LabHost]:
    return [bring_up("owner1"), bring_up("owner2")]


@pytest.fixture
def host(machines: list[LabHost]) -> Iterator[LabHost]:
    yield machines[0]
    prepare(machines[0])


@pytest.fixture
def other(machines: list[LabHost]) -> Iterator[LabHost]:
    yield machines[1]
    prepare(machines[1])


@pytest.fixture(autouse=True, scope="module")
def _prepared(machines: list[LabHost]) -> None:
    for machine in machines:
        prepare(machine)


def prepare(machine: LabHost) -> None:
    """A new installation that already has the packages: their installation is not tested here."""
    machine.reset()
    machine.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy iptables-persistent </dev/null")
    listen(machine, CLOSED)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return tmp_path / "key"


@dataclass
class Fleet:
    """Stacks of the test, all with the same engine."""

    engine: str
    key: Path
    new_stack: Callable[..., Stack]
    lab: Lab

    def stack(self, **hosts: dict[str, Any]) -> Stack:
        stack = self.new_stack()
        stack.environment = {"STOCKADE_ENGINE": self.engine, "STOCKADE_POLICIES": "off"}
        self.declare(stack, **hosts)
        return stack

    def entry(self, machine: LabHost, **more: Any) -> dict[str, Any]:
        admin = {"user": "deploy", "privateKeyFile": str(self.key)}
        return entry(machine, admin=admin, **more)

    def declare(
        self,
        stack: Stack,
        sshd: dict[str, Any] | None = None,
        firewall: dict[str, Any] | None = None,
        more: Sequence[dict[str, Any]] = (),
        **hosts: dict[str, Any],
    ) -> None:
        user = {"name": "deploy", "sudo": "nopasswd", "keyFiles": [f"{self.key}.pub"]}
        stack.configure(
            hosts=hosts, users=[user, *more], sshd=sshd or {}, firewall={"preset": "ssh", **(firewall or {})}
        )

    def hardened(self, machine: LabHost) -> bool:
        """Whether a port is closed, root cannot log in, and the admin can."""
        closed = probe_ports(self.lab, machine, [CLOSED, 22])
        assert {answers[22] for answers in closed.values()} == {"open"}
        root_out = "permitrootlogin no" in machine.exec("sshd -T").stdout.lower()
        admin_in = self.admin_logs_in(machine)
        seen = {*(answers[CLOSED] != "open" for answers in closed.values()), root_out, admin_in}
        assert len(seen) == 1, (closed, root_out, admin_in)
        return seen.pop()

    def admin_logs_in(self, machine: LabHost) -> bool:
        """Whether the limited user logs in and becomes root."""
        login = ["ssh", "-i", str(self.key), "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={machine.known_hosts}"]
        deploy = subprocess.run([*login, f"deploy@{machine.ipv4}", "sudo -n id -u"], capture_output=True, check=False)
        return deploy.stdout.strip() == b"0"


@pytest.fixture(params=ENGINES)
def fleet(request: pytest.FixtureRequest, lab: Lab, key: Path, new_stack: Callable[..., Stack]) -> Fleet:
    return Fleet(request.param, key, new_stack, lab)


def nothing_left(machine: LabHost) -> bool:
    """Whether nothing of ours is left on the host."""
    left = machine.exec("ls -A /var/lib/stockade /etc/sudoers.d 2>/dev/null", check=False).stdout
    return not {"prior", "owner", "zz-stockade-deploy"} & set(left.split())


def installed_anew(machine: LabHost) -> None:
    """Reinstall the machine, with the same host key."""
    prepare(machine)
    machine.exec("tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id")


def cli(stack: Stack, *args: str) -> str:
    """Run a command of the CLI that `stockade` does not have."""
    argv = ["pulumi", *args, "--non-interactive"]
    environment = stack.full_environment
    done = subprocess.run(argv, cwd=stack.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_renamed_host_stays_hardened(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(alpha=fleet.entry(host))
    stack.up()
    fleet.declare(stack, beta=fleet.entry(host))
    stack.up()
    assert fleet.hardened(host)
    stack.unchanged()
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_a_rename_whose_runs_fail_opens_nothing(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(alpha=fleet.entry(host))
    stack.up()
    refused = {"persistent": False, "ipv4": {"commands": ["-A INPUT -m set --match-set nosuch src -j DROP"]}}
    fleet.declare(stack, firewall=refused, beta=fleet.entry(host))
    for _ in range(2):
        assert stack.up(check=False).status != 0
        assert fleet.hardened(host)
    fleet.declare(stack, more=[{"name": "ops", "sudo": "password"}], beta=fleet.entry(host))  # ops has no password
    for _ in range(2):
        assert stack.up(check=False).status != 0
        assert fleet.hardened(host)
    fleet.declare(stack, beta=fleet.entry(host))
    stack.up()
    assert fleet.hardened(host)
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)


def test_a_rename_that_failed_and_is_taken_back_in_the_config(fleet: Fleet, host: LabHost) -> None:
    """What the run under the new name had changed is as declared again, although the state shows no change."""
    failing = {"name": "ops", "sudo": "password"}  # ops has no password
    says = {"settings": {"VersionAddendum": "one"}}
    stack = fleet.stack()
    fleet.declare(stack, says, alpha=fleet.entry(host))
    stack.up()
    for settings in (says, {"settings": {"VersionAddendum": "three"}}):
        fleet.declare(stack, {"settings": {"VersionAddendum": "two"}}, more=[failing], beta=fleet.entry(host))
        assert stack.up(check=False).status != 0
        fleet.declare(stack, settings, alpha=fleet.entry(host))
        stack.up()
        assert f"versionaddendum {settings['settings']['VersionAddendum']}\n" in host.exec("sshd -T").stdout.lower()
        assert fleet.hardened(host)
        stack.unchanged()
        stack.refresh()
        stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_what_went_back_by_itself_undoes_nothing_of_others(fleet: Fleet, host: LabHost) -> None:
    """The login's account is guarded: if it cannot be created, nothing of it is left to undo."""
    stack = fleet.stack(web=fleet.entry(host))
    host.exec("mount --bind -o ro /etc/sudoers.d /etc/sudoers.d")
    try:
        failed = stack.up(check=False)
    finally:
        host.exec("umount /etc/sudoers.d")
    assert failed.status != 0
    assert "could not be rolled back" not in failed
    host.exec("useradd -m deploy")
    stack.refresh()
    stack.destroy()
    assert host.exec("id -u deploy").stdout


def test_a_restored_state_gives_back_what_the_host_recorded_since(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    backup = stack.run("export").output
    stack.destroy()
    host.exec("iptables -A INPUT -p tcp --dport 4444 -j ACCEPT")
    stack.up()
    (stack.folder / "backup.json").write_text(backup[backup.index("{") :])
    stack.run("import", "--file", "backup.json")
    stack.destroy()
    assert not fleet.hardened(host)
    assert "--dport 4444" in host.iptables_save()


def test_a_damaged_record_is_told_or_counts_as_none(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    host.exec('for file in /var/lib/stockade/owner/*; do printf \'{"claim": "ab\' >$file; done')
    fleet.declare(stack, sshd={"settings": {"MaxAuthTries": 3}}, web=fleet.entry(host))
    stack.up()
    assert "maxauthtries 3" in host.exec("sshd -T").stdout.lower()
    host.exec("for file in /var/lib/stockade/prior/*; do echo nonsense >$file; done")
    fleet.declare(stack, beta=fleet.entry(host))
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "is damaged" in refused
    assert "Traceback" not in refused
    assert fleet.hardened(host)
    fleet.declare(stack, web=fleet.entry(host))
    stack.destroy()
    assert not fleet.hardened(host)


@needs_cli
def test_replaced_tainted_and_renamed_by_the_cli_it_stays_hardened(
    lab: Lab, key: Path, new_stack: Callable[..., Stack], host: LabHost
) -> None:
    fleet = Fleet("pulumi", key, new_stack, lab)
    stack = fleet.stack(alpha=fleet.entry(host))
    stack.up()
    urns = [item["urn"] for item in stack.managed()]
    replaced = stack.run("up", "--yes", "--skip-preview", "--replace=**")  # the provider, too: one more process
    assert "replaced" in replaced
    assert fleet.hardened(host)
    for urn in urns:
        cli(stack, "state", "taint", urn, "--yes", "--stack", stack.name)
    stack.up()
    assert fleet.hardened(host)
    stack.unchanged()
    cli(stack, "stack", "rename", "later", "--stack", stack.name)
    stack.name = "later"
    stack.refresh()
    stack.run("up", "--yes", "--skip-preview", *(f"--replace={urn.replace(':test::', ':later::')}" for urn in urns))
    assert fleet.hardened(host)
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_another_machine_under_the_name_is_hardened_as_a_whole_and_the_first_one_left_alone(
    fleet: Fleet, host: LabHost, other: LabHost
) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    other.exec("iptables -A INPUT -p tcp --dport 4444 -j ACCEPT")  # its own prior state
    fleet.declare(stack, web=fleet.entry(other))
    assert "replace" in stack.preview()
    stack.up()
    assert fleet.hardened(other)
    assert fleet.hardened(host)
    stack.unchanged()
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(other)
    assert "--dport 4444" in other.iptables_save()
    assert nothing_left(other)
    assert fleet.hardened(host)


MACHINES = """
from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider

class MachineProvider(ResourceProvider):
    def diff(self, id, olds, news):
        changed = olds["planned"] != news["planned"]
        return DiffResult(changes=changed, replaces=["planned"] if changed else [], delete_before_replace=True)

    def create(self, props):
        return CreateResult(props["planned"]["address"], {**props, **props["planned"]})
"""
PROGRAM = """
import json
from pathlib import Path
import pulumi
from pulumi.dynamic import Resource
from components.host import HardenedHost
from components.registry import Hardening
from machines import MachineProvider

class Machine(Resource):
    address: pulumi.Output[str]
    hostKey: pulumi.Output[str]

planned = json.loads(Path("machine.json").read_text())
machine = Machine(MachineProvider(), "machine", {"planned": planned, "address": None, "hostKey": None})
way = {"host": machine.address, "hostKey": machine.hostKey}
admin = {**way, "user": "deploy", "privateKeyFile": planned["admin"]}
ways = {"admin": admin, "bootstrap": {**way, "privateKeyFile": planned["root"]}}
HardenedHost("made", ways, Hardening.model_validate(planned["wanted"]))
"""


def test_a_machine_that_the_program_replaces_is_hardened_as_a_whole(
    fleet: Fleet, host: LabHost, other: LabHost
) -> None:
    """As docs/hosts.md recommends: address and key of the new machine are known only once it exists."""

    def declare(machine: LabHost) -> None:
        keys = {"admin": str(fleet.key), "root": str(machine.key_file)}
        user = {"name": "deploy", "sudo": "nopasswd", "keyFiles": [f"{fleet.key}.pub"]}
        wanted = {"users": [user], "sshd": {}, "firewall": {"preset": "ssh"}}
        planned = {"address": machine.ipv4, "hostKey": machine.host_key, **keys, "wanted": wanted}
        (stack.folder / "machine.json").write_text(json.dumps(planned))

    stack = fleet.new_stack(program=PROGRAM)
    (stack.folder / "machines.py").write_text(MACHINES)
    stack.environment = {"STOCKADE_ENGINE": fleet.engine, "STOCKADE_POLICIES": "off"}
    declare(host)
    stack.up()
    assert fleet.hardened(host)
    other.exec("iptables -A INPUT -p tcp --dport 4444 -j ACCEPT")
    declare(other)
    stack.preview()
    stack.up()
    assert fleet.hardened(other)
    stack.unchanged()
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(other)
    assert "--dport 4444" in other.iptables_save()
    assert nothing_left(other)


def test_machines_that_swap_their_names_stay_hardened_and_are_undone_even_before_a_run_saw_it(
    fleet: Fleet, host: LabHost, other: LabHost
) -> None:
    stack = fleet.stack(alpha=fleet.entry(host), beta=fleet.entry(other))
    stack.up()
    fleet.declare(stack, alpha=fleet.entry(other), beta=fleet.entry(host))
    stack.up()
    assert fleet.hardened(host)
    assert fleet.hardened(other)
    stack.unchanged()
    fleet.declare(stack, alpha=fleet.entry(host), beta=fleet.entry(other))
    stack.refresh()
    stack.destroy()
    for machine in (host, other):
        assert not fleet.hardened(machine)
        assert nothing_left(machine)


def test_a_host_that_was_taken_out_of_the_config_is_still_refreshed_and_undone(
    fleet: Fleet, host: LabHost, other: LabHost
) -> None:
    stack = fleet.stack(alpha=fleet.entry(host), beta=fleet.entry(other))
    stack.up()
    fleet.declare(stack, alpha=fleet.entry(host))
    stack.refresh()
    stack.destroy()
    for machine in (host, other):
        assert not fleet.hardened(machine)
        assert nothing_left(machine)


def test_another_address_of_the_same_machine_touches_nothing(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    before = host.exec("stat -c '%n %Y %i' /etc/iptables/* /etc/ssh/* /var/lib/stockade/*/*").stdout
    fleet.declare(stack, web=fleet.entry(host) | {"address": host.ipv6})
    stack.unchanged()
    stack.up()
    assert host.exec("stat -c '%n %Y %i' /etc/iptables/* /etc/ssh/* /var/lib/stockade/*/*").stdout == before
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)


def test_a_machine_installed_anew_under_the_same_key_is_seen_by_the_next_look(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    installed_anew(host)
    host.exec("iptables -A INPUT -p tcp --dport 4444 -j ACCEPT")
    fleet.declare(stack, sshd={"settings": {"MaxAuthTries": 3}}, web=fleet.entry(host))
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "was reinstalled" in refused
    stack.refresh()
    assert "create" in stack.preview()
    stack.up()
    assert fleet.hardened(host)
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)
    assert "--dport 4444" in host.iptables_save()


def test_a_host_that_lost_our_record_is_changed_and_undone_all_the_same(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    host.exec("rm -r /var/lib/stockade/prior /var/lib/stockade/owner")
    stack.refresh()
    stack.unchanged()
    fleet.declare(stack, sshd={"settings": {"MaxAuthTries": 3}}, web=fleet.entry(host))
    stack.up()
    assert fleet.hardened(host)
    assert "maxauthtries 3" in host.exec("sshd -T").stdout.lower()
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_a_record_that_somebody_removed_is_written_back_with_what_was_there_before(fleet: Fleet, host: LabHost) -> None:
    host.exec("iptables -A INPUT -p tcp --dport 4444 -j ACCEPT")
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    host.exec("rm -r /var/lib/stockade")
    assert "web: Stockade's record on the host (/var/lib/stockade) was removed" in stack.refresh()
    stack.up()
    assert fleet.hardened(host)
    stack.unchanged()
    host.exec("rm -r /var/lib/stockade")
    fleet.declare(stack, firewall={"services": [{"ports": [8080]}]}, web=fleet.entry(host))
    stack.up()
    stack.refresh()
    fleet.declare(stack, beta=fleet.entry(host))  # its prior state is that in the record
    stack.up()
    assert fleet.hardened(host)
    host.exec("rm -r /var/lib/stockade")
    stack.destroy()
    assert not fleet.hardened(host)
    assert "--dport 4444" in host.iptables_save()
    assert nothing_left(host)


def test_a_host_renamed_after_a_run_that_was_killed_is_still_read(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(alpha=fleet.entry(host))
    with stack.running() as run:
        host.exec("until [ -e /var/lib/stockade/owner/user-deploy ]; do sleep 0.1; done")
        run.kill()
    if fleet.engine == "pulumi":
        cli(stack, "cancel", "--yes", "--stack", stack.name)
    fleet.declare(stack, beta=fleet.entry(host))
    stack.refresh()
    stack.up()
    assert fleet.hardened(host)
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_a_copy_of_a_machine_is_a_machine_of_its_own(fleet: Fleet, host: LabHost, other: LabHost) -> None:
    host.exec("iptables -A INPUT -p tcp --dport 4444 -j ACCEPT")
    stack = fleet.stack(alpha=fleet.entry(host))
    stack.up()
    # its disk is cloned; the clone gets a new identity and host keys when it starts
    record = host.exec("tar -C /var/lib -cf - stockade | base64").stdout
    other.exec("base64 -d | tar -C /var/lib -xf -", input=record)
    other.exec("tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id")
    fleet.declare(stack, alpha=fleet.entry(host), beta=fleet.entry(other))
    stack.up()
    assert fleet.hardened(host)
    assert fleet.hardened(other)
    stack.unchanged()
    stack.refresh()
    stack.unchanged()
    fleet.declare(stack, alpha=fleet.entry(host))
    stack.up()
    assert fleet.hardened(host)
    assert not fleet.hardened(other)
    stack.destroy()
    for machine in (host, other):
        assert not fleet.hardened(machine)
        assert nothing_left(machine)
        assert "--dport 4444" in machine.iptables_save()  # the copy's record has it, too


def test_a_second_stack_is_refused_by_name_and_a_restored_one_still_undoes(
    fleet: Fleet, host: LabHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    backup = stack.run("export").output
    second = Stack(tmp_path_factory.mktemp("second") / "project", name="second", environment=stack.environment)
    fleet.declare(second, www=fleet.entry(host))
    refused = second.up(check=False)
    assert refused.status != 0
    assert "the stack test of the project stockade manages it" in refused
    second.destroy()
    assert fleet.hardened(host)

    fleet.declare(stack, alpha=fleet.entry(host))
    stack.up()
    fleet.declare(stack, web=fleet.entry(host))
    stack.up()  # with another claim than that in the backup
    (stack.folder / "backup.json").write_text(backup[backup.index("{") :])
    stack.run("import", "--file", "backup.json")
    stack.unchanged()
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_the_last_login_stays_while_sshd_is_configured_by_what_no_state_has(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    stack.verb("state", "delete", stack.urn("web", "Sshd"), "--yes")
    refused = stack.destroy(check=False)
    assert refused.status != 0
    assert (
        "web: user deploy: not removed, because nobody could log in any more: a user is removed by another" in refused
    )
    assert "Stockade's settings of sshd are still in force there, as those of web (stack test): " in refused
    assert fleet.admin_logs_in(host)
    stack.up()
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_another_checkout_takes_over_aloud_and_the_first_one_changes_nothing_any_more(
    fleet: Fleet, host: LabHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack = fleet.stack(web=fleet.entry(host))
    stack.up()
    second = Stack(tmp_path_factory.mktemp("second") / "project", environment=stack.environment)
    fleet.declare(second, web=fleet.entry(host))
    taken = second.up()  # as if the state were lost
    told = "web: taken over: by its record, another state of this stack managed it since"
    assert 1 <= taken.output.count(told) <= 3  # once per host, not per resource
    second.unchanged()
    second.refresh()
    second.unchanged()

    told = "web: no longer managed from here: another state of this stack, such as another checkout's, manages"
    assert 1 <= stack.refresh().output.count(told) <= 6  # the CLI's refresh reads twice
    fleet.declare(stack, sshd={"settings": {"MaxAuthTries": 3}}, web=fleet.entry(host))
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "nothing was changed: another state of this stack" in refused
    assert "maxauthtries 3" not in host.exec("sshd -T").stdout.lower()

    fleet.declare(stack, web=fleet.entry(host) | {"existing": "takeOver"})
    stack.up()
    stack.unchanged()
    left = second.destroy()
    assert "nothing was undone: another state of this stack" in left
    assert fleet.hardened(host)
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)


def test_a_machine_that_is_in_the_config_twice_is_refused(fleet: Fleet, host: LabHost) -> None:
    stack = fleet.stack(alpha=fleet.entry(host), beta=fleet.entry(host) | {"address": host.ipv6})
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "alpha" in refused
    assert "beta" in refused
    stack.destroy(check=False)
    assert not fleet.hardened(host)
