# The account NAME in /etc/passwd and /etc/shadow.
#
# field N         its Nth field in passwd(5); nothing if there is no account
# nth N LINE      the Nth field of a line
# shadow          three lines: the kind of password, the ageing fields, what has expired
# groups_of       the names of its groups; the number of one that does not exist
# is_local        whether it is in /etc/passwd, not only in a directory service
#
# takes: name

shadow() {
    getent shadow "$name" | today=$(($(date +%s) / 86400)) awk -F: '{
        today = ENVIRON["today"] + 0
        print ($2 == "" ? "empty" : $2 ~ /^!/ ? "locked" : $2 ~ /^\*/ ? "none" : "set")
        print $3 ":" $4 ":" $5 ":" $6 ":" $7 ":" $8
        print ($8 != "" && today >= $8 ? "account " : "") \
            ($3 == "0" || ($3 != "" && $5 != "" && $5 >= 0 && today > $3 + $5) ? "password" : "")
    }'
}
field() { nth "$1" "$(getent passwd "$name")"; }
nth() {
    _n=$1 _left=$2
    while [ "$_n" -gt 1 ]; do _left=${_left#*:} _n=$((_n - 1)); done
    printf '%s\n' "${_left%%:*}"
}
groups_of() { id -Gn "$name" 2>/dev/null || :; }
is_local() { account=$name awk -F: '$1 == ENVIRON["account"] { found = 1 } END { exit !found }' /etc/passwd; }
