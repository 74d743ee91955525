"""The users of a `HardenedHost`."""

from pulumi import Output

from components.core.composition import Composition, Needs, RegisteredChapter
from components.users.resource import LimitedUser
from components.users.settings import PACKAGES, UserSettings


def needs(settings: tuple[UserSettings, ...]) -> Needs:
    """Return the packages needed: sudo, if a user has it."""
    return Needs(tuple(PACKAGES) if any(user.sudo != "none" for user in settings) else ())


def declare(host: Composition, settings: tuple[UserSettings, ...]) -> None:
    """Declare the admin's own account first. It is deleted last, because the others are managed through it."""
    users: list[LimitedUser] = []
    declared = sorted(settings, key=lambda user: user.name != host.admin)
    configured = host.configures(*PACKAGES)
    for user in declared:
        props = host.props({**user.props(host.keys), "triggers": configured})
        users.append(LimitedUser(f"{host.name}-{user.name}", props, host.after("packages", also=users[:1])))
    # reported once they exist, not because they are declared
    host.enforced["users"] = Output.all(*(user.sudo for user in users)).apply(
        lambda rights: [f"{user.name}: sudo {right}" for user, right in zip(declared, rights, strict=True)]
    )
    host.add("users", *users)


USERS = RegisteredChapter(declare, needs)
