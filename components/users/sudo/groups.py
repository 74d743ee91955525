"""Which groups an account is to be in, and which it has to leave."""

from components.core.chapter import KnownState
from components.users.settings import UserFacts, UserInputs

Seen = KnownState[UserInputs, UserFacts]


def groups_of(inputs: UserInputs, seen: UserFacts) -> tuple[str, ...]:
    """Return the groups to be in."""
    own = (seen.sudo_group,) if inputs.sudo != "none" and seen.sudo_group else ()
    return tuple(dict.fromkeys((*inputs.groups, *own)))


def groups_ever(known: Seen, seen: UserFacts) -> set[str]:
    """Return the groups that Stockade may have added."""
    return {group for one in known.possible for group in groups_of(one, seen)}


def removed_groups(inputs: UserInputs, prior: UserFacts) -> tuple[str, ...]:
    """Return the group that a user without sudo must leave, if it was in it."""
    return (prior.sudo_group,) if inputs.sudo == "none" and prior.sudo_group in prior.groups else ()


def groups_out(inputs: UserInputs, known: Seen) -> tuple[str, ...]:
    """Return the groups to leave: those that we added and that are no longer declared."""
    before, prior = known.before or UserFacts(), known.prior or UserFacts()
    out = groups_ever(known, before) - set(groups_of(inputs, before)) - set(prior.groups)
    if inputs.sudo == "none" and before.sudo_group and before.sudo != "none":  # a group may allow a few commands alone
        out.add(before.sudo_group)
    return tuple(sorted(out))
