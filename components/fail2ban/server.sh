# fail2ban's server: its state, and the bans that are kept while its jails change.
#
# running                 whether it is running
# answers                 whether it responds
# ready JAIL...           whether these jails are running: the server responds before they are
# wait_for COMMAND...     waits until the command succeeds, ten seconds at most; fails if the server ends
# bans                    prints `jail address` for every ban
# stop_jails JAILS        stops the jails in this list of names: those whose actions are removed or change
# put_bans_back           restores those of `banned` (lines of `bans`) that the server did not restore from its database
#
# uses: hosts/system/services.sh components/fail2ban/client.sh components/fail2ban/jail_local.sh
# takes: banned

ask() { fail2ban-client "$@" 2>/dev/null; }
running() { command -v fail2ban-client >/dev/null && svc_active fail2ban; }
answers() { [ "$(echo ping | f2b_ask 2>/dev/null)" = '"pong"' ]; }
ready() {
    [ $# -gt 0 ] || return 0
    _replies=$(printf 'get %s bantime\n' "$@" | f2b_ask 2>/dev/null) || return 1
    case $_replies in *null*) return 1 ;; esac
}
wait_for() {
    tries=100
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] && running || return 1
        sleep 0.1
    done
}
bans() {
    running || return 0
    for jail in $(ask status | sed -n 's/.*Jail list:[[:space:]]*//p' | tr -d ','); do
        for address in $(ask status "$jail" | sed -n 's/.*IP list://p'); do echo "$jail $address"; done
    done
}
stop_jails() { # before their actions change: the rules these created would otherwise stay forever
    for jail in $1; do
        ! running || ask stop "$jail" >/dev/null || :
    done
}
_ban() { # JAIL ADDRESS; 0.8 counts it as a single failure
    times=1
    ! old || times=$(ask get "$1" maxretry)
    while [ "$times" -gt 0 ]; do
        ask set "$1" banip "$2" >/dev/null || :
        times=$((times - 1))
    done
}
_bans_are_back() {
    bans >"$present"
    ! printf '%s\n' "$banned" | grep -qvxFf "$present"
}
put_bans_back() { # after a moment, the server itself restores those in its database
    [ -n "$banned" ] && running || return 0
    present=$(mktemp)
    tries=20
    until _bans_are_back; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || break
        sleep 0.1
    done
    printf '%s\n' "$banned" | while read -r jail address; do
        grep -qxF "$jail $address" "$present" || _ban "$jail" "$address"
    done
    rm -f "$present"
}
