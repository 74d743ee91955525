"""The key pair and password for logins to lab hosts, each host's SSH host keys, known_hosts and ssh_config."""

import secrets
import uuid
from collections.abc import Callable
from pathlib import Path

from local.lab.errors import LabError
from local.lab.run import run
from local.lab.store import HostRecord, Places, locked, write_atomically

# The password is passed on stdin, never in an argument list.
_HASH = "my $p = <STDIN>; chomp $p; print crypt($p, q($6$) . $ARGV[0] . q($));"


def key_file(places: Places) -> Path:
    """Private key with which root logs in."""
    return places.state / "id_ed25519"


def password_file(places: Places) -> Path:
    """File with root's password, one line."""
    return places.state / "root_password"


def known_hosts_file(places: Places) -> Path:
    """known_hosts with this checkout's hosts, for `ssh -F`: rewritten whenever a host comes or goes."""
    return places.state / "known_hosts"


def host_known_hosts_file(places: Places, name: str) -> Path:
    """known_hosts with the keys of one host alone, unaffected by other hosts."""
    return places.host_run(name) / "known_hosts"


def ssh_config_file(places: Places) -> Path:
    """The configuration for `ssh -F`."""
    return places.state / "ssh_config"


def make_lab_keys(places: Places) -> None:
    """Create the key pair and root's password of this checkout if they are missing."""
    places.state.mkdir(mode=0o700, exist_ok=True)
    with locked(places.state):
        _make_lab_keys(places)


def _make_lab_keys(places: Places) -> None:
    key = key_file(places)
    if not key.with_suffix(".pub").exists():
        key.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stockade-lab", "-f", str(key)])
    hashed = places.state / "root_password.hash"
    if not hashed.exists():
        password = secrets.token_urlsafe(18)
        write_atomically(password_file(places), password + "\n", 0o600)
        text = run(["perl", "-e", _HASH, secrets.token_hex(8)], stdin=password + "\n").stdout
        write_atomically(hashed, text + "\n", 0o600)


def make_host_keys(places: Places, name: str) -> None:
    """Create a host's SSH host keys and machine id unless they are in the cache: they survive `down` and `up`."""
    folder = places.host_cache(name)
    ssh = folder / "etc/ssh"
    if not (folder / "machine-id").exists():
        ssh.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-A", "-f", str(folder)])
        for public in ssh.glob("*.pub"):
            kind, key, *_ = public.read_text().split()
            public.write_text(f"{kind} {key} root@{name}\n")
        write_atomically(folder / "machine-id", uuid.uuid4().hex + "\n")


def host_key(record: HostRecord, kind: str = "ed25519") -> str:
    """A host's public key: type and base64, no comment.

    Raises:
        LabError: it is no longer in the cache.
    """
    path = record.cache / "etc/ssh" / f"ssh_host_{kind}_key.pub"
    if not path.exists():
        raise LabError(f"{path} is gone: take {record.name} down and up again to make new keys")
    return " ".join(path.read_text().split()[:2])


def write_ssh_files(places: Places, records: Callable[[], list[HostRecord]]) -> None:
    """Write known_hosts and ssh_config for this checkout's hosts, one process at a time. `records` is called under the
    lock, so that a host that came up meanwhile is not lost."""
    if not places.state.is_dir():
        return
    with locked(places.state):
        _write_ssh_files(places, records())


def write_host_known_hosts(places: Places, record: HostRecord) -> None:
    """Write the known_hosts file of a host that is about to boot."""
    write_atomically(host_known_hosts_file(places, record.name), _known_hosts(record))


def _write_ssh_files(places: Places, records: list[HostRecord]) -> None:
    known = [_known_hosts(record) for record in records if record.cache.is_dir()]
    write_atomically(known_hosts_file(places), "".join(known))
    write_atomically(ssh_config_file(places), "".join(_ssh_config(places, record) for record in records))


def _known_hosts(record: HostRecord) -> str:
    names = f"{record.name},{record.ipv4},{record.ipv6}"
    return "".join(f"{names} {host_key(record, kind)}\n" for kind in ("ed25519", "ecdsa", "rsa"))


def _ssh_config(places: Places, record: HostRecord) -> str:
    common = f"""\
    User root
    HostKeyAlias {record.name}
    IdentityFile "{key_file(places)}"
    IdentitiesOnly yes
    UserKnownHostsFile "{known_hosts_file(places)}"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    CheckHostIP no
"""
    return (
        f"Host {record.name}\n    HostName {record.ipv4}\n{common}"
        f"Host {record.name}.ipv6\n    HostName {record.ipv6}\n{common}"
    )
