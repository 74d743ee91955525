# Upgrades all packages. Prints what changed: `upgraded NAME OLD NEW`, `installed NAME NEW`, `removed NAME OLD`. It is
# non-interactive, keeps changed configuration files, and first finishes what dpkg left incomplete. Waits for another
# package manager, 300 seconds at most (LOCK_TIMEOUT).
#
# uses: components/updates/alone.sh hosts/system/distro.sh
# takes: full

known_distro
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
run() {
    "$@" </dev/null >"$work/log" 2>&1 || {
        status=$?
        tail -n 20 "$work/log" >&2
        exit "$status"
    }
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
            zypper --non-interactive "$how" --no-recommends </dev/null >"$work/log" 2>&1 || status=$?
            case $status in # 102, 103: something needs a restart
                0 | 102 | 103 | 106 | 107) ;;
                *)
                    tail -n 20 "$work/log" >&2
                    exit "$status"
                    ;;
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
cat "$work/changes"
