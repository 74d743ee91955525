"""The sets of a ruleset as values for the scripts in this directory. Pure."""

from rules.language.sets import read

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


def sets_values(sets: str, last: str = "") -> dict[str, str]:
    """Return the values for the scripts, for declared `sets` after `last`.

    `sets`: their text. `set_names`. `filled`: those whose entries belong to others. `sets_gone`: those no longer
    declared.
    """
    declared, before = read(sets), read(last)
    names = [one.name for one in declared]
    return {
        "sets": "\n".join(line for line in sets.splitlines() if not line.startswith("#")),
        "set_names": " ".join(names),
        "filled": " ".join(one.name for one in (*declared, *before) if one.entries is None),
        "sets_gone": " ".join(one.name for one in before if one.name not in names),
    }
