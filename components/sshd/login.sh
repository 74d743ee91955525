# Prints the address that this run comes from and the port that it connected to, one line each, then the groups of USER.
#
# uses: hosts/system/origin.sh
# takes: user

# shellcheck disable=SC2046 # words
set -- $(entry)
printf '%s\n' "${1-}" "${4-}"
id -Gn -- "$user" 2>/dev/null || echo
