"""The lab's API for programs and tests: synchronous, one `Lab` per checkout, one `LabHost` per host.

lab = Lab()
(web1,) = lab.up(["web1"])
web1.exec("iptables -A INPUT -p tcp --dport 22 -j ACCEPT")
web1.reset()
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.lab import keys, network
from local.lab.banner import wait_for_ssh
from local.lab.control import CRASHED, Order, Reply, send
from local.lab.errors import LabError
from local.lab.lifecycle import bring_up, take_down
from local.lab.progress import Progress
from local.lab.run import run
from local.lab.store import HostRecord, Places, all_records, default_places, locked, read_record

SSH_LIMIT = 30.0
OUTSIDE_IPV4 = network.OUTSIDE_IPV4
OUTSIDE_IPV6 = network.OUTSIDE_IPV6
_CLEAN_ENV = (
    "/usr/bin/env",
    "-i",
    "--chdir=/root",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LOGNAME=root",
    "USER=root",
    "LC_ALL=C.UTF-8",
)


@dataclass(frozen=True)
class User:
    """A user who can log in to a pristine host."""

    name: str
    key_file: str
    password_file: str


@dataclass(frozen=True)
class HostStatus:
    """A host as `status --json` prints it. This is a stable contract: fields may be added, never renamed or removed.

    Attributes:
        name: host name.
        variant: kind of host.
        state: `running`, `off` or `crashed`.
        ipv4: address, without prefix length.
        ipv6: address, without prefix length.
        port: port of sshd on a pristine host.
        users: users who can log in to a pristine host.
        key_file: private key of the first user.
        host_key: type and base64 of the host's Ed25519 key.
        known_hosts: file with its host keys.
        init_pid: process id of its init in this machine's PID namespace; 0 unless running.
        netns: its network namespace, for `nsenter --net=`; empty unless running.
        boots: number of boots since `up`.
    """

    name: str
    variant: str
    state: str
    ipv4: str
    ipv6: str
    port: int
    users: tuple[User, ...]
    key_file: str
    host_key: str
    known_hosts: str
    init_pid: int
    netns: str
    boots: int


class LabHost:
    """One host of the lab. Cheap to create; it asks the host's supervisor each time."""

    def __init__(self, places: Places, record: HostRecord) -> None:
        """Use `Lab.up` or `Lab.host`."""
        self._places = places
        self.record = record
        self.name = record.name
        self.ipv4 = record.ipv4
        self.ipv6 = record.ipv6
        self.port = 22

    @property
    def key_file(self) -> Path:
        """Private key with which root logs in."""
        return keys.key_file(self._places)

    @property
    def known_hosts(self) -> Path:
        """known_hosts file with this host's keys."""
        return keys.host_known_hosts_file(self._places, self.name)

    @property
    def host_key(self) -> str:
        """Its Ed25519 host key: type and base64."""
        return keys.host_key(self.record)

    @property
    def password(self) -> str:
        """Root's password on a pristine host."""
        return keys.password_file(self._places).read_text().strip()

    def status(self) -> HostStatus:
        """Its current status."""
        reply = self._order(Order.STATUS)
        key = str(self.key_file)
        return HostStatus(
            name=self.name,
            variant=self.record.variant,
            state=reply.state,
            ipv4=self.ipv4,
            ipv6=self.ipv6,
            port=self.port,
            users=(User("root", key, str(keys.password_file(self._places))),),
            key_file=key,
            host_key=self.host_key,
            known_hosts=str(self.known_hosts),
            init_pid=reply.init_pid,
            netns=f"/proc/{reply.init_pid}/ns/net" if reply.init_pid else "",
            boots=reply.boots,
        )

    def enter_argv(self, command: Sequence[str] | str) -> list[str]:
        """The argument list that runs `command` as root on the host, without SSH; a string is run by sh.

        Raises:
            LabError: the host is not running.
        """
        reply = self._order(Order.STATUS)
        if not reply.init_pid:
            raise LabError(f"{self.name} is {reply.state}: start it with stockade lab up {self.name}")
        inside = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        enter = ["nsenter", "-t", str(reply.init_pid), "-m", "-u", "-i", "-n", "-p", "-C"]
        return [*enter, *_CLEAN_ENV, *inside]

    def exec(
        self, command: Sequence[str] | str, *, check: bool = True, input: str | None = None, limit: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root on the host, without SSH, so that it works whatever the firewall and sshd do.

        Args:
            command: argument list, or a string for sh.
            check: raise if it fails.
            input: text for its standard input.
            limit: seconds until it is killed.

        Raises:
            LabError: the host is not running, or the command failed (`check`) or took too long.
        """
        done = run(self.enter_argv(command), stdin=input, check=False, limit=limit)
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {command!r} ended with status {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def iptables_save(self, family: Literal[4, 6] = 4) -> str:
        """Output of `iptables-save` (4) or `ip6tables-save` (6) on the host."""
        return self.exec(["iptables-save" if family == 4 else "ip6tables-save"]).stdout

    def reset(self) -> None:
        """Boot it from a pristine disk."""
        self._order(Order.RESET)
        self.wait_for_ssh()

    def reboot(self, *, hard: bool = False, wait_ssh: bool = True) -> None:
        """Reboot: the disk is kept, the kernel's state is lost.

        Args:
            hard: no shutdown, as in a power failure.
            wait_ssh: wait until sshd answers on port 22 over both families; otherwise until all services have started.

        Raises:
            LabError: it did not come back in time.
        """
        self._order(Order.POWER_CYCLE if hard else Order.REBOOT)
        if wait_ssh:
            self.wait_for_ssh()

    def wait_for_ssh(self, limit: float = SSH_LIMIT) -> None:
        """Wait until sshd answers on port 22 over IPv4 and IPv6.

        Raises:
            LabError: it did not answer within `limit` seconds.
        """
        for address in (self.ipv4, self.ipv6):
            wait_for_ssh(self.name, address, self.port, limit)

    def cut(self) -> None:
        """Pull its network cable."""
        network.set_link(self.record, up=False)

    def mend(self) -> None:
        """Put its network cable back."""
        network.set_link(self.record, up=True)

    def _order(self, order: Order) -> Reply:
        reply = send(self._places.host_run(self.name), order)
        if reply == CRASHED and order is not Order.STATUS:
            raise LabError(f"{self.name} has crashed: start it with stockade lab up {self.name}")
        return reply


class Lab:
    """The lab hosts of one checkout."""

    def __init__(self, checkout: Path | None = None, progress: Progress | None = None) -> None:
        """`checkout`: the repository's root, by default that of this code. `progress`: quiet by default."""
        self.places = default_places(checkout)
        self._progress = progress or Progress(quiet=True)

    def up(self, names: Sequence[str], variant: str = "debian") -> list[LabHost]:
        """Bring up hosts in parallel; those that already run are left alone.

        Returns:
            A host for each name, in the same order; sshd answers on all of them.

        Raises:
            LabError: the machine cannot run the lab, another checkout has a name, or a host did not boot.
        """
        bring_up(self.places, names, variant, self._progress)
        hosts = [self.host(name) for name in names]
        for host in hosts:
            host.wait_for_ssh()
        return hosts

    def host(self, name: str) -> LabHost:
        """A host that was brought up.

        Raises:
            LabError: this checkout has no host of that name.
        """
        record = read_record(self.places.host_run(name))
        if record is None or record.checkout != str(self.places.checkout):
            raise LabError(f"there is no lab host {name}: start it with stockade lab up {name}")
        return LabHost(self.places, record)

    def hosts(self) -> list[LabHost]:
        """This checkout's hosts, by address."""
        mine = str(self.places.checkout)
        return [LabHost(self.places, record) for record in all_records(self.places) if record.checkout == mine]

    def outside(
        self, argv: Sequence[str], *, check: bool = True, input: str | None = None, limit: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in the observer's network namespace (`OUTSIDE_IPV4`, `OUTSIDE_IPV6`).

        Raises:
            LabError: no host is up, or the program failed (`check`) or took longer than `limit` seconds.
        """
        if not network.network_is_up():
            raise LabError("there is no outside while no host is up: start one with stockade lab up")
        return run(["ip", "netns", "exec", network.OUTSIDE, *argv], stdin=input, check=check, limit=limit)

    def down(self, names: Sequence[str] | None = None) -> list[str]:
        """Take down hosts, by default all of this checkout, with their disks; the cache stays.

        Returns:
            Names of the hosts that were taken down.
        """
        return take_down(self.places, names, self._progress)

    def purge(self) -> None:
        """Remove the cache.

        Raises:
            LabError: hosts of this or another checkout are still running.
        """
        records = all_records(self.places)
        if records:
            raise LabError(f"the cache is in use by {', '.join(f'{r.name} of {r.checkout}' for r in records)}")
        with locked(self.places.cache):  # wait for a running build
            shutil.rmtree(self.places.cache)
