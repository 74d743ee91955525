# The start of every run, and the functions that scripts may use.
#
# begin NAME ... end         everything printed in between becomes the section NAME
# section NAME COMMAND...    runs a command and makes its output the section NAME; keeps its exit status
# shellcheck disable=SC3045 # limits beyond POSIX: ignored by shells that lack them

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
