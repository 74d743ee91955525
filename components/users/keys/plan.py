"""What an authorized_keys file becomes: while it is managed, and when it is restored."""

from components.core.chapter import KnownState
from components.keys.authorized_keys import found, merge, only
from components.users.keys.facts import trouble
from components.users.settings import UserFacts, UserInputs, mode_of

Seen = KnownState[UserInputs, UserFacts]


def manages(inputs: UserInputs) -> bool:
    """Return whether these inputs say which keys there are."""
    return bool(inputs.keys or inputs.exclusive_keys)


def ever_managed(known: Seen) -> bool:
    """Return whether any inputs that may be in force do."""
    return any(manages(one) for one in known.possible)


def managed(inputs: UserInputs, known: Seen) -> bool:
    """Return whether the file is to be written: keys are declared, or were."""
    return manages(inputs) or any(one.keys for one in known.possible)


def _added(known: Seen) -> set[str]:
    """Return the keys, by content, that Stockade may have added."""
    return set(found("\n".join(key for one in known.possible for key in one.keys)))


def wanted(inputs: UserInputs, known: Seen, content: str) -> str:
    """Return what a file becomes: the declared keys, and what is not ours unless they are to be the only ones."""
    if inputs.exclusive_keys:
        return only(inputs.parsed_keys)
    gone = _added(known) - {key.blob for key in inputs.parsed_keys}
    prior = known.prior.keys.unpacked().content if known.prior else ""
    return merge(content, inputs.parsed_keys, sorted(gone), prior)


def given_back(inputs: UserInputs, prior: UserFacts, now: UserFacts, known: Seen) -> dict[str, str]:
    """Return the values for `give_back_keys`."""
    content = _restored(inputs, prior, now, known)
    return {
        "prior_keys_content": content,
        "prior_keys_remove": "yes" if not content and not prior.keys.exists else "",
        "prior_keys_mode": prior.keys.mode or inputs.keys_mode,
        "prior_keys_group": prior.keys.group,
        "prior_ssh_mode": mode_of(prior.ssh) if prior.ssh[:1].isdigit() else "",
        "keys_left": trouble(inputs, now) if now.keys_trouble else "",
        "keys_reobserved": "yes" if known.reobserved else "",
    }


def _restored(inputs: UserInputs, prior: UserFacts, now: UserFacts, known: Seen) -> str:
    """Return the prior file, plus what its owner added meanwhile."""
    before, current = prior.keys.unpacked().content, now.keys.unpacked().content
    if inputs.exclusive_keys or current == merge(before, inputs.parsed_keys):
        return before
    return merge(current, (), sorted({key.blob for key in inputs.parsed_keys} | _added(known)), before)
