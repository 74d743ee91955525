"""Which host is meant, and how to reach it: `[NAME=][USER@]HOST[:PORT]`, through ssh_config(5) as ssh reads it."""

import getpass
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from adopt.ansible import jump_of_command
from components.config.names import host_name
from components.failure import Failure
from hosts.ssh.connection import Connection

_WORDS = re.compile(
    r"((?P<name>[^=@\s]+)=)?((?P<user>[^@=\s]+)@)?(?P<host>\[[^\]\s]+\]|[^\s\[\]]+?)(:(?P<port>\d{1,5}))?"
)
_JUMPS = 5


@dataclass(frozen=True)
class Target:
    """A host to read. `name`: its name in the stack config; "" if its own is to be used. `login`: how to reach it."""

    words: str
    name: str
    login: Connection


def read_target(words: str, config: Path | None = None) -> Target:
    """Parse a target. `config`: an ssh_config file instead of the user's own. Raises Failure if it is none."""
    found = _WORDS.fullmatch(words)
    if found is None or (found["host"].count(":") == 1):
        raise Failure(f"{words!r} is not a host: expected [NAME=][USER@]HOST[:PORT], as root@203.0.113.7")
    host, port = found["host"].strip("[]"), found["port"]
    if not found["host"].startswith("[") and _is_address(f"{host}:{port}"):  # all of it is an IPv6 address
        host, port = f"{host}:{port}", None
    if ":" in host and not _is_address(host):
        raise Failure(f"{words!r} is not a host: {host!r} is not an address; write [2001:db8::7]:22")
    try:
        name = host_name(found["name"]) if found["name"] else ("" if _is_address(host) else host_name(host))
        login = _login(host, found["user"], int(port) if port else None, config)
    except ValueError as error:
        raise Failure(f"{words!r} is not a host: {error}") from None
    return Target(words, name, login)


def with_login(target: Target, *, private_key_file: str | Sequence[str] | None) -> Target:
    """Return the target with other key files to log in with; None leaves them. Raises ValueError."""
    if not private_key_file:
        return target
    named = [private_key_file] if isinstance(private_key_file, str) else [*private_key_file]
    files = [in_any_folder(file) for file in named]
    given = files[0] if len(files) == 1 else files
    values = {**target.login.model_dump(exclude_defaults=True), "private_key_file": given}
    return replace(target, login=Connection.model_validate(values))


def with_jump(target: Target, jump: str) -> Target:
    """Return the target behind a jump host, `[USER@]HOST[:PORT]`; of several, the last. Raises ValueError."""
    proxy = _jump(jump.rpartition(",")[2], None, _JUMPS)
    return replace(target, login=target.login.model_copy(update={"proxy": proxy}))


def in_any_folder(file: str) -> str:
    """Return a path that means the same in any folder; below ~ if it is there, as people share it."""
    path = Path(file).expanduser().absolute()
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _login(host: str, user: str | None, port: int | None, config: Path | None, jumps: int = _JUMPS) -> Connection:
    options = _ssh_config(host, user, port, config)
    if jumps == 0:
        raise ValueError("its ssh_config has too many jump hosts")
    values: dict[str, object] = {
        "host": options.get("hostname", [host])[0],
        "port": int(options.get("port", [22 if port is None else port])[0]),
        "user": options.get("user", [user or getpass.getuser()])[0],
    }
    files = [
        file for file in options.get("identityfile", []) if not _is_default(file) and Path(file).expanduser().is_file()
    ]
    if files:
        values["privateKeyFile"] = files if len(files) > 1 else files[0]
    alias = options.get("hostkeyalias", [""])[0]
    if alias not in ("", "none"):
        values["hostKeyAlias"] = alias
    jump = options.get("proxyjump", ["none"])[0]
    if jump != "none":
        before = jump.rpartition(",")[2]
        values["proxy"] = _jump(before, config, jumps - 1).model_dump(exclude_defaults=True, by_alias=True)
    command = options.get("proxycommand", ["none"])[0]
    if command != "none":
        jump = jump_of_command(command)
        values["proxy"] = _jump(jump, config, jumps - 1).model_dump(exclude_defaults=True, by_alias=True)
    return Connection.model_validate(values)


def _jump(words: str, config: Path | None, jumps: int) -> Connection:
    found = _WORDS.fullmatch(words.removeprefix("ssh://"))
    if found is None:
        raise ValueError(f"its jump host {words!r} is not [USER@]HOST[:PORT]")
    port = int(found["port"]) if found["port"] else None
    return _login(found["host"].strip("[]"), found["user"], port, config, jumps)


def _ssh_config(host: str, user: str | None, port: int | None, config: Path | None) -> dict[str, list[str]]:
    """Return what ssh would use, by `ssh -G`; nothing if there is no ssh here."""
    ssh = shutil.which("ssh")
    if ssh is None:
        return {}
    own = [
        *(["-F", str(config)] if config else []),
        *(["-l", user] if user else []),
        *(["-p", str(port)] if port is not None else []),
    ]
    done = subprocess.run(
        [ssh, "-G", *own, "--", host], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise ValueError(done.stderr.strip() or "ssh -G refuses it")
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def _is_default(file: str) -> bool:
    path = Path(file).expanduser()
    return path.parent == Path.home() / ".ssh" and path.name in {f"id_{kind}" for kind in _KINDS}


_KINDS = ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
