"""hosts/ on a real Debian: sshd, sudo, apt, systemd, reboots and unplugged cables."""

import re
import shlex
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosts.errors import ConnectionLost, HostError, HostKeyUnknown, LoginRefused, SudoRefused, TimedOut, Unreachable
from hosts.host import Host
from hosts.pool import Pool
from hosts.scripts import script
from hosts.shell import Script
from hosts.ssh import dialing
from hosts.ssh.connection import Connection, HostAccess
from hosts.system.files import file_state
from hosts.system.services import ServiceState, service_states
from local.lab.api import LabHost
from tests.lab.ssh.accounts import add_users

WHO = Script("who am I", "id -un")
PASSWORD = "pass word's"
_DISTRO = script("hosts/system/distro.sh")
_PACKAGES = script("hosts/packages/manager.sh")

FILES, SERVICES = script("hosts/system/files.sh"), script("hosts/system/services.sh")


@pytest.fixture(scope="module")
def lab_host(bring_up: Callable[[str], LabHost]) -> LabHost:
    """A host with two users besides root: `deploy` with NOPASSWD sudo, and `clerk`, whose sudo asks."""
    host = bring_up("ssh1")
    add_users(host)
    host.exec(["chpasswd"], input=f"clerk:{PASSWORD}\n")
    return host


@pytest.fixture
def pool() -> Iterator[Pool]:
    fresh = Pool()
    yield fresh
    fresh.close()


Login = Callable[..., Connection]


@pytest.fixture
def login(lab_host: LabHost) -> Login:
    def make(user: str = "root", **more: object) -> Connection:
        given = {"host": lab_host.ipv4, "user": user, "privateKeyFile": str(lab_host.key_file)}
        return Connection.model_validate({**given, "hostKey": lab_host.host_key, **more})

    return make


@pytest.fixture
def root(pool: Pool, login: Login) -> Host:
    return pool.host(HostAccess(name="ssh1", admin=login()))


def as_admin(pool: Pool, connection: Connection, **more: object) -> Host:
    return pool.host(
        HostAccess.model_validate({"name": "ssh1", "admin": dict(connection), "connectTimeout": 20, **more})
    )


def test_root_in_one_connection_from_64_threads(root: Host) -> None:
    def work(number: int) -> str:
        return root.run(Script("count", "section n echo $n", {"n": str(number)}))[0].sections["n"]

    with ThreadPoolExecutor(64) as threads:
        assert list(threads.map(work, range(128))) == [f"{number}\n" for number in range(128)]
    assert root.handshakes == 1


@pytest.mark.parametrize("max_sessions", [1, 3])
def test_fewer_sessions_than_usual(pool: Pool, login: Login, lab_host: LabHost, max_sessions: int) -> None:
    lab_host.exec(f"echo MaxSessions {max_sessions} >/etc/ssh/sshd_config.d/few.conf; systemctl reload ssh")
    try:
        host = as_admin(pool, login())
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda _: host.run(WHO)[0].stdout, range(32)))
        assert answers == ["root\n"] * 32
        assert host.handshakes == 1
    finally:
        lab_host.exec("rm /etc/ssh/sshd_config.d/few.conf; systemctl reload ssh")


def test_forty_hosts_behind_one_sshd_do_not_trip_max_startups(pool: Pool, login: Login) -> None:
    hosts = [as_admin(pool, login(), name=f"host {number}") for number in range(40)]
    with ThreadPoolExecutor(40) as threads:
        assert list(threads.map(lambda host: host.run(WHO)[0].stdout, hosts)) == ["root\n"] * 40


def test_ipv6_and_known_hosts_files(pool: Pool, login: Login, lab_host: LabHost) -> None:
    over_ipv6 = login(host=lab_host.ipv6, hostKey=None, knownHostsFile=str(lab_host.known_hosts))
    assert as_admin(pool, over_ipv6).run(WHO)[0].stdout == "root\n"
    with pytest.raises(HostKeyUnknown, match=lab_host.host_key.split()[0]):
        as_admin(pool, login(hostKey=None, knownHostsFile="/dev/null")).run(WHO)


def test_a_jump_host(pool: Pool, login: Login) -> None:
    host = as_admin(pool, login(host="127.0.0.1", proxy=dict(login("deploy"))))
    assert host.run(WHO)[0].stdout == "root\n"
    assert host.confirm() == "root"


