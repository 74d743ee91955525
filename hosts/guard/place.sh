# Places for a host's records, readable by root only.
#
# place FOLDER FILE    creates both; a concurrent removal of the last record also removes empty directories

place() {
    _tries=0
    until mkdir -p "$1" 2>/dev/null && (: >"$2") 2>/dev/null; do
        _tries=$((_tries + 1))
        [ "$_tries" -lt 50 ] || {
            mkdir -p "$1"
            : >"$2"
        }
    done
    chmod 700 /var/lib/stockade "$1"
}
