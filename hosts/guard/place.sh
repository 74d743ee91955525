# Where something of a host is recorded, for root alone.
#
# place FOLDER FILE    make both; whoever drops the last record at this moment takes empty folders away

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