def test_passwords(pool: Pool, login: Login, lab_host: LabHost) -> None:
    host = as_admin(pool, login("clerk", privateKeyFile=None, password=PASSWORD, sudoPassword=PASSWORD))
    assert host.run(WHO)[0].stdout == "root\n"
    with pytest.raises(LoginRefused, match="with password"):
        as_admin(pool, login("clerk", privateKeyFile=None, password="another")).run(WHO)


def test_sudo_that_does_not_ask(pool: Pool, login: Login) -> None:
    for password in (None, "nobody asks for this"):
        host = as_admin(pool, login("deploy", sudoPassword=password))
        [answer] = host.run(WHO)
        assert (answer.stdout, answer.stderr) == ("root\n", "")
        assert host.run(Script("who", WHO.body, as_root=False))[0].stdout == "deploy\n"
        assert host.confirm() == "deploy"


def test_sudo_that_asks(pool: Pool, login: Login) -> None:
    host = as_admin(pool, login("clerk", sudoPassword=PASSWORD))
    for _ in range(2):
        [answer] = host.run(WHO)
        assert (answer.stdout, answer.stderr) == ("root\n", "")


def test_a_wrong_sudo_password_is_one_failure_only(pool: Pool, login: Login, lab_host: LabHost) -> None:
    with pytest.raises(SudoRefused, match="did not accept the sudoPassword of clerk") as caught:
        as_admin(pool, login("clerk", sudoPassword="wrong word")).run(WHO)
    assert "wrong word" not in str(caught.value)
    told = lab_host.exec("journalctl -b -o cat _COMM=sudo | grep -c 'authentication failure' || :").stdout
    assert int(told) <= 1


@pytest.mark.parametrize(
    ("user", "words"),
    [("clerk", "sudo asks clerk for a password"), ("guest", "sudo asks guest|may not use sudo")],
)
def test_sudo_refused(pool: Pool, login: Login, user: str, words: str) -> None:
    with pytest.raises(SudoRefused, match=words):
        as_admin(pool, login(user)).run(WHO)


def test_requiretty(pool: Pool, login: Login, lab_host: LabHost) -> None:
    lab_host.exec("echo 'Defaults:deploy requiretty' >/etc/sudoers.d/tty")
    try:
        with pytest.raises(SudoRefused, match="requiretty"):
            as_admin(pool, login("deploy")).run(WHO)
    finally:
        lab_host.exec("rm /etc/sudoers.d/tty")


def test_from_bootstrap_to_admin(pool: Pool, login: Login, lab_host: LabHost) -> None:
    access = HostAccess(name="ssh1", admin=login("newcomer"), bootstrap=login())
    host = pool.host(access)
    host.run(
        Script("make the user", "useradd -m newcomer; cp -r /root/.ssh ~newcomer/; chown -R newcomer: ~newcomer/.ssh")
    )
    assert (host.login, host.user) == ("bootstrap", "root")
    with pytest.raises(SudoRefused):
        host.confirm()
    host.run(Script("let it", "echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/newcomer"))
    assert host.confirm(timeout=5) == "newcomer"
    host.close()
    assert host.run(WHO)[0].stdout == "root\n"
    assert (host.login, host.user) == ("admin", "newcomer")


def test_an_expired_account_falls_back_and_is_told(pool: Pool, login: Login, lab_host: LabHost) -> None:
    lab_host.exec("chage -E 0 deploy")
    try:
        host = pool.host(HostAccess(name="ssh1", admin=login("deploy"), bootstrap=login()))
        assert host.connect() == "bootstrap"
        with pytest.raises(LoginRefused, match="Your account has expired"):
            as_admin(pool, login("deploy")).run(WHO)
    finally:
        lab_host.exec("chage -E -1 deploy")


def test_users_are_waited_for_while_the_host_boots(pool: Pool, login: Login, lab_host: LabHost) -> None:
    lab_host.exec("echo 'System is booting up. See pam_nologin(8)' >/run/nologin")
    host = pool.host(HostAccess(name="ssh1", admin=login("deploy"), bootstrap=login()))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(host.connect)
        refused = "journalctl -b -o cat -u ssh | grep -q 'Access denied for user deploy by PAM'"
        lab_host.exec(f"for try in $(seq 100); do {refused} && break; sleep 0.1; done; rm /run/nologin")
        assert waiting.result(20) == "admin"


