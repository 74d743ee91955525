# sshd on this host: where its configuration is, how it is started, what it says of a login.
#
# find_sshd               sets opts, spec (the login that `sshd -T` is asked about), version, admin, listener: the socket
#                         unit, where one listens for it
# ask CONFIG USER         sets answer: what `sshd -T` says of a login, asked once in a row, and for users that are all the
#                         same
# wanted                  sets answer: what it says of the declared lines alone
# read_by_daemon          ends the script where sshd reads another file than this one
# answer_of COMMAND...    sets answer, or ends with what the command says, without the places where configurations are
#                         tried
# fail STATUS MESSAGE
#
# Exits: 65 sshd refuses the configuration, 69 no OpenSSH server, or one that reads another file.
#
# uses: hosts/system/origin.sh
# takes: admin head

main=/etc/ssh/sshd_config
dropin=/etc/ssh/sshd_config.d/00-stockade.conf
aside=/etc/ssh/stockade.conf # included by a block at the head of sshd_config, where a drop-in would not come first
stage=/run/stockade-sshd
asked=

fail() {
    printf '%s\n' "$2" >&2
    exit "$1"
}
find_sshd() {
    command -v sshd >/dev/null && cd /etc/ssh && [ -f "$main" ] || fail 69 'there is no OpenSSH server on the host'
    # sshd -t asks for it, and where ssh.socket listens nobody has made it yet
    [ -d /run/sshd ] || (umask 022 && mkdir -p /run/sshd)
    opts=
    for file in /etc/default/ssh /etc/sysconfig/sshd; do
        [ ! -r "$file" ] || while IFS= read -r row || [ -n "$row" ]; do
            case $row in SSHD_OPTS=* | OPTIONS=*) opts=${row#*=} ;; esac
        done <"$file"
    done
    while :; do
        case $opts in *[\"\']*) opts=${opts%%[\"\']*}${opts#*[\"\']} ;; *) break ;; esac
    done
    line=$(entry)
    # shellcheck disable=SC2086 # words
    set -- ${line:-127.0.0.1 0 127.0.0.1 22}
    spec="host=${1%%%*},addr=${1%%%*}"
    version=$(sshd -V 2>&1) || : # before 9.2 among what it says of an unknown option
    case $version in *OpenSSH*) version=OpenSSH${version#*OpenSSH} ;; *) version= ;; esac
    case $version in
        *OpenSSH_[1-5].* | *OpenSSH_6.0*) ;; # knows no more of a connection
        *) spec="$spec,laddr=${3%%%*},lport=$4" ;;
    esac
    admin=${admin:-${SUDO_USER:-$(id -un)}}
    listener=
    [ -d /run/systemd/system ] || return 0
    # shellcheck disable=SC2046 # a word for each unit
    set -- $(systemctl is-active ssh.socket sshd.socket)
    case "${1-} ${2-}" in
        'active '*) listener=ssh.socket ;;
        *' active') listener=sshd.socket ;;
    esac
}
read_by_daemon() { # ends where sshd is started with another file: what is written into this one would do nothing
    started=$opts
    [ ! -d /run/systemd/system ] || started="$started
$(systemctl show -p ExecStart ssh.service sshd.service 2>/dev/null | sed -n 's/.*argv\[\]=\([^;]*\);.*/\1/p')"
    named=$(printf '%s\n' "$started" | sed -n 's/\(^\|.* \)-f *\([^ ]*\).*/\2/p' | head -n 1)
    case $named in '' | "$main") return 0 ;; esac
    fail 69 "sshd is started with another configuration: -f $named (/etc/default/ssh, /etc/sysconfig/sshd, or its unit).
Have it started without, with its settings in $main; or leave \`sshd\` out for this host"
}
answer_of() {
    if answer=$("$@" 2>&1); then return 0; fi
    printf '%s\n' "$answer" | sed -e "s,$stage/check,,g" -e 's,/dev/stdin,the declared settings,g' >&2
    exit 65
}
wanted() {
    asked=
    answer_of sshd -T -f /dev/stdin -C "user=$admin,$spec" <<DECLARED
$head
DECLARED
}
differs_by_user() { # CONFIG: by a Match of it or of its drop-ins, or by files that they include
    grep -hiE '^[^#]*(match.*(user|group)|include)' "$1" /etc/ssh/sshd_config.d/*.conf 2>/dev/null |
        grep -qivE '^[[:space:]]*include[[:space:]]+/etc/ssh/sshd_config[.]d/\*[.]conf[[:space:]]*$'
}
ask() {
    # shellcheck disable=SC2086 # options
    case $asked in
        "$1 $2") return 0 ;;
        "$1 "*) ! differs_by_user "$1" || answer_of sshd -T $opts -f "$1" -C "user=$2,$spec" ;;
        *) answer_of sshd -T $opts -f "$1" -C "user=$2,$spec" ;;
    esac
    asked="$1 $2"
}
