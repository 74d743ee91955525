# The functions of hosts/packages/manager.sh for pacman(8).
#
# Removing and installing are two transactions, because pacman has no command for both. Both are planned first, and new
# packages are downloaded before anything is removed. The package lists are refreshed only if they lack a package or its
# file is gone, because Arch advises against a refresh without a full upgrade.
#
# uses: hosts/packages/common.sh
# takes: pkg_manager
# shellcheck disable=SC2086,SC2046 # lists of names are words

if [ "$pkg_manager" = pacman ]; then
    _pacman() {
        _tries=$((lock_wait / 2))
        while :; do
            _failed=
            _said=$(
                umask 022
                pacman --noconfirm --noprogressbar "$@" </dev/null 2>&1
            ) || _failed=1
            [ -z "$_said" ] || printf '%s\n' "$_said" >&2
            [ -n "$_failed" ] || return 0
            case $_said in *'unable to lock database'*) ;; *) return 1 ;; esac
            _stale_lock
            [ "$_tries" -gt 0 ] || exit 72 # LOCKED
            _tries=$((_tries - 1))
            sleep 2
        done
    }
    _stale_lock() { # a killed pacman leaves its lock
        [ -e /var/lib/pacman/db.lck ] || return 0
        if ! grep -qsxe pacman -e pamac -e pamac-daemon -e packagekitd /proc/[0-9]*/comm; then
            rm -f /var/lib/pacman/db.lck
        fi
    }
    _simulated() { # install, remove, or exactly (no dependencies), NAMES…; --print and --nosave exclude each other
        _what=$1 _how=sc
        [ "$1" != exactly ] || _how=c
        shift
        case $_what in
            install)
                pacman -S --needed --print-format 'Inst %n' --noconfirm "$@" </dev/null | grep '^Inst ' || :
                pacman -S --needed --print --noconfirm "$@" </dev/null >/dev/null
                ;;
            *) pacman "-R$_how" --print-format 'Remv %n' --noconfirm "$@" </dev/null ;;
        esac
    }
    pkg_versions() {
        for _asked in "$@"; do
            case $_asked in
                *[*?]*) pacman -Q 2>/dev/null | while read -r _found _version; do
                    # shellcheck disable=SC2254 # a pattern
                    case $_found in $_asked) echo "$_found $_version" ;; esac
                done ;;
                *) pacman -Q "$_asked" 2>/dev/null |
                    asked=$_asked awk '{ sub(/^[^ ]* /, ""); print ENVIRON["asked"], $0 }' ;;
            esac
        done
    }
    pkg_means() {
        for _each in "$@"; do
            pacman -Qq "$_each" 2>/dev/null | grep -vxF -e "$_each" |
                each=$_each awk '{ print ENVIRON["each"], $0, "for" }' || :
            pacman -Qqg "$_each" 2>/dev/null | each=$_each awk '{ print ENVIRON["each"], $0, "with" }' || :
        done
    }
    pkg_held() { # when only planning, pacman does not name them
        _any $_drops || return 0
        _free=$(mktemp)
        sed '/^[[:space:]]*HoldPkg/d' /etc/pacman.conf >"$_free"
        _would=$(pacman --config "$_free" -Rsc --print-format %n --noconfirm $_drops </dev/null 2>/dev/null) || _would=
        rm -f "$_free"
        _kept=$(sed -n 's/^[[:space:]]*HoldPkg *= *//p' /etc/pacman.conf)
        _without "$_kept" "$(_without "$_kept" "$_would")"
    }
    _refresh() { _pacman -Sy; }
    _fetched() {
        _pacman "$@" && return 0
        case $_said in
            *'target not found'* | *'failed to retrieve'* | *' 404'*) _refresh && _pacman "$@" ;;
            *) return 1 ;;
        esac
    }
    pkg_install() {
        _wanted=$(_missing "$@")
        [ -z "$_wanted" ] || _fetched -S --needed $_wanted
    }
    pkg_remove() { _pacman -Rsnc "$@"; }
    pkg_purge() {
        _gone=$(_without "$*" "$(_missing "$@")")
        [ -z "$_gone" ] || _pacman -Rsnc $_gone
    }
    pkg_plan() { # older versions of a package are not available
        pkg_new= pkg_lost= _drops=$2 pkg_request=
        for _word in $1; do pkg_request="$pkg_request ${_word%%=*}"; done
        if _any $2; then
            _plan=$(_simulated remove $2) || return
            # declared packages keep their dependencies, even if only the removed ones had pulled them in
            _drops=$(_without "$2 $(_without "$(printf '%s\n' "$_plan" | _only Remv)" "$2")" "$3")
            if [ -n "$_drops" ]; then
                _plan=$(_simulated exactly $_drops) || return
                pkg_lost=$(printf '%s\n' "$_plan" | _only Remv)
            fi
        fi
        if _any $pkg_request; then
            _plan=$(_simulated install $pkg_request) || {
                _refresh && _plan=$(_simulated install $pkg_request)
            } || return
            pkg_new=$(_missing $(printf '%s\n' "$_plan" | _only Inst))
        fi
    }
    _end_services() { # pacman does not stop the services of removed packages, nor remove their links under /etc
        [ -d /run/systemd/system ] || return 0
        for _name in $pkg_lost; do
            _units=$(pkg_files_of "$_name" |
                sed -n '/ .*@/d; s#^.*/systemd/system/\([^/]*\.\(service\|socket\|timer\|path\)\)$#\1#p')
            [ -z "$_units" ] || systemctl -q disable --now $_units >&2 || :
        done
    }
    pkg_change() {
        if _any $pkg_request; then _fetched -Sw --needed $pkg_request || return; fi
        if _any $_drops; then
            _end_services
            _pacman -Rnc $_drops || return
        fi
        ! _any $pkg_request || _fetched -S --needed $pkg_request
    }
    pkg_mend() { _stale_lock; }
    pkg_answers() { cat >/dev/null; }
    pkg_goes() { _simulated remove "$1" | _only Remv; }
    pkg_goes_for() { :; }
    pkg_orphans() { pacman -Qqdt 2>/dev/null || :; }
    pkg_half() { :; }
    pkg_autos() { [ $# -eq 0 ] || pacman -Qqd "$@" 2>/dev/null || :; }
    pkg_auto() { pacman -D --asdeps "$@" >&2; }
    pkg_files_of() { [ $# -eq 0 ] || pacman -Ql "$@" | sed 's|/$||'; }
    pkg_conffiles() { pacman -Qii "$1" | sed -n 's|^[^/]*\(/etc/[^[:space:]]*\).*|\1|p'; }
    pkg_owners() { pacman -Qqo "$1" 2>/dev/null || :; }
    pkg_left() { [ ! -f "$1.pacsave" ] || tar -tf "$2" "${1#/}.pacsave" >/dev/null 2>&1 || rm -f "$1.pacsave"; }
fi
