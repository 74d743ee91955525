"""What all package managers share; see hosts/packages.py."""

LOCK_TIMEOUT = 300
"""Seconds to wait for another package manager: a fresh cloud host upgrades itself first."""

LOCKED = 72
"""Exit status (EX_OSFILE of sysexits.h): another package manager did not come to its end in time."""

COMMON = f"""\
: "${{lock_wait:={LOCK_TIMEOUT}}}"
_without() {{ # LIST LESS: the words of LIST that are not in LESS
    for _word in $1; do
        case " $(echo $2) " in *" $_word "*) ;; *) printf ' %s' "$_word" ;; esac
    done
}}
_missing() {{
    for _name in "$@"; do
        [ -n "$(pkg_versions "$_name")" ] || printf ' %s' "$_name"
    done
}}
"""
