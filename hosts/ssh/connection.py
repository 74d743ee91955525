"""How to log in to a host: the names of pulumi-command's ConnectionArgs plus ours, and the admin/bootstrap pair.

The models are frozen and hashable, because the pool keys its connections by them. Their secrets are `SecretStr` and
appear in no repr, str or validation error.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel

SECRET_FIELDS = ("password", "privateKey", "privateKeyPassword", "sudoPassword")
"""Names (as in the stack config) of the secret fields."""

LISTED_FIELDS = (*SECRET_FIELDS, "privateKeyFile")
"""Fields that may be lists during rotation: the new value first, then the former one."""

CREDENTIALS = (
    "password",
    "private_key",
    "private_key_password",
    "private_key_file",
    "agent_socket_path",
    "sudo_password",
)
"""The fields of `Connection` that authenticate the login."""

DEFAULT_PORT = 22

UNLIMITED = (0, -1)
"""Values of dialErrorLimit that mean no limit."""

_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)[A-Za-z0-9@.-]+ AAAA[A-Za-z0-9+/]+={0,3}( .*)?")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----\n.+\n-----END ([A-Z0-9]+ )*PRIVATE KEY-----\n", re.S
)


def _whole_numbers(value: object) -> object:
    """Pulumi sends every number as a float: 22.0 is 22."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Integer = Annotated[int, BeforeValidator(_whole_numbers)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
        defer_build=True,
    )


