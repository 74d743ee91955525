# sshd on this host: where its configuration is, how it is started, and its settings for a login.
#
# find_sshd               sets opts, spec (the connection for `sshd -T -C`), version, admin, and listener: the socket
#                         unit, if one listens for sshd; in head, replaces the word `modern` by what this version has
# ask CONFIG USER         sets answer: the output of `sshd -T` for a login; cached for repeated questions and for users
#                         without settings of their own
# wanted                  sets answer: its output for the declared lines only
# read_by_daemon          ends the script if sshd reads a file other than this one
# answer_of COMMAND...    sets answer, or ends with the command's output, without the paths where configurations are
#                         tested
# fail STATUS MESSAGE
#
# `modern`: rows `keyword since name`, best first (components/sshd/algorithms.py).
#
# Exits: 65 sshd refuses the configuration, 69 no OpenSSH server, or one that reads another file.
#
# uses: hosts/system/origin.sh
# takes: admin head modern oldest

main=/etc/ssh/sshd_config
dropin=/etc/ssh/sshd_config.d/00-stockade.conf
aside=/etc/ssh/stockade.conf # included by a block at the head of sshd_config if a drop-in would not come first
stage=/run/stockade-sshd
asked=

fail() {
    printf '%s\n' "$2" >&2
    exit "$1"
}
find_sshd() {
    command -v sshd >/dev/null && cd /etc/ssh && [ -f "$main" ] || fail 69 'there is no OpenSSH server on the host'
    # sshd -t needs it, and with ssh.socket it may not exist yet
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
    version=$(sshd -V 2>&1) || : # before 9.2, part of the message about an unknown option
    case $version in *OpenSSH*) version=OpenSSH${version#*OpenSSH} ;; *) version= ;; esac
    case $version in
        *OpenSSH_[1-5].* | *OpenSSH_6.0*) ;; # accepts no further criteria
        *) spec="$spec,laddr=${3%%%*},lport=$4" ;;
    esac
    choose_algorithms
    admin=${admin:-${SUDO_USER:-$(id -un)}}
    listener=
    [ -d /run/systemd/system ] || return 0
    # shellcheck disable=SC2046 # one word per unit
    set -- $(systemctl is-active ssh.socket sshd.socket)
    case "${1-} ${2-}" in
        'active '*) listener=ssh.socket ;;
        *' active') listener=sshd.socket ;;
    esac
}
choose_algorithms() {
    unchosen=
    case $head in *" modern
"*) ;; *) return 0 ;; esac
    number=${version#OpenSSH_}
    head=$(printf '%s' "$head" | rows=$modern oldest=$oldest has=${number%%[!0-9.]*} awk '
        function least(since, parts) {
            split(since, parts, ".")
            return has[1] + 0 > parts[1] + 0 || has[1] + 0 == parts[1] + 0 && has[2] + 0 >= parts[2] + 0
        }
        BEGIN {
            split(ENVIRON["has"], has, ".")
            n = split(ENVIRON["rows"], rows, "\n")
            for (i = 1; i <= n; i++) {
                split(rows[i], row, " ")
                keyword = tolower(row[1])
                known[keyword]
                if (row[1] != "" && least(ENVIRON["oldest"]) && least(row[2])) list[keyword] = list[keyword] "," row[3]
            }
        }
        NF == 2 && $2 == "modern" && tolower($1) in known {
            if (tolower($1) in list) $2 = substr(list[tolower($1)], 2)
            else left = 1
        }
        { print }
        END { exit left }') || unchosen=yes
    head="$head
"
}
read_by_daemon() { # ends if sshd is started with another file: whatever is written to this one would have no effect
    started=
    [ ! -d /run/systemd/system ] || started=$(systemctl show -p ExecStart ssh.service sshd.service 2>/dev/null) || :
    case $opts$started in *-f*) ;; *) return 0 ;; esac
    started="$opts
$(printf '%s\n' "$started" | sed -n 's/.*argv\[\]=\([^;]*\);.*/\1/p')"
    named=$(printf '%s\n' "$started" | sed -n 's/\(^\|.* \)-f *\([^ ]*\).*/\2/p' | head -n 1)
    case $named in '' | "$main") return 0 ;; esac
    fail 69 "sshd is started with another configuration: -f $named (/etc/default/ssh, /etc/sysconfig/sshd, or its unit).
Have it started without, with its settings in $main; or leave \`sshd\` out for this host"
}
small_keywords() { # in what sshd -T prints: newer versions write them as sshd_config(5) does
    awk '{ n = length($1); print tolower(substr($0, 1, n)) substr($0, n + 1) }'
}
answer_of() {
    if answer=$("$@" 2>&1); then
        case $answer in *PermitRootLogin*) answer=$(printf '%s\n' "$answer" | small_keywords) ;; esac
        return 0
    fi
    printf '%s\n' "$answer" | sed -e "s,$stage/check,,g" -e 's,/dev/stdin,the declared settings,g' >&2
    exit 65
}
wanted() {
    asked=
    [ -z "$unchosen" ] || fail 65 "algorithms: modern needs OpenSSH $oldest or later, and this is ${version:-older}: leave it out for this host, or upgrade the host"
    answer_of sshd -T -f /dev/stdin -C "user=$admin,$spec" <<DECLARED
$head
DECLARED
}
differs_by_user() { # CONFIG: by a Match in it, in its drop-ins, or in files that they include
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
