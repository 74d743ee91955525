# only_roots FOLDER    prints its real path if only root can replace it or write into it

only_roots() {
    _real=$(cd -P "$1/" 2>/dev/null && pwd -P) || return 1
    _real=${_real%/} _upper=$_real
    while :; do
        _who=$(stat -c '%u %A' "$_upper/") || return 1
        case $_who in '0 '?????w* | '0 '????????w*) return 1 ;; '0 '*) ;; *) return 1 ;; esac
        [ -n "$_upper" ] || break
        _upper=${_upper%/*}
    done
    printf '%s\n' "$_real"
}