class Connection(_Model):
    """One way to log in. File paths may start with `~`. Relative ones are resolved at run time against the working
    directory of the process, so that a stack works from any checkout."""

    host: str
    """Name or address, IPv4 or IPv6 (without brackets)."""
    port: _Integer = Field(default=22, ge=1, le=65535)
    user: str = Field(default="root", pattern=r"^[^\s:/@]+$")
    password: SecretStr | None = None
    """For password and keyboard-interactive authentication."""
    private_key: SecretStr | None = None
    """The text of a private key (OpenSSH or PEM)."""
    private_key_password: SecretStr | None = None
    """Passphrase of `private_key` or `private_key_file`."""
    private_key_file: str | None = None
    agent_socket_path: str | None = None
    """An agent to use besides the key. Without any key or password, SSH_AUTH_SOCK's agent is used anyway."""
    host_key: str | None = None
    """The host's public key, an OpenSSH line without the host name. If set, no other key is accepted."""
    known_hosts_file: str | None = None
    """Used without `host_key`. Default: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts."""
    host_key_alias: str | None = None
    """Looked up in known_hosts instead of the host, as ssh_config(5)'s HostKeyAlias."""
    known_as: tuple[tuple[str, int], ...] = Field(default=(), exclude=True, repr=False)
    """Hosts and ports to look up in known_hosts, in this order, if they are more than `names`. Derived, never
    stored."""
    sudo_password: SecretStr | None = None
    """For a login other than root whose sudo asks for a password."""
    former: tuple["Connection", ...] = ()
    """The same login with the former credentials during rotation: tried if this one is refused, and never accepted as a
    proof."""
    proxy: "Connection | None" = None
    """A jump host; it may have a proxy itself."""
    dial_error_limit: _Integer = Field(default=0, ge=-1)
    """Maximum number of failed attempts; 0 or -1: only `HostAccess.connect_timeout` limits them."""
    per_dial_timeout: float = Field(default=15, gt=0)
    """Seconds for one attempt to open the TCP connection."""
    old_algorithms: bool = False
    """Whether to allow SHA-1 and breakable keys, for a host that supports nothing better."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: object) -> object:
        """Split lists of credentials: the new one stays, the others go to `former`."""
        if not isinstance(values, Mapping):
            return values
        names = {name: value for name, value in values.items() if to_camel(str(name)) in LISTED_FIELDS}
        lists = {name: tuple(value) for name, value in names.items() if isinstance(value, list | tuple)}
        if not lists:
            return values
        if not all(lists.values()):
            raise ValueError("an empty list of credentials")
        single = {name: value for name, value in values.items() if name not in lists and name != "former"}
        ways = [
            {**single, **{name: items[min(number, len(items) - 1)] for name, items in lists.items()}}
            for number in range(max(map(len, lists.values())))
        ]
        return {**ways[0], "former": (*ways[1:], *(values.get("former") or ()))}

    @field_validator("host")
    @classmethod
    def _one_word(cls, value: str) -> str:
        if not value or re.search(r"[\s/@\[\]]", value):
            raise ValueError("a host name or an address, without spaces, brackets, user or port")
        return value

    @field_validator("password", "sudo_password")
    @classmethod
    def _one_line(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and re.search(r"[\n\r\0]", value.get_secret_value()):
            raise ValueError("a password is one line")
        return value

    @field_validator("host_key")
    @classmethod
    def _openssh_line(cls, value: str | None) -> str | None:
        if value is None:
            return None
        line = value.strip()
        if _PUBLIC_KEY.fullmatch(line):
            return line
        words = line.split()
        if len(words) > 2 and _PUBLIC_KEY.fullmatch(" ".join(words[1:])):
            raise ValueError("starts with a host name, as in known_hosts: leave it out ('ssh-ed25519 AAAA…')")
        raise ValueError("an OpenSSH public key in one line is expected: 'ssh-ed25519 AAAA…' (ssh-keyscan prints it)")

    @model_validator(mode="after")
    def _key_not_to_be_broken(self) -> Self:
        if self.host_key is not None and not self.old_algorithms and self.host_key.startswith(("ssh-rsa ", "ssh-dss ")):
            from hosts.ssh.algorithms import pin_fault  # importing the SSH client takes 0.2 s

            if fault := pin_fault(self.host_key):
                raise ValueError(f"hostKey: {fault}")
        return self

    @field_validator("private_key")
    @classmethod
    def _private_key_text(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().replace("\r\n", "\n").strip() + "\n"
        if _PRIVATE_KEY.fullmatch(text):
            return SecretStr(text)
        if _PUBLIC_KEY.fullmatch(text.strip()):
            raise ValueError("this is a public key; the private one starts with '-----BEGIN … PRIVATE KEY-----'")
        if len(text) < 256 and "\n" not in text.strip():
            raise ValueError("this is not a private key; for the path of a file, use privateKeyFile")
        raise ValueError("a private key is expected, from '-----BEGIN … PRIVATE KEY-----' to '-----END …'")

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def names(self) -> tuple[tuple[str, int], ...]:
        """What to look up in known_hosts, in the order of ssh: `[host]:port`, then `host`."""
        if self.host_key_alias is not None:
            return ((self.host_key_alias, DEFAULT_PORT),)
        return self.known_as or tuple(dict.fromkeys((self.endpoint, (self.host, DEFAULT_PORT))))

    @property
    def address(self) -> str:
        """For messages: `user@host`, with the port unless it is 22."""
        host = f"[{self.host}]" if ":" in self.host and self.port != 22 else self.host
        return f"{self.user}@{host}" + (f":{self.port}" if self.port != 22 else "")

    @property
    def credentials(self) -> dict[str, Any]:
        """The fields that authenticate the login; the others say where it goes."""
        return {name: getattr(self, name) for name in ("user", *CREDENTIALS)}

    @property
    def sudo_words(self) -> tuple[SecretStr | None, ...]:
        """The passwords for sudo, in the order in which they are tried; None stands for no password."""
        words = (self.sudo_password, *(one.sudo_password for one in self.former if one.user == self.user))
        return tuple(dict.fromkeys(words))

    def by(self, other: "Connection") -> "Connection":
        """The same route to the same machine with the credentials of `other`."""
        return self.model_copy(update=other.credentials)

    def since(self, former: "Connection | None") -> "Connection":
        """The same login, with `former` as its former credentials."""
        if former is None:
            return self
        known = [self, *self.former]
        before = [one for one in (former, *former.former) if one.credentials not in [two.credentials for two in known]]
        return self.model_copy(update={"former": (*self.former, *map(self.by, before))}) if before else self

    def former_logins(self) -> "Iterator[Connection]":
        """The same login with former credentials, one for each distinct way in."""
        seen = [self.without_sudo()]
        for one in self.former:
            other = self.by(one)
            if other.without_sudo() not in seen:
                seen.append(other.without_sudo())
                words = {} if one.user != self.user else {"sudo_password": self.sudo_password}
                yield other.model_copy(update=words)

    def without_sudo(self) -> "Connection":
        """Only what sshd asks for."""
        return self.model_copy(update={"sudo_password": None, "former": ()})

    def secrets(self) -> Iterator[str]:
        """Every secret value, including those of former credentials and proxies, for masking."""
        for one in self.former:
            yield from one.secrets()
        for secret in (self.password, self.private_key, self.private_key_password, self.sudo_password):
            if secret is not None:
                yield secret.get_secret_value()
        if self.proxy is not None:
            yield from self.proxy.secrets()


FORMER = " before"
"""Suffix for the name of a login by former credentials."""

CONNECT_TIMEOUT = "STOCKADE_CONNECT_TIMEOUT"
"""The variable that caps the time to wait for a host, whatever its `connect_timeout`: a fleet skips hosts that are
down."""


class HostAccess(_Model):
    """A host's name (for messages) and its two logins.

    `admin` is the limited user with sudo that everyday runs use. `bootstrap` is the login that the machine came with
    (often root). Admin is tried first, bootstrap if admin is refused.
    """

    name: str = Field(min_length=1)
    admin: Connection | None = None
    bootstrap: Connection | None = None
    connect_timeout: float = Field(default=60, gt=0)
    """Total seconds to wait for a host that is still booting, retries included."""
    addresses: tuple[str, ...] = ()
    """More addresses of the host (such as its IPv6 address). A change must leave all of them reachable."""

    @model_validator(mode="after")
    def _some_login(self) -> Self:
        if self.admin is None and self.bootstrap is None:
            raise ValueError("at least one of admin and bootstrap is needed")
        return self

    @property
    def patience(self) -> float:
        """How long to wait for the host in this process."""
        most = os.environ.get(CONNECT_TIMEOUT, "")
        return min(self.connect_timeout, float(most)) if most.isdigit() else self.connect_timeout

    def logins(self) -> tuple[tuple[str, Connection], ...]:
        """The logins to try: ("admin", …) and ("bootstrap", …), those that are set, in this order."""
        sequence = (("admin", self.admin, self.bootstrap), ("bootstrap", self.bootstrap, self.admin))
        return tuple(
            (login, _one_machine(connection, other)) for login, connection, other in sequence if connection is not None
        )

    def logins_in_order(self) -> tuple[tuple[str, Connection], ...]:
        """The logins of a run: each at its own port, then at the other login's port of the same machine. While sshd
        moves to another port, it is not known which of them it listens on."""
        logins = self.logins()
        logins_in_order: list[tuple[str, Connection]] = []
        for login, connection in (*logins, *self.former_logins()):
            logins_in_order.append((login, connection))
            for _, other in logins:
                if other.host == connection.host and other.proxy == connection.proxy and other.port != connection.port:
                    moved = {"port": other.port, "known_as": connection.names}
                    logins_in_order.append((login, connection.model_copy(update=moved)))
        return tuple(logins_in_order)

    def former_logins(self) -> tuple[tuple[str, Connection], ...]:
        """The logins with former credentials, if sshd would see a difference: ("admin before", …)."""
        return tuple(
            (f"{login}{FORMER}" + (f" {number}" if number > 1 else ""), former)
            for login, connection in self.logins()
            for number, former in enumerate(connection.former_logins(), 1)
        )

    def since(self, former: "HostAccess | None") -> Self:
        """The same host, with the logins of `former` as former credentials."""
        if former is None:
            return self
        logins = {login: getattr(self, login) for login in ("admin", "bootstrap") if getattr(self, login)}
        changed = {login: connection.since(getattr(former, login)) for login, connection in logins.items()}
        return self if changed == logins else self.model_copy(update=changed)

    def only(self, *logins: str) -> "HostAccess":
        """The same host with only these logins, which keep what the others know about the machine."""
        kept = {login: connection for login, connection in self.logins() if login in logins}
        return self.model_copy(update={"admin": None, "bootstrap": None, **kept})

    def secrets(self) -> tuple[str, ...]:
        """Every secret value of both logins, for masking."""
        return tuple(secret for _, connection in self.logins() for secret in connection.secrets())


def _one_machine(connection: Connection, other: Connection | None) -> Connection:
    """Let a login without a host key of its own use the one pinned or known for the other login to the same address.
    Both reach one machine, whose sshd may have moved to another port."""
    if other is None or other.host != connection.host or connection.host_key is not None:
        return connection
    if other.host_key is not None:
        return connection.model_copy(update={"host_key": other.host_key})
    names = tuple(dict.fromkeys((*connection.names, *other.names)))
    return connection if names == connection.names else connection.model_copy(update={"known_as": names})


def resolve(path: str) -> Path:
    """A configured path, resolved now: `~` expanded, relative to the working directory."""
    return Path(path).expanduser().absolute()