@pytest.mark.parametrize("user", ["root", "deploy", "clerk"])
def test_an_overdue_step_ends_on_the_host(pool: Pool, login: Login, lab_host: LabHost, user: str) -> None:
    sudo = {"sudoPassword": PASSWORD} if user == "clerk" else {}
    host = as_admin(pool, login(user, **sudo))
    with pytest.raises(TimedOut, match=r"wait for ever: not finished within its time limit .* it was stopped"):
        host.run(Script("wait for ever", "sleep 4321; echo on >/tmp/went-on", timeout=1))
    assert lab_host.exec("pgrep -f '^sleep 4321' || :").stdout == ""
    assert lab_host.exec("test ! -e /tmp/went-on").returncode == 0
    assert host.run(WHO)[0].stdout == "root\n"
    assert host.handshakes == 1


def test_facts_and_distribution(root: Host) -> None:
    facts = root.facts()
    assert (facts.uid, facts.user, facts.init) == (0, "root", "systemd")
    assert "ID=debian" in facts.os_release
    which = Script("which distribution", f'{_DISTRO}known_distro; echo "$distro $distro_version|$family"')
    [answer] = root.run(which)
    assert re.fullmatch(r"debian (\d+|)\|debian\n", answer.stdout)


def test_files_are_given_back_with_owner_and_mode(root: Host, lab_host: LabHost) -> None:
    lab_host.exec("printf 'a\\000b\\377' >/etc/odd; chown daemon:4321 /etc/odd; chmod 4751 /etc/odd")
    before = lab_host.exec("stat -c '%a %u %g' /etc/odd; sha256sum /etc/odd").stdout
    show = Script("show", FILES + "show_file odd /etc/odd")
    write = Script("write", FILES + 'write_file /etc/odd 640 root root "$text"', {"text": "ours\n"})
    prior, _, after = root.run(show, write, show)
    assert file_state(after.sections, "odd").content == "ours\n"
    state = file_state(prior.sections, "odd")
    assert (state.owner, state.group, state.mode) == ("daemon", "4321", "4751")
    root.run(Script("restore", FILES + 'restore_file odd "$path"', {"path": state.path, **state.values("odd")}))
    assert lab_host.exec("stat -c '%a %u %g' /etc/odd; sha256sum /etc/odd").stdout == before


def test_packages_come_and_go_with_what_they_brought(root: Host, lab_host: LabHost) -> None:
    installed = "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'"
    name = {"name": "iptables-persistent"}
    lab_host.exec("apt-get -q -y purge iptables-persistent netfilter-persistent </dev/null")
    before = lab_host.exec(installed).stdout
    versions = Script("list packages", _PACKAGES + "pkg_versions $name no-such-package", name)
    install = Script("install packages", _PACKAGES + "pkg_install $name", name, timeout=300)
    plan = Script("plan", _PACKAGES + 'pkg_plan "$name" "" ""; echo $pkg_new', name)
    absent, would, _, present, again = root.run(versions, plan, install, versions, install)
    assert absent.stdout == ""
    assert would.stdout == "iptables-persistent netfilter-persistent\n"
    assert present.stdout.split()[0] == "iptables-persistent"
    assert again.stderr == ""
    root.run(Script("remove packages", _PACKAGES + "pkg_purge $name no-such-package", name, timeout=300))
    assert lab_host.exec(installed).stdout == before


def test_lists_that_do_not_know_a_package_are_refreshed(root: Host, lab_host: LabHost) -> None:
    lab_host.exec("rm -rf /var/lib/apt/lists/*")
    root.run(Script("install packages", _PACKAGES + "pkg_install iptables-persistent", timeout=300))
    install = Script("install packages", _PACKAGES + "pkg_install no-such-package", timeout=300)
    with pytest.raises(HostError, match=r"ssh1: packages: install packages: exit status 1: E: ") as caught:
        root.run(install, resource="packages")
    assert "Unable to locate package" in str(caught.value)


