# Our lines in /etc/fail2ban/jail.local, for fail2ban before 0.9.
#
# old                     whether it is such a version: 0.8 lacks jail.d (in some releases), the jail `sshd`, and
#                         filters named after jails. It takes a section INCLUDES for a jail, which is enabled unless it
#                         says otherwise.
# include_lines           variable: the lines that make it read the drop-in file
# write_local TO [LINES]  writes what others have in jail.local, preceded by our LINES if given
#
# Exits: 70 there is another section INCLUDES (REFUSED).
#
# uses: hosts/system/files.sh

local=/etc/fail2ban/jail.local
include_lines='# >>> Stockade
[INCLUDES]
enabled = false
port = 0:65535
after = jail.d/zz-stockade.local
# <<< Stockade'
old() { [ ! -e /etc/fail2ban/paths-common.conf ]; }
write_local() {
    rest=$(sed '/^# >>> Stockade/,/^# <<< Stockade/d' "$local" 2>/dev/null && echo .) || rest=.
    case ${2:+
}${rest%.} in
        *"
[INCLUDES]"*)
            echo "$local has a section INCLUDES: move the files that it names into jail.local itself" >&2
            exit 70
            ;;
    esac
    if [ -n "${2-}${rest%.}" ]; then
        write_file "$1" 644 root root "${2:+$2
}${rest%.}"
    else rm -f "$1"; fi
}
