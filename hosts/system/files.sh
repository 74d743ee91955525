# Files on a host (hosts/system/files.py): shown, written, restored, limited in size.
#
# show_file NAME PATH [LIMIT]                   sections NAME.meta and NAME.content; of a link, a directory or a device
#                                               only that it is one, and with `recording` set it exits
# write_file PATH MODE OWNER GROUP CONTENT      sets written=yes or no
# restore_file NAME PATH                        with the values of `FileState.values(NAME)`
# clear_place PATH                              removes what is there instead of a regular file, but no directory's content
# small PATH...                                 exits if one is larger than a config file may be
# readable PATH                                 exits if it is a pipe or device
# fits LIMIT WHAT TEXT                          exits if a program's output TEXT is larger
# fixed PATH...                                 whether one cannot be changed even by root; prints which and why
#
# Exits: 68 too large, 73 not a regular file, 74 not written.

_irregular() { [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; } # PATH: whether something else is there than a regular file
_left_alone() {                                                    # PATH
    printf '%s is not a regular file; it is left as it is\n' "$1" >&2
    exit 73
}
clear_place() {
    _irregular "$1" || return 0
    if [ ! -L "$1" ] && [ -d "$1" ]; then rmdir "$1" 2>/dev/null || _left_alone "$1"; else rm -f "$1" || _unwritten "$1"; fi
}
_large() { # PATH SIZE LIMIT
    printf '%s has %s bytes; at most %s are read\n' "$1" "$2" "$3" >&2
    exit 68
}
small() {
    for _path in "$@"; do
        shift
        [ ! -f "$_path" ] || set -- "$@" "$_path"
    done
    for _size in $([ $# -eq 0 ] || stat -c %s "$@"); do
        [ "$_size" -le 1048576 ] || _large "$1" "$_size" 1048576
        shift
    done
}
readable() {                                                                                           # PATH: neither a pipe nor a device, which may never end; follows links
    [ -e "$1" ] && [ ! -f "$1" ] && [ ! -d "$1" ] && [ "$(stat -L -c %t:%T "$1")" != 1:3 ] || return 0 # /dev/null is empty
    printf '%s is not a regular file\n' "$1" >&2
    exit 73
}
fits() {
    [ "${#3}" -le "$1" ] || _large "$2" "${#3}" "$1"
}
fixed() {
    _fixed=1
    for _path in "$@"; do
        case $(lsattr -d "$_path" 2>/dev/null | cut -d' ' -f1) in
            *i*) _attribute=i _word=immutable ;;
            *a*) _attribute=a _word='append-only' ;;
            *) continue ;;
        esac
        printf '%s is %s (chattr +%s): chattr -%s %s makes it an ordinary one\n' \
            "$_path" "$_word" "$_attribute" "$_attribute" "$_path" >&2
        _fixed=0
    done
    return "$_fixed"
}
show_file() {
    if _irregular "$2"; then
        [ -z "${recording-}" ] || _left_alone "$2"
        section "$1.meta" printf 'other\n%s\n' "$2"
        return 0
    fi
    _about='0 absent'
    [ ! -f "$2" ] || _about=$(stat -c '%s file %a %U %G %u %g' "$2")
    [ "${_about%% *}" -le "${3:-1048576}" ] || _large "$2" "${_about%% *}" "${3:-1048576}"
    begin "$1.meta"
    printf '%s\n%s\n' "${_about#* }" "$2"
    end
    [ ! -f "$2" ] || section "$1.content" head -c "${3:-1048576}" "$2"
}
_unwritten() { # PATH: the programs' output may not say why
    fixed "${1%/*}" "$1" || :
    _room=$(df -P "${1%/*}" 2>/dev/null | awk 'NR == 2 { print $4 }')
    [ "${_room:-1}" != 0 ] || echo "${1%/*}: No space left on device" >&2
    exit 74
}
_put() { # PATH MODE OWNER GROUP FORMAT CONTENT
    clear_place "$1"
    written=no
    # shellcheck disable=SC2059 # FORMAT comes from the code
    if [ -f "$1" ] && [ "$(stat -c '%a %U %G' "$1")" = "${2#0} $3 $4" ] &&
        [ "$(cat "$1" && echo .)" = "$(printf "$5" "$6" && echo .)" ]; then
        return 0
    fi
    [ -d "${1%/*}" ] || (umask 022 && mkdir -p "${1%/*}") || _unwritten "$1"
    rm -f "${1%/*}/.stockade.${1##*/}."?????? # of a run that a power failure ended
    _new=$(mktemp "${1%/*}/.stockade.${1##*/}.XXXXXX") || _unwritten "$1"
    # shellcheck disable=SC2059 # FORMAT comes from the code
    if printf "$5" "$6" >"$_new" && chown "$3:$4" "$_new" && chmod "$2" "$_new" &&
        { sync "$_new" 2>/dev/null || :; } && mv -f "$_new" "$1"; then
        written=yes
    else
        rm -f "$_new"
        _unwritten "$1"
    fi
    if command -v restorecon >/dev/null; then restorecon "$1" || :; fi
}
write_file() { _put "$1" "$2" "$3" "$4" '%s' "$5"; }
restore_file() {
    eval "set -- \"\$2\" \"\$$1_mode\" \"\$$1_owner\" \"\$$1_group\" \"\$$1_content\""
    if [ -z "$2" ]; then
        written=no
        ! _irregular "$1" || written=yes
        clear_place "$1"
        if [ -f "$1" ]; then
            rm -f "$1" || _unwritten "$1"
            written=yes
        fi
    else
        _put "$1" "$2" "$3" "$4" '%b' "$5"
    fi
}
