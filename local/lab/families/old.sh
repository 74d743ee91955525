# Stand-ins of old programs, which refuse what those refuse.
stand_in() { # PATH: from stdin, for a program that goes on under /usr/libexec/lab
    [ -L "$1" ] || mv "$1" "/usr/libexec/lab/${1##*/}"
    rm -f "$1"
    cat >"$1"
    chmod 755 "$1"
}

old_iptables() { # VERSION REFUSED-BY-IPTABLES
    for tool in iptables ip6tables iptables-restore ip6tables-restore; do
        case $tool in *-restore) refused='-w* | --wait* | -W*' ;; *) refused=$2 ;; esac
        stand_in "/usr/sbin/$tool" <<END
#!/bin/sh
# $tool $1: what it has not is refused.
for word; do
    case \$word in
        $refused) printf '$tool v$1: unknown option "%s"\n' "\$word" >&2; exit 2 ;;
        -V | --version) echo '$tool v$1'; exit ;;
    esac
done
exec /usr/sbin/xtables-nft-multi $tool "\$@"
END
    done
}

old_sshd() { # VERSION UNKNOWN-KEYWORDS OLDEST (yes or empty)
    stand_in /usr/sbin/sshd <<END
#!/bin/sh
# OpenSSH $1: what it does not know is refused, and not printed.
unknown=' $(echo $2) ' oldest=${3-}
END
    cat >>/usr/sbin/sshd <<'END'
real=/usr/libexec/lab/sshd config=/etc/ssh/sshd_config look=
while getopts 46DTRVdeiqrtb:c:f:C:g:h:k:o:p:u: option; do
    case $option in
        f) config=$OPTARG ;;
        T | t) look=$option ;;
        V) echo "unknown option -- V" >&2; echo "OpenSSH_VERSION, OpenSSL 1.0" >&2; exit 1 ;;
        C) case $oldest,$OPTARG in
            yes,*laddr=* | yes,*lport=*) echo "Invalid test mode specification $OPTARG" >&2; exit 1 ;;
        esac ;;
    esac
done
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
cat "$config" >"$copy"
awk -v unknown="$unknown" -v oldest="$oldest" -v file="$config" '
    /^[ \t]*(#|$)/ { next }
    { key = $1; gsub(/["=].*/, "", key); key = tolower(key) }
    index(unknown, " " key " ") { print file ": line " NR ": Bad configuration option: " $1; bad++ }
    oldest && key == "match" && tolower($2) == "all" { print file " line " NR ": Bad Match condition"; exit 1 }
    oldest && key == "permitrootlogin" && $2 == "prohibit-password" {
        print file " line " NR ": Bad yes/without-password/forced-commands-only/no argument: " $2; exit 1
    }
    END { if (bad) { print file ": terminating, " bad " bad configuration options"; exit 1 } }' "$copy" >&2 || exit 255
if [ -z "$look" ]; then
    rm -f "$copy"
    trap - EXIT
    exec "$real" "$@"
fi
said=$("$real" "$@" -f "$copy" 2>&1) || { printf '%s\n' "$said" | sed "s,$copy,$config,g" >&2; exit 255; }
[ "$look" = t ] || printf '%s\n' "$said" | awk -v unknown="$unknown" '
    index(unknown, " " $1 " ") { next }
    { print }
    $1 == "kbdinteractiveauthentication" { print "challengeresponseauthentication", $2 }'
END
    sed -i "s/OpenSSH_VERSION/OpenSSH_$1/" /usr/sbin/sshd
}

without_option() { # PATH OPTION: a program that does not have it yet
    stand_in "$1" <<END
#!/bin/sh
for word; do
    case \$word in
        $2) printf "%s: unrecognized option '%s'\n" "$1" "\$word" >&2; exit 64 ;;
        --help) /usr/libexec/lab/${1##*/} --help | grep -v -e '${2%\*}'; exit ;;
    esac
done
exec /usr/libexec/lab/${1##*/} "\$@"
END
}
