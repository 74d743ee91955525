# Places for a host's records, readable by root only.
#
# place FOLDER FILE    creates both, or ends with what to look at; a concurrent removal of the last record also removes
#                      empty directories
#
# Exits: 1 neither can be created.

place() {
    _tries=0
    until mkdir -p "$1" 2>/dev/null && (: >"$2") 2>/dev/null; do
        _tries=$((_tries + 1))
        [ "$_tries" -lt 200 ] || {
            printf '%s\n' "Stockade's records cannot be kept in $1: something stands in the way (a file, a link, chattr +i," \
                "a full or read-only disk). Look with: ls -ld /var/lib/stockade $1; lsattr -d /var/lib/stockade; df $1" >&2
            exit 1
        }
    done
    chmod 700 /var/lib/stockade "$1"
}
