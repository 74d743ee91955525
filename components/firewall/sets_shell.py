"""The sh by which sets come before the rules that look at them, and go after them (`rules/language/sets.py`).

Values: sets (their text), set_names, filled (names of those whose entries are others'), sets_gone (no longer declared).
Which sets are ours is noted under $boots/FAMILY.sets: a file for each, empty where we made it, else what it was before.
"""

SET_TAKEN = 82
"""Exit status: a set of that name is another kind of set, and in use."""
NO_SETS = 83
"""Exit status: there is no ipset."""
BAD_SET = 84
"""Exit status: the host refused a set."""

SET_EXITS = {
    SET_TAKEN: "the host has a set of that name, of another type, and rules look at it; choose another name",
    NO_SETS: "ipset is not installed on the host",
    BAD_SET: "the host refused a set; nothing was changed",
}

SHOW_SETS = """\
show_sets() {
    command -v ipset >/dev/null || return 0
    for _set in $set_names; do ipset save "$_set" 2>/dev/null || :; done
}
"""

SETS = """\
_set_lines() { # NAME AS: what is declared of a set, under another name
    printf '%s\\n' "$sets" | name="$1" other="$2" awk 'BEGIN { name = ENVIRON["name"]; other = ENVIRON["other"] }
        ($1 == "create" || $1 == "add") && $2 == name { $2 = other; print }'
}
_set_kind() { ipset save "$1" 2>/dev/null | awk '$1 == "create" {
    family = ""
    for (i = 4; i < NF; i++) if ($i == "family") family = $(i + 1)
    print $3, family
}'; }
_set_entries() { # NAME: without what changes by itself
    ipset save "$1" | sed -n 's/^add [^ ]* //p' | sed -e 's/ timeout [0-9]*//' -e 's/ packets .*//' | sort
}
_set_used() { ! ipset list -t "$1" 2>/dev/null | grep -q '^References: 0$'; }
_is_filled() { case " $filled " in *" $1 "*) return 0 ;; esac; return 1; }
_set_into() { # TEMPORARY NAME: takes its place; what looks at it notices nothing
    if ! ipset save "$2" >/dev/null 2>&1; then ipset rename "$1" "$2"
    elif [ "$(_set_kind "$1")" = "$(_set_kind "$2")" ]; then ipset swap "$1" "$2" && ipset destroy "$1"
    else ipset destroy "$2" && ipset rename "$1" "$2"; fi
}
_set_back() { # NAME FILE: as FILE, what ipset save printed, has it
    sed "s/^\\(create\\|add\\) [^ ]* /\\1 stockade.back /" "$2" | ipset restore || return 1
    if [ "$(_set_kind stockade.back)" = "$(_set_kind "$1")" ] &&
        [ "$(_set_entries stockade.back)" = "$(_set_entries "$1")" ]; then ipset destroy stockade.back
    else _set_into stockade.back "$1"; fi
}
"""

# New sets are made at once: iptables-restore --test wants to see them. Others change when the way back is armed.
SETS_TRY = f"""\
sets_made='' sets_marked='' sets_next='' set_marks=$boots/$ip_family.sets
_no_sets() {{ # what a change that came to nothing leaves
    for _pair in $sets_next; do ipset destroy "${{_pair%%=*}}" 2>/dev/null || :; done
    for _set in $sets_made; do ipset destroy "$_set" 2>/dev/null || :; done
    for _set in $sets_marked; do rm -f "$set_marks/$_set"; done
    ! rmdir "$set_marks" 2>/dev/null || rmdir "$boots" /var/lib/stockade 2>/dev/null || :
}}
if [ -n "$set_names" ]; then
    command -v ipset >/dev/null || exit {NO_SETS}
    trap _no_sets EXIT
    _number=0
    for _set in $set_names; do
        _number=$((_number + 1))
        _next=stockade.$$.$_number
        ipset destroy "$_next" 2>/dev/null || :
        sets_next="$sets_next $_next=$_set"
        _set_lines "$_set" "$_next" | ipset restore || {{ echo "refused: the set $_set" >&2; exit {BAD_SET}; }}
        if ! ipset save "$_set" >/dev/null 2>&1; then
            if [ ! -e "$set_marks/$_set" ]; then
                mkdir -p "$set_marks"
                : >"$set_marks/$_set"
                sets_marked="$sets_marked $_set"
            fi
            sets_made="$sets_made $_set"
            ipset rename "$_next" "$_set"
        elif [ "$(_set_kind "$_next")" != "$(_set_kind "$_set")" ]; then
            ! _set_used "$_set" || {{ echo "it is $_set: $(_set_kind "$_set")" >&2; exit {SET_TAKEN}; }}
        elif _is_filled "$_set" || [ "$(_set_entries "$_next")" = "$(_set_entries "$_set")" ]; then
            ipset destroy "$_next"
        fi
    done
fi
"""

SETS_LOAD = """\
if [ -n "$set_names" ]; then
    printf '%s\\n' "$sets_made" >>"$guard/sets_made"
    printf '%s\\n' "$sets_marked" >>"$guard/sets_marked"
    sets_made='' sets_marked=''
    for _pair in $sets_next; do
        ! ipset save "${_pair%%=*}" >/dev/null 2>&1 || _set_into "${_pair%%=*}" "${_pair#*=}"
    done
fi
"""

SETS_SAVE = """\
for _set in $set_names $sets_gone; do
    ! command -v ipset >/dev/null || ipset save "$_set" >"$guard/set.$_set" 2>/dev/null || rm -f "$guard/set.$_set"
done
"""

SETS_BACK = """\
for _file in "$guard"/set.*; do
    if [ "$occasion" = boot ] || [ ! -f "$_file" ]; then continue; fi
    _set=${_file#"$guard"/set.}
    _is_filled "$_set" || _set_back "$_set" "$_file"
done
for _set in $(cat "$guard/sets_made" 2>/dev/null); do
    [ "$occasion" = boot ] || ipset destroy "$_set" 2>/dev/null || :
done
for _set in $(cat "$guard/sets_marked" 2>/dev/null); do rm -f "$boots/$ip_family.sets/$_set"; done
rmdir "$boots/$ip_family.sets" 2>/dev/null || :
"""

SETS_KEEP = """\
own_sets() { # notes what they were before
    [ -n "$set_names" ] || return 0
    mkdir -p "$boots/$ip_family.sets"
    for _set in $set_names; do
        _mark=$boots/$ip_family.sets/$_set
        if [ -e "$_mark" ]; then continue; fi
        if ! _is_filled "$_set" && [ -f "$guard/set.$_set" ]; then cp "$guard/set.$_set" "$_mark"
        else echo found >"$_mark"; fi
    done
}
disown_sets() { # NAME…: as they were before
    for _set in "$@"; do
        _mark=$boots/$ip_family.sets/$_set
        [ -e "$_mark" ] || continue
        if [ ! -s "$_mark" ]; then ipset destroy "$_set" || echo "the set $_set stays: others' rules look at it" >&2
        elif [ "$(cat "$_mark")" != found ]; then _set_back "$_set" "$_mark" || :; fi
        rm -f "$_mark"
    done
    rmdir "$boots/$ip_family.sets" 2>/dev/null || :
}
"""
