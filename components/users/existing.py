"""An account that is already on a host, as inputs: what an import makes of it. Pure."""

from components.config.names import group_names
from components.failure import Failure
from components.keys.authorized_keys import found, parse_key
from components.users.settings import UserFacts, UserInputs


def existing(inputs: UserInputs, seen: UserFacts) -> UserInputs | None:
    """Return the inputs that describe an account; None if it does not exist.

    Not among them: its password, of which the host only has a hash; its shell and home, which stay as they are.
    Raises Failure if it cannot be declared.
    """
    if not seen.exists:
        return None
    where = f"{inputs.host}: user {inputs.name}"
    if seen.expired or (seen.password in ("locked", "empty") and not seen.keys.exists):
        raise Failure(f"{where}: cannot be imported: the account is locked or expired, or has an empty password")
    if seen.keys_trouble:
        raise Failure(f"{where}: cannot be imported: its keys cannot be read ({seen.keys_trouble})")
    return inputs.model_copy(update={"sudo": seen.sudo, "keys": _keys(seen), "groups": _groups(inputs, seen)})


def _keys(seen: UserFacts) -> tuple[str, ...]:
    """Return the keys in its file that can be declared."""
    keys = []
    for line in found(seen.keys.unpacked().content).values():
        try:
            keys.append(str(parse_key(line)))
        except ValueError:
            continue
    return tuple(keys)


def _groups(inputs: UserInputs, seen: UserFacts) -> tuple[str, ...]:
    """Return its groups besides its own and the one for sudo, which `sudo` declares."""
    others = [name for name in seen.groups if name not in (inputs.name, seen.sudo_group)]
    out: list[str] = []
    for name in others:
        try:
            out += group_names((name,))
        except ValueError:
            continue
    return tuple(sorted(set(out)))
