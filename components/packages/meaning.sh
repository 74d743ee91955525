# What a declared name stands for on this host, according to `meanings`: the lines of pkg_means.
#
# uses: hosts/packages/manager.sh
# takes: meanings
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_others() { # NAMES HOW: what they stand for, from lines of pkg_means on stdin
    sort -u | asked=" $(echo $1) " how="$2" awk 'BEGIN { asked = ENVIRON["asked"]; how = ENVIRON["how"] }
        index(asked, " " $1 " ") && $3 ~ how { print $2 }'
}
_to_install() { # NAMES to install: a purely virtual name is replaced by the package that provides it
    _absentees=$(_missing "$@")
    for _each in "$@"; do
        _by=
        case " $_absentees " in
            *" $_each "*)
                _by=$(printf '%s\n' "$meanings" | _others "$_each" for | head -n 1)
                [ -n "$_by" ] || _by=$(pkg_provider "$_each")
                ;;
        esac
        printf ' %s' "${_by:-$_each}"
    done
}
