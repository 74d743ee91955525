# shorten_wait    empties lock_wait where iptables-restore cannot wait for the lock of xtables; before 1.6.2, it takes none
#
# lock_wait: how many seconds it waits.
# takes: tool

shorten_wait() {
    "$tool-restore" -w 1 --test </dev/null >/dev/null 2>&1 || lock_wait=
}
