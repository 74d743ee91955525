# Kills a process and its process group, which sshd does not do when their channel closes: SIGTERM first, then SIGKILL.
# takes: pid

read -r stat <"/proc/$pid/stat" || exit 0
# shellcheck disable=SC2086 # words
set -- ${stat##*) }
group=$3
kill -TERM "-$group" 2>/dev/null || exit 0
try=0
while [ "$try" -lt 25 ] &&
    cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^.*) //' | grep -q "^[^ZX] [0-9]* $group "; do
    try=$((try + 1))
    sleep 0.2 2>/dev/null || sleep 1
done
kill -KILL "-$group" 2>/dev/null || :
