# Tests the new configuration: $stage/check has the same files, with Includes redirected into that directory.
#
# check_configuration    ends if sshd refuses it, or if something on the host overrides what is declared
#
# Exits: 65 the declared settings would not be in force.
#
# uses: components/sshd/daemon.sh
# takes: give_back keys ports

stage_check() {
    (cd "$stage/new" && find . -type f) | sed 's/^.//' | while read -r file; do
        mkdir -p "$stage/check${file%/*}"
        root="$stage/check" awk 'BEGIN { root = ENVIRON["root"] }
            tolower($1) != "include" { print; next }
            {
                gsub(/"/, ""); printf "Include"
                for (i = 2; i <= NF; i++) printf " %s%s%s", root, $i ~ /^[/]/ ? "" : "/etc/ssh/", $i
                print ""
            }' "$stage/new$file" >"$stage/check$file"
    done
}
declared_part() { # of the answer
    printf '%s\n' "$answer" | grep -E "$keys" | sed '/^listenaddress /s/:[0-9]*$//' | sort -u || :
}
check_configuration() {
    stage_check
    if [ -n "$give_back" ]; then
        # shellcheck disable=SC2086 # options
        answer_of sshd -t $opts -f "$stage/check$main"
        return
    fi
    wanted
    declared_part >"$stage/wanted"
    for user in "$admin" root; do
        ask "$stage/check$main" "$user"
        declared_part >"$stage/effective"
        cmp -s "$stage/wanted" "$stage/effective" || fail 65 "nothing was changed: something on the host overrides the
declared settings for $user. Wanted:
$(cat "$stage/wanted")
There would be:
$(cat "$stage/effective")"
    done
    if [ -n "$ports" ] && [ -z "$listener" ]; then
        ask "$stage/check$main" "$admin"
        there=$(printf '%s\n' "$answer" | sed -n 's/^listenaddress .*:\([0-9]*\).*/\1/p' | sort -nu)
        # shellcheck disable=SC2086,SC2116 # in one line
        there=$(echo $there)
        [ "$there" = "$ports" ] || fail 65 "nothing was changed: a ListenAddress on the host names ports
itself ($there), so Port would not count: declare ListenAddress as well"
    fi
}
