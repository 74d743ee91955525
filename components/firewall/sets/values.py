"""The sets of a ruleset as values for the scripts in this directory. Pure."""

from collections.abc import Sequence

from rules.language.sets import IpSet, read

SET_TAKEN = 82
"""Exit status: a set of that name has another type and is in use."""
NO_SETS = 83
"""Exit status: ipset is missing."""
BAD_SET = 84
"""Exit status: the host refused a set."""

SET_EXITS = {
    SET_TAKEN: "the host has a set of that name, of another type, and rules use it; choose another name",
    NO_SETS: "ipset is not installed on the host",
    BAD_SET: "the host refused a set; nothing was changed",
}


def sets_values(sets: str, former: Sequence[str] = ()) -> dict[str, str]:
    """Return the values for the scripts, for declared `sets` after `former` ones, which may be as a host showed them.

    `sets`: their text. `set_names`. `filled`: those whose entries belong to others. `sets_gone`: those no longer
    declared.
    """
    declared, before = read(sets), [one for text in former for one in _legible(text)]
    names = [one.name for one in declared]
    return {
        "sets": "\n".join(line for line in sets.splitlines() if not line.startswith("#")),
        "set_names": " ".join(names),
        "filled": " ".join(one.name for one in (*declared, *before) if one.entries is None),
        "sets_gone": " ".join(dict.fromkeys(one.name for one in before if one.name not in names)),
    }


def _legible(text: str) -> tuple[IpSet, ...]:
    try:
        return read(text)
    except ValueError:
        return ()
