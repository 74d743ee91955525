# Upgrades all packages, unless the host's record says that this was done. Records what changed: `upgraded NAME OLD NEW`,
# `installed NAME NEW`, `removed NAME OLD`. It is non-interactive, keeps changed configuration files, and first finishes
# what dpkg left incomplete. Waits for another package manager, 300 seconds at most (LOCK_TIMEOUT).
#
# uses: hosts/system/distro.sh hosts/system/files.sh
# takes: record digest full

if [ "$(sed -n 1p "$record" 2>/dev/null)" = "$digest" ]; then exit 0; fi
known_distro
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
installed() {
    case $pkg_manager in
        apt)
            dpkg-query -W -f '${Status} ${binary:Package} ${Version}\n' |
                sed -n 's/^[a-z]* [a-z]* installed //p'
            ;;
        dnf | yum | zypper) rpm -qa --qf '%{NAME}.%{ARCH} %{VERSION}-%{RELEASE}\n' ;;
        pacman) pacman -Q ;;
    esac
}
quietly() (
    umask 022 # inherited by packages' scripts, whose files must stay readable
    export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
    export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 # needrestart would restart services on its own
    exec "$@"
)
failed() {
    tail -n 20 "$work/log" >&2
    exit 1
}
run() {
    quietly "$@" </dev/null >"$work/log" 2>&1 || failed
}
apt() {
    run apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
upgrade() { # Upgrade-Allow-New is --with-new-pkgs, which apt before 1.0 refuses
    case $pkg_manager in
        apt)
            if dpkg --audit | grep -q .; then run dpkg --force-confdef --force-confold --configure -a; fi
            apt update
            if [ "$full" = yes ]; then apt dist-upgrade; else apt -o APT::Get::Upgrade-Allow-New=true upgrade; fi
            ;;
        dnf) run dnf -y --refresh upgrade ${full:+--allowerasing} ;;
        yum)
            run yum clean expire-cache
            if [ "$full" = yes ]; then run yum -y upgrade; else run yum -y update; fi
            ;;
        pacman) run pacman -Syu --noconfirm --noprogressbar ;;
        zypper)
            how=update
            if [ "$full" = yes ] || [ "$distro" = opensuse-tumbleweed ]; then how=dist-upgrade; fi
            status=0
            quietly zypper --non-interactive "$how" --no-recommends </dev/null >"$work/log" 2>&1 || status=$?
            case $status in # 102, 103: something needs a restart
                0 | 102 | 103 | 106 | 107) ;;
                *) failed ;;
            esac
            ;;
    esac
}
installed >"$work/before"
upgrade
installed >"$work/after"
before="$work/before" awk '
    BEGIN {
        before = ENVIRON["before"]
        while ((getline line < before) > 0) { split(line, part, " "); was[part[1]] = part[2] }
    }
    !($1 in was) { print "installed", $1, $2 }
    ($1 in was) && was[$1] != $2 { print "upgraded", $1, was[$1], $2 }
    { delete was[$1] }
    END { for (name in was) print "removed", name, was[name] }' "$work/after" | sort >"$work/changes"
write_file "$record" 600 root root "$(echo "$digest" && cat "$work/changes")
"
