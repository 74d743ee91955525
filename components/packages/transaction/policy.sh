# _freeze UNITS    keeps packages from starting these, by /usr/sbin/policy-rc.d (invoke-rc.d(8)), unless there is one
# _thaw            removes ours, also one left by a killed run
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_freeze() {
    [ -n "$1" ] && [ ! -e /usr/sbin/policy-rc.d ] || return 0
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 129' HUP INT TERM PIPE
    {
        printf '#!/bin/sh\n# stockade: until the configuration of what is being installed is there\n'
        printf 'while [ "${1#--}" != "$1" ]; do shift; done\ncase ${1%%.service} in '
        for _unit in $1; do printf '%s | ' "${_unit%.service}"; done
        printf ':) exit 101 ;; esac\nexit 0\n'
    } >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
}
_thaw() {
    if grep -qs '^# stockade' /usr/sbin/policy-rc.d; then rm -f /usr/sbin/policy-rc.d; fi
}
