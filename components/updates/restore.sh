# Restores the file of automatic updates and their timers; timer_0, timer_1: `enabled active` of each.
#
# uses: components/updates/updater.sh hosts/system/files.sh hosts/system/services.sh

restore_file prior "$dropin"
number=0 state=
for timer in $timers; do
    eval "state=\${timer_$number:-enabled active}"
    # shellcheck disable=SC2086 # two words
    svc_restore "$timer" $state
    number=$((number + 1))
done