def test_services(root: Host) -> None:
    [answer] = root.run(Script("look", SERVICES + "svc_state ssh no-such.service"))
    states = service_states(answer.stdout)
    assert states["ssh"] == ServiceState("ssh", "enabled", "active")
    assert states["no-such.service"] == ServiceState("no-such.service", "absent", "inactive")
    unit = "systemd-timesyncd-wait-test.service"
    text = "[Service]\\nExecStart=sleep 999\\n[Install]\\nWantedBy=multi-user.target\\n"
    make = f"printf '{text}' >/etc/systemd/system/{unit}"
    look = f"svc_state {unit}"
    steps = ["svc_enable", "svc_disable"]
    bodies = [f"{SERVICES}\n{step} {unit}; {look}" for step in steps]
    root.run(Script("make", f"{make}; systemctl daemon-reload"))
    on, off = (service_states(one.stdout)[unit] for one in root.run(*(Script("s", body) for body in bodies)))
    assert (on, off) == (ServiceState(unit, "enabled", "active"), ServiceState(unit, "disabled", "inactive"))
    restore = f"{SERVICES}\nsvc_restore {unit} {on.enabled} {on.active}; {look}"
    assert service_states(root.run(Script("restore", restore))[0].stdout)[unit] == on


def test_states_asked_for_at_once_are_what_systemctl_calls_them(root: Host, lab_host: LabHost) -> None:
    """One call for all units; but for a SysV script or an alias of a unit, the output of `show` differs."""
    script = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: elder\n# Default-Start: 2 3 4 5\n### END INIT INFO\n"
    lab_host.exec("cat >/etc/init.d/elder; chmod 755 /etc/init.d/elder; systemctl daemon-reload", input=script)
    lab_host.exec("cp /etc/init.d/elder /etc/init.d/unread; systemctl mask systemd-pstore.service")
    units = ["systemd-tmpfiles-clean.timer", "elder.service", "dbus.service", "no-such.service", "sshd.service"]
    units += ["ssh", "unread.service", "systemd-pstore.service", "not a unit"]
    names = " ".join(map(shlex.quote, units))
    ask = 'for unit in "$@"; do echo "$(systemctl is-enabled "$unit" 2>/dev/null) $(systemctl is-active "$unit")"; done'
    at_once, singly = root.run(
        Script("look", f"{SERVICES}\nsvc_state {names}"), Script("ask", f"set -- {names}\n{ask}")
    )
    words = [line.strip().rpartition(" ") for line in singly.stdout.splitlines()]
    assert at_once.stdout.splitlines() == [
        f"{unit} {enabled.strip() or 'absent'} {active}"
        for unit, (enabled, _, active) in zip(units, words, strict=True)
    ]


def test_a_reboot_is_waited_for(pool: Pool, login: Login, lab_host: LabHost) -> None:
    host = as_admin(pool, login("deploy"), connectTimeout=60)
    boot = Script("boot id", "cat /proc/sys/kernel/random/boot_id; cat /proc/1/stat | cut -d' ' -f22")
    before = host.run(boot)[0].stdout
    lab_host.reboot(hard=True, wait_ssh=False)
    after = _patiently(lambda: host.run(boot)[0].stdout)
    assert after != before
    assert host.login == "admin"


def _patiently(work: Callable[[], str]) -> str:
    """Retry once: a connection that broke while a run was sent may be reported; then the host is waited for."""
    try:
        return work()
    except ConnectionLost:
        return work()


def test_a_pulled_cable(pool: Pool, login: Login, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "KEEPALIVE_INTERVAL", 0.5)
    host = as_admin(pool, login(perDialTimeout=1), connectTimeout=2)
    host.run(WHO)
    caught: list[HostError] = []

    def wait() -> None:
        try:
            host.run(Script("wait", "echo $$ >/run/waiting; sleep 30"), resource="users")
        except HostError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    lab_host.exec("until [ -s /run/waiting ]; do sleep 0.1; done", limit=20)
    lab_host.cut()
    try:
        thread.join(20)
        assert [type(error) for error in caught] == [ConnectionLost]
        for _ in range(2):
            with pytest.raises(Unreachable, match="ssh1: users: who am I: cannot connect to root@"):
                host.run(WHO, resource="users")
    finally:
        lab_host.mend()
    assert as_admin(pool, login()).run(WHO)[0].stdout == "root\n"
