"""The sets of a ruleset as values of the scripts of this room. Pure."""

from rules.language.sets import read

SET_TAKEN = 82
"""Exit status: a set of that name is another kind of set, and in use."""
NO_SETS = 83
"""Exit status: there is no ipset."""
BAD_SET = 84
"""Exit status: the host refused a set."""

SET_EXITS = {
    SET_TAKEN: "the host has a set of that name, of another type, and rules use it; choose another name",
    NO_SETS: "ipset is not installed on the host",
    BAD_SET: "the host refused a set; nothing was changed",
}


def sets_values(sets: str, last: str = "") -> dict[str, str]:
    """Return what the scripts take: of `sets`, where `last` was declared before.

    `sets`: their text. `set_names`. `filled`: those whose entries are others'. `sets_gone`: those no longer declared.
    """
    declared, before = read(sets), read(last)
    names = [one.name for one in declared]
    return {
        "sets": "\n".join(line for line in sets.splitlines() if not line.startswith("#")),
        "set_names": " ".join(names),
        "filled": " ".join(one.name for one in (*declared, *before) if one.entries is None),
        "sets_gone": " ".join(one.name for one in before if one.name not in names),
    }
