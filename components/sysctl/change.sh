# A change of settings and of our file: shared by apply.sh and restore.sh.
#
# known_before PATH    sets before to the prior value, from `was` or our file; "" if neither has it
# before_of PATH       the same; for an interface added later, the prior value of `default`
# note PATH VALUE      records that it must have this value: a line of `changes`, and one of `present` with its current
#                      value, if there is one in `live`
# differs              whether anything must be set
#
# uses: components/sysctl/kernel.sh
# takes: dropin live was

changes=
present=
known=$newline$was$newline$([ ! -f "$dropin" ] || sed -n 's/^# before: \([^ ]*\) = /\1 /p' "$dropin" 2>/dev/null || :)$newline

known_before() {
    value_in "$known" "$1"
    before=$value
}
before_of() {
    known_before "$1"
    if [ -z "$before" ]; then
        case $1 in net/ipv?/conf/*/*) known_before "${1%%/conf/*}/conf/default/${1##*/}" ;; esac
    fi
}
note() {
    value_in "$live" "$1"
    [ -n "$value" ] || return 0
    present="$present$1 $value$newline"
    changes="$changes$1 $2$newline"
}
differs() {
    printf '%s' "$changes" | while read -r path wanted; do
        value_in "$live" "$path"
        if [ "$value" != "$wanted" ] && changeable "$path"; then echo "$path"; fi
    done | grep -q .
}
