# only_roots FOLDER    prints its real path if only root can replace it or write into it

only_roots() {
    _real=$(cd -P "$1/" 2>/dev/null && pwd -P) || return 1
    _real=${_real%/} _upper=$_real
    set -- "$_upper/"
    while [ -n "$_upper" ]; do
        _upper=${_upper%/*}
        set -- "$@" "$_upper/"
    done
    _who=$(stat -c '%u %A' "$@") || return 1
    # shellcheck disable=SC2086 # words: owner and mode of each
    set -- $_who
    while [ $# -gt 0 ]; do
        case "$1 $2" in '0 '?????w* | '0 '????????w*) return 1 ;; '0 '*) ;; *) return 1 ;; esac
        shift 2
    done
    printf '%s\n' "$_real"
}
