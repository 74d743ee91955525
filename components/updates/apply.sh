# Puts the declared automatic updates in force: the settings file of this host's update program, and its timers.
#
# Exits: 69 the program is missing (ABSENT), 70 apt refuses the file (REFUSED), 71 no mail can be sent (NO_MAIL), 82 it
# has no known sources (NO_SOURCES), 84 no reboot at that time (NO_REBOOT), 85 no codename (NO_CODENAME), 86 nothing
# starts it (NO_TIMER), 87 its service is masked (MASKED), 88 another file overrides ours (OVERRULED), 89 its timer runs
# too rarely (SELDOM).
#
# uses: components/updates/updater.sh components/updates/overruled.sh hosts/system/files.sh hosts/system/services.sh
# takes: text_apt text_dnf text_yum text_sysconfig sources reboot_time enabled mail

if [ -n "$enabled" ]; then
    dead=$(masked)
    [ -z "$dead" ] || {
        # shellcheck disable=SC2086 # one line
        echo $dead >&2
        exit 87
    }
    late=$(seldom)
    [ -z "$late" ] || {
        printf '%s\n' "$late" >&2
        exit 89
    }
    # shellcheck disable=SC2086 # a pattern from yum-cron's settings
    command -v $program >/dev/null || exit 69
    if [ -n "$mail" ] && [ ! -x /usr/bin/mail ] && [ ! -x /usr/sbin/sendmail ]; then exit 71; fi
    [ "$timers" != cron ] || [ -n "$(svc_enabled cron)" ] || exit 86
fi
if [ "$updater" != unattended-upgrades ]; then
    [ -z "$sources" ] || exit 82
    if [ -n "$reboot_time" ]; then
        case $updater in
            dnf5-automatic) ;;
            dnf-automatic)
                grep -rqs reboot_command /usr/lib/python3*/site-packages/dnf/automatic "$(command -v dnf-automatic)" ||
                    exit 84
                ;;
            *) exit 84 ;;
        esac
    fi
fi
case $updater_file in
    /etc/apt/*) text=$text_apt ;;
    /etc/dnf/*) text=$text_dnf ;;
    /etc/yum/*) text=$text_yum ;;
    /etc/sysconfig/*) text=$text_sysconfig ;;
esac
in_text() { case $text in *"$1"*) text=${text%%"$1"*}$2${text#*"$1"} ;; esac }
if [ "$updater $distro" = 'yum-cron centos' ]; then # its repositories do not mark security updates
    in_text 'update_cmd = security' 'update_cmd = default'
    in_text 'YUM_PARAMETER=--security' 'YUM_PARAMETER='
fi
if [ "$updater$enabled" = unattended-upgradesyes ] && ! grep -qs Automatic-Reboot-Time "$(command -v "$program")"; then
    # before 0.80 it reboots immediately, and fails on an origin with a codename
    case $reboot_time in '' | now) ;; *) exit 84 ;; esac
    if [ -n "$sources" ] && printf '%s' "$text" | grep -Eq '"([^"]*,)?(n|codename)='; then exit 85; fi
    text=$(
        printf '%s' "$text" | sed 's/,codename=[^,"]*//' | awk '!/origin=/ || !seen[$0]++'
        echo .
    )
    text=${text%.}
fi
if [ "$updater" = unattended-upgrades ]; then
    trial=$(mktemp -d)
    trap 'rm -rf "$trial"' EXIT
    dump >/dev/null || exit 70 # one invalid file breaks every apt command
    ! overruled || exit 88
fi
write_file "$dropin" 644 root root "$text"
if [ -n "$enabled" ]; then
    # shellcheck disable=SC2086 # words: units
    svc_state $timers | while read -r timer state; do
        [ "$state" = 'enabled active' ] || svc_enable "$timer" </dev/null
    done
fi
