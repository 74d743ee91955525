# Puts the declared jails in force. Tests them on a copy of the configuration first, and keeps the current bans.
#
# Exits: 69 fail2ban is missing (ABSENT), 70 it refuses the configuration (REFUSED), 71 its jails do not run
# (NOT_STARTED), 72 another file overrides ours (OVERRULED).
#
# uses: hosts/system/files.sh hosts/system/services.sh hosts/system/origin.sh
# uses: components/fail2ban/client.sh components/fail2ban/jail_local.sh components/fail2ban/server.sh
# takes: dropin head config enabled jails restarts

command -v fail2ban-client >/dev/null || exit 69
[ -d /etc/fail2ban ] || {
    echo "/etc/fail2ban is missing: reinstall the package with its files (Debian: apt-get install --reinstall" \
        "-o Dpkg::Options::=--force-confmiss fail2ban)" >&2
    exit 70
}
operator=$(entry)
operator=${operator%% *}
include=
backend=auto
if [ -d /run/systemd/journal ] && (cd / && "$f2b_python" -c 'import systemd.journal') 2>/dev/null; then
    backend=systemd
fi
if old; then
    backend=auto include=$include_lines
    # accepts times only in seconds
    config=$(
        printf '%s' "$config" | awk '
        BEGIN { unit["s"] = 1; unit["m"] = 60; unit["h"] = 3600; unit["d"] = 86400; unit["w"] = 604800 }
        /^(findtime|bantime) = [0-9]+[smhdw]$/ { $3 = substr($3, 1, length($3) - 1) * unit[substr($3, length($3))] }
        { print }'
        echo .
    )
    config=${config%.}
fi
own="stockade_backend = $backend
stockade_operator = $operator"
more=
if [ -n "$include" ]; then
    more='
filter = %(__name__)s
port = 0:65535
[sshd]
port = ssh
logpath = /var/log/auth.log
[ssh]
enabled = false'
# iptables before 1.4.20 lacks -w, which fail2ban passes to it
elif iptables -n -L INPUT >/dev/null 2>&1 && ! iptables -w -n -L INPUT >/dev/null 2>&1; then
    more='
action_ = %(banaction)s[name=%(__name__)s, port="%(port)s", protocol="%(protocol)s", chain="%(chain)s", lockingopt=""]'
fi
clear_place "$dropin"
for file in /etc/fail2ban/*.conf /etc/fail2ban/*.local /etc/fail2ban/*.d/*.conf /etc/fail2ban/*.d/*.local; do
    readable "$file" # fail2ban would block on it forever
done
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
cp -a /etc/fail2ban/. "$trial"
mkdir -p "$trial/jail.d"
trial_dropin=$trial/jail.d/${dropin##*/}
rm -f "$trial_dropin"
on_trial() { fail2ban-client -c "$trial" "$1" 2>&1; }
overruled() { # whether a file that is read after ours overrides our jails; prints its lines
    after=
    mkdir "$trial/later"
    for file in "$trial"/jail.d/*.local; do
        if [ -n "$after" ]; then
            printf '%s\n' "$config" | path="/etc/fail2ban/jail.d/${file##*/}" awk '
                function option() { key = value = $0; sub(/[ \t]*[=:].*/, "", key); sub(/^[^=:]*[=:][ \t]*/, "", value) }
                /^\[/ { jail = $0; sub(/^\[[ \t]*/, "", jail); sub(/[ \t]*\].*/, "", jail); next }
                /^[ \t#;]/ || !/[=:]/ { next } # a comment, or what goes on with the line before
                { option() }
                FNR == NR { ours[jail, key] = value; next }
                (jail, key) in ours && ours[jail, key] != value {
                    print ENVIRON["path"] ":" FNR ": [" jail "] " $0
                }' - "$file" >>"$trial/otherwise"
            mv "$file" "$trial/later"
        elif [ "$file" = "$trial_dropin" ]; then
            after=yes
        fi
    done
    [ -s "$trial/otherwise" ] || return 1
    without=$(on_trial -d)
    mv "$trial/later"/* "$trial/jail.d"
    [ "$(on_trial -d)" != "$without" ] || return 1 # the effective configuration is the same
    cat "$trial/otherwise" >&2
}
# Ask fail2ban what the host itself never bans, with our jails in place except for their own `ignoreip`.
kept=
asks=
for file in "$trial"/jail.conf "$trial"/jail.local "$trial"/jail.d/*.conf "$trial"/jail.d/*.local; do
    if grep -qs '^ignoreip' "$file"; then asks=yes; fi
done
if [ -n "$include" ]; then write_local "$trial/jail.local" "$include"; fi
if [ -n "$asks" ]; then
    write_file "$trial_dropin" 644 root root "$head$own$more

$(printf '%s' "$config" | sed '/^ignoreip/d')
"
    kept=$(on_trial -d | sed "s/\([[ ]\)u'/\1'/g") || kept=
fi
for jail in $(printf '%s' "$config" | sed -n 's/^\[\(.*\)]$/\1/p'); do
    own="$own
stockade_kept_$jail = $(printf '%s\n' "$kept" | start="['set', '$jail', 'addignoreip', " awk '
        index($0, ENVIRON["start"]) == 1 && sub(/]$/, "") { print substr($0, length(ENVIRON["start"]) + 1) }' |
        tr -d "'," | tr '\n' ' ')"
done
own=$own$more
content="$head$own

$config"
write_file "$trial_dropin" 644 root root "$content"
if ! said=$(on_trial -t) && case $said in *Usage:*) ! said=$(on_trial -d) ;; esac then # -t needs 0.10
    printf '%s\n' "$said" | sed -n 's/.*ERROR  *//p' >&2
    case $said in
        *'not found any log file'*)
            echo 'If the host logs only to the journal, use `backend: systemd` (the default for sshd),' >&2
            echo 'or install something that writes the file: `packages: {present: [rsyslog]}`.' >&2
            ;;
    esac
    exit 70
fi
[ -z "$enabled" ] || [ -n "$include" ] || ! overruled || exit 72
banned=$(bans)
stop_jails "$restarts"
if [ -n "$include" ]; then write_local "$local" "$include"; fi
write_file "$dropin" 644 root root "$content"
if [ -z "$enabled" ]; then
    svc_disable fail2ban
    exit 0
fi
svc_on fail2ban
if running && wait_for answers; then
    fail2ban-client reload >/dev/null
else
    [ ! -d /run/systemd/system ] || systemctl reset-failed fail2ban 2>/dev/null || :
    svc_restart fail2ban || :
fi
# shellcheck disable=SC2086 # one word per jail
if ! wait_for ready $jails; then
    ! command -v journalctl >/dev/null || journalctl -q -u fail2ban -n 20 --no-pager -o cat |
        sed -n 's/.*ERROR  *//p' >&2
    tail -n 20 /var/log/fail2ban.log 2>/dev/null | sed -n 's/.*ERROR  *//p' >&2
    exit 71
fi
put_bans_back
