# The records of one Packages resource: the files in `folder`, readable by root only, until `delete` drops them.
#
#     before      name and `there` or `missing`: each declared package as it was found
#     installed   names that were installed because they are declared
#     pulled      names that were installed as dependencies
#     removed     name, version, `auto` or `manual`, and the declared names (joined by commas) it was removed for
#     owned       name and a path under /etc (or a unit) that belonged to it
#     deleted     name and a path under /etc that the administrator had deleted
#     units       name, unit, enabled, active: its services as they were
#     debconf     lines for debconf-set-selections(1)
#     etc.tar     everything that was removed from /etc, with owners and modes
#     draft.tar   /etc as it was before a removal in progress
#     meant       name and a package that it stood for when it was declared absent (pkg_means)
#     aliases     units of our packages that are being removed
#     phase       progress of the transaction (transaction.sh)
#     ufw         exists if ufw was active and had to be removed
#
# uses: hosts/packages/manager.sh
# takes: folder
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_note() { printf '%s\n' "$2" >>"$folder/$1"; }
_names() { [ ! -s "$folder/$1" ] || _firsts <"$folder/$1"; }
_has() { # WORD LIST
    _sought=$1
    set -- $2
    case " $* " in *" $_sought "*) return 0 ;; esac
    return 1
}
_common() { for _word in $1; do ! _has "$_word" "$2" || printf ' %s' "$_word"; done; }
_keep_lines() { # FILE NAMES, or FILE NAMES -v: only the lines of these packages, or all others
    [ -s "$folder/$1" ] && [ -n "$2${3:-}" ] || return 0
    names="$(echo $2)" but="${3:-}" awk '
        BEGIN { but = ENVIRON["but"]; n = split(ENVIRON["names"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] }
        but ? !($1 in ok) : ($1 in ok)' "$folder/$1"
}
_drop_lines() {
    [ -n "$1" ] || return 0
    for _file in before installed pulled removed owned deleted units debconf; do
        [ -f "$folder/$_file" ] || continue
        _keep_lines "$_file" "$1" -v >"$folder/$_file.new"
        mv "$folder/$_file.new" "$folder/$_file"
    done
}
_there() { _only_names $(pkg_versions "$@" | _firsts); }
_only_names() { for _word in "$@"; do printf ' %s' "$_word"; done; }
_stranded() { # NAMES: of these and of those pulled in, what a killed run should have removed along with others
    [ -z "$1$(_names pulled)" ] || _common "$(pkg_orphans)" "$1 $(_names pulled)"
}
