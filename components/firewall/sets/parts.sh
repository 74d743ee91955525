# Sets of addresses (ipset(8)), one at a time.
#
# sets: their text. filled: names of sets whose entries belong to others.
# takes: sets filled

_set_lines() { # NAME OTHER: prints the declaration of a set under another name
    printf '%s\n' "$sets" | name="$1" other="$2" awk 'BEGIN { name = ENVIRON["name"]; other = ENVIRON["other"] }
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
_is_filled() {
    case " $filled " in *" $1 "*) return 0 ;; esac
    return 1
}
_set_into() { # TEMPORARY NAME: swaps the sets, unnoticed by rules that refer to them
    if ! ipset save "$2" >/dev/null 2>&1; then
        ipset rename "$1" "$2"
    elif [ "$(_set_kind "$1")" = "$(_set_kind "$2")" ]; then
        ipset swap "$1" "$2" && ipset destroy "$1"
    else ipset destroy "$2" && ipset rename "$1" "$2"; fi
}
_set_back() { # NAME FILE: restores it from FILE, the output of ipset save
    sed "s/^\(create\|add\) [^ ]* /\1 stockade.back /" "$2" | ipset restore || return 1
    if [ "$(_set_kind stockade.back)" = "$(_set_kind "$1")" ] &&
        [ "$(_set_entries stockade.back)" = "$(_set_entries "$1")" ]; then
        ipset destroy stockade.back
    else _set_into stockade.back "$1"; fi
}
