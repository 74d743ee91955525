# What every run begins with, and what scripts may use.
#
# begin NAME ... end         everything printed between becomes the section NAME
# section NAME COMMAND...    runs a command, its output becomes the section NAME; its exit status is kept
# shellcheck disable=SC3045 # limits beyond POSIX: where a shell does not know one, it stays

umask 077
LC_ALL=C
export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset CDPATH ENV BASH_ENV IFS
cd /
for _limit in t f d v; do ulimit "-$_limit" unlimited; done 2>/dev/null
{
    ulimit -S -n 1024 || ulimit -n 1024
    ulimit -S -s 8192 || ulimit -s 8192
} 2>/dev/null
begin() { printf '\n%s B %s\n' "$NONCE" "$1"; }
end() { printf '\n%s E\n' "$NONCE"; }
section() {
    begin "$1"
    shift
    _status=0
    "$@" || _status=$?
    end
    return "$_status"
}
_open() {
    printf '\n%s S %s\n' "$NONCE" "$1"
    printf '\n%s S %s\n' "$NONCE" "$1" >&2
}
_close() {
    printf '\n%s X %s\n' "$NONCE" "$1"
    printf '\n%s X %s\n' "$NONCE" "$1" >&2
}
printf '\n%s P %s\n' "$NONCE" "$$"
_skip=
