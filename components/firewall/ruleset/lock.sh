# shorten_wait    empties lock_wait if iptables-restore cannot wait for the xtables lock; before 1.6.2, -w has no value
#
# lock_wait: how many seconds it waits.
# takes: tool

shorten_wait() {
    "$tool-restore" -w 1 --test </dev/null >/dev/null 2>&1 || lock_wait=
}
