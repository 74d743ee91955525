"""What a change of an account must not remove from the run that makes it: the login's account, key and sudo right."""

import base64
from typing import TYPE_CHECKING

from components.core.chapter import KnownState
from components.failure import Failure
from components.keys.authorized_keys import AuthorizedKey, found, parse_key
from components.users.settings import UserFacts, UserInputs
from hosts.errors import LoginRefused

if TYPE_CHECKING:
    from hosts.host import Host
    from hosts.ssh.connection import Connection


def guard(host: "Host", inputs: UserInputs, known: KnownState[UserInputs, UserFacts]) -> None:
    """Refuse a change after which the host's login of this name could not log in or become root.

    Raises `Failure`; any `HostError` for a key that cannot be read.
    """
    for login, connection in host.access.logins():
        if connection.user != inputs.name:
            continue
        place = f"{inputs.host}: user {inputs.name}: this is the {login} login of the stack"
        if inputs.sudo == "none":
            raise Failure(f"{place}, which needs sudo; another `admin` login is needed first")
        if inputs.sudo == "password" and connection.sudo_password is None:
            raise Failure(
                f"{place}, and sudo would ask it for a password: declare its `sudoPassword`, or `sudo: nopasswd` here"
            )
        last = known.last.password if known.last else None
        is_set = inputs.password is not None and inputs.password != last and not inputs.hashed
        if inputs.sudo == "password" and is_set and connection.sudo_password != inputs.password:
            raise Failure(
                f"{place}, but its `password` is not the `sudoPassword` of this login; set both to the same value"
            )
        key = own_key(connection)
        if key is not None and loses(key, inputs, known):
            raise Failure(f"{place}, but its key {key.fingerprint} would be removed; add it to `keys`")


def loses(key: AuthorizedKey, inputs: UserInputs, known: KnownState[UserInputs, UserFacts]) -> bool:
    """Return whether a key that may be in authorized_keys now would be removed."""
    if key.blob in {declared.blob for declared in inputs.parsed_keys}:
        return False
    last = found("\n".join(key for one in known.possible for key in one.keys))
    prior = found(known.prior.keys.unpacked().content) if known.prior else {}
    return inputs.exclusive_keys or (key.blob in last and key.blob not in prior)


def own_key(connection: "Connection") -> AuthorizedKey | None:
    """Return the public half of a login's configured key; None for agents and passwords."""
    if connection.private_key is None and connection.private_key_file is None:
        return None
    from hosts.ssh.credentials import credentials_of  # importing the SSH client takes 0.2 s

    pairs = credentials_of(connection).keys
    if any(pair.has_cert for pair in pairs):
        return None  # the host may accept it whatever authorized_keys contains; the proof will tell
    for pair in pairs:
        raw = pair.public_data
        kind = raw[4 : 4 + int.from_bytes(raw[:4], "big")].decode("ascii")
        return parse_key(f"{kind} {base64.b64encode(raw).decode('ascii')}")
    return None


def outside(host: "Host", name: str, *, adopted: bool) -> "Host":
    """Return the host with only logins of users other than `name`; unchanged if `name` has no login there.

    An adopted user could log in before we came, so its own login may restore it. Raises `Failure` if a user that was
    created here has the only login.
    """
    access = host.access
    own = {login for login, connection in access.logins() if connection.user == name}
    if not own:
        return host
    others = [login for login, _ in access.logins() if login not in own]
    if not others:
        if adopted:
            return host
        raise Failure(
            f"{access.name}: user {name}: the only login of this host is this user; "
            "add a `bootstrap` login that can delete it"
        )
    from hosts.pool import connection_pool

    return connection_pool().host(access.only(*others))


def by_another_login(host: "Host", name: str, *, adopted: bool) -> "Host":
    """Return the same as `outside`, logged in. Raises `Failure` if the host refuses every other login."""
    other = outside(host, name, adopted=adopted)
    if other is host:
        return host
    try:
        other.connect()
    except LoginRefused as error:
        raise Failure(
            f"{host.name}: user {name}: not removed, because nobody could log in any more: a user is removed by "
            f"another login only, and the host refuses it ({error.message}).\n  {_let_in(host)}"
        ) from error
    return other


def _let_in(host: "Host") -> str:
    """Return what to do about a host that refuses every login but that of the user to remove."""
    found = host.ledger.found
    owner = found.owner("sshd") if found is not None else None
    if owner is None:
        return "Let this login in again, on the host or by correcting it in the stack config, then repeat this run."
    return (
        f"Stockade's settings of sshd are still in force there, as those of {owner.resource} (stack {owner.stack}): "
        f"repeat this run if they were to be undone as well. If no state has {owner.resource}, declare the host with "
        "`sshd` again, run `up`, then remove both; or let this login in by hand."
    )
