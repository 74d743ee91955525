# The automatic updates in force: our file, what the program reads, and whether it is started.
#
# uses: components/updates/updater.sh hosts/system/files.sh hosts/system/services.sh

show_file dropin "$dropin"
section updater echo "$updater $distro"
# shellcheck disable=SC2086 # words: units
section timers svc_state $timers
begin config
case $updater in
    unattended-upgrades) apt-config dump 2>/dev/null || : ;; # nothing if a file is invalid
    *) [ ! -f "$dropin" ] || cat "$dropin" ;;
esac
end
begin program
# shellcheck disable=SC2086 # a pattern from yum-cron's settings
command -v $program || :
end
section masked masked
section seldom seldom
