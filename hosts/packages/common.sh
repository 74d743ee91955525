# Shared by the package managers: lists of names, and queries that some of them only answer one package at a time.
# takes: lock_wait
# shellcheck disable=SC2086,SC2046 # lists of names are words

: "${lock_wait:=300}" # LOCK_TIMEOUT

# LIST: whether it has any words
_any() { [ $# -gt 0 ]; }
_without() { # LIST LESS: the words of LIST that are not in LESS
    _list=$1
    set -- $2
    for _word in $_list; do
        case " $* " in *" $_word "*) ;; *) printf ' %s' "$_word" ;; esac
    done
}
# stdin: prints the first word of each line
_firsts() { while read -r _first _rest; do printf '%s\n' "$_first"; done; }
# WORD...: from lines `WORD NAME...` on stdin, prints the names after one of these words
_only() {
    words=" $* " awk 'index(ENVIRON["words"], " " $1 " ") { sub(/:.*/, "", $2); print $2 }' | sort -u
}
_missing() { _without "$*" "$(pkg_versions "$@" | _firsts)"; }
# Queries about many packages, made one by one; a manager that can answer them at once has its own.
_prefixed() { word=$1 awk '{ print ENVIRON["word"], $0 }'; } # stdin: prefixes its lines with the word
_suffixed() { word=$1 awk '{ print $0, ENVIRON["word"] }'; }
pkg_files_of() { for _each in "$@"; do pkg_files "$_each" | _prefixed "$_each"; done; }
pkg_conffiles_of() { for _each in "$@"; do pkg_conffiles "$_each" | _prefixed "$_each"; done; }
pkg_autos() { for _each in "$@"; do ! pkg_is_auto "$_each" || echo "$_each"; done; }
pkg_owners_of() {
    while IFS= read -r _path; do
        for _each in $(pkg_owners "$_path" </dev/null); do printf '%s %s\n' "$_each" "$_path"; done
    done
}
pkg_means() { :; }
pkg_provider() { :; }
pkg_held() { :; }
pkg_causes() {
    for _each in $1; do pkg_goes "$_each" | _suffixed "$_each" || :; done
    for _each in $2; do pkg_goes_for "$_each" | _suffixed "$_each" || :; done
}
