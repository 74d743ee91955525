# Which distribution a host runs, by os-release(5) or its predecessors, and what differs between families of them.
#
# distro distro_version    ID and VERSION_ID; `linux` and "" if unknown
# family                   its family (hosts/system/families.sh); "" if none matches
# pkg_manager              apt, dnf, yum, pacman or zypper
# admin_groups             groups that sudo accepts, the distribution's own first
# boot_v4 boot_v6          files of iptables rules that are loaded at boot
# unit_v4 unit_v6          units that load them
# updater                  program for automatic updates; "" if there is none
# updater_file             its settings
#
# known_distro             exits with 92 if no family matches, with the reason if known
# real_names NAME...       sets named: what packages with these (Debian) names are called here; names that do not exist
#                          here go to nameless
# why_nameless NAME...     prints why they do not exist
#
# Changes nothing on the host and starts two processes at most.
#
# uses: hosts/system/families.sh

distro=linux distro_version= _like= _release=
for _file in /usr/lib/os-release /etc/os-release; do
    [ ! -f "$_file" ] || _release=$_file
done
if [ -n "$_release" ]; then
    # shellcheck disable=SC1090,SC2046,SC2030 # a file of the host; words
    set -- $(
        set +u
        ID= ID_LIKE= VERSION_ID=
        . "$_release" 2>/dev/null
        echo "${ID:-linux} ${VERSION_ID:--} $ID_LIKE"
    )
    distro=${1:-linux} distro_version=${2:--}
    [ $# -lt 3 ] || {
        shift 2
        _like=$*
    }
    [ "$distro_version" != - ] || distro_version=
elif [ -f /etc/redhat-release ]; then # `CentOS release 6.10 (Final)`
    distro_version=$(sed -n '1s/.*release \([0-9.]*\).*/\1/p' /etc/redhat-release)
    case $(cat /etc/redhat-release) in
        CentOS*) distro=centos ;;
        Fedora*) distro=fedora ;;
        *) distro=rhel ;;
    esac
elif [ -f /etc/arch-release ]; then
    distro=arch
elif [ -f /etc/debian_version ]; then
    distro=debian distro_version=$(sed 's/\..*//' /etc/debian_version)
fi
family= pkg_manager= admin_groups= boot_v4= boot_v6= unit_v4= unit_v6= updater= updater_file= _untried=
family_by_name "$distro:${distro_version%%.*}"
for _word in $distro $_like; do
    [ -z "$family$_untried" ] || break
    family_of "$_word:${distro_version%%.*}"
done
family_facts
# derived distributions may have another number; CentOS 6 has Upstart too, but SysV scripts for all services
if [ "$pkg_manager" = apt ] && [ -x /sbin/initctl ] && [ ! -d /run/systemd/system ]; then
    family= _untried="its init is $_upstart"
fi
known_distro() {
    [ -z "$family" ] || return 0
    echo "it is $distro $distro_version${_untried:+: $_untried}" >&2
    exit 92 # UNSUPPORTED
}
# NAME...: names that the package manager can resolve better
command -v pkg_first >/dev/null || pkg_first() { echo "$1"; }
real_names() {
    named= nameless=
    for _name in "$@"; do
        family_package "$_name"
        if [ -z "$_real" ]; then
            nameless="$nameless $_name"
            continue
        fi
        case " $named " in *" $_real "*) ;; *) named="$named $_real" ;; esac
    done
}
why_nameless() {
    for _name in "$@"; do
        family_lacks "$_name" >&2 || echo "$distro has no package for $_name" >&2
    done
}
