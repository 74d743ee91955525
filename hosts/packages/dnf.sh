# The functions of hosts/packages/manager.sh for dnf 4 and 5. dnf(8), rpm(8), dnf5-changes-from-dnf4(7).
#
# Removing and installing are two transactions, because dnf has no command for both. Both are planned first, and new
# packages are downloaded before anything is removed. Exits: 72 (LOCKED).
#
# uses: hosts/packages/common.sh hosts/packages/rpm.sh
# takes: pkg_manager
# shellcheck disable=SC2086,SC2046 # lists of names are words

if [ "$pkg_manager" = dnf ]; then
    _five() { case $(readlink -f "$(command -v dnf)") in */dnf5) ;; *) return 1 ;; esac }
    _locked() { [ -e "$1/system-repo.lock" ] && grep -qs ":$(stat -c %i "$1/system-repo.lock") " /proc/locks; }
    _turn() { # dnf 5.4 would wait for another one forever
        _turns=$((lock_wait / 2))
        while _locked /var/lib/dnf || _locked /usr/lib/sysimage/libdnf5; do
            [ "$_turns" -gt 0 ] || exit 72
            _turns=$((_turns - 1))
            sleep 2
        done
    }
    _dnf_raw() ( # does not install recommended packages, and exits with 200 on a lock
        umask 022
        _turn
        exec dnf --setopt=exit_on_lock=True --setopt=install_weak_deps=False "$@" </dev/null 2>&1
    )
    _dnf() { _patiently _dnf_raw -y -q "$@"; }
    _queried() ( # QUERY…: prints names; dnf 5 adds no newline
        _turn
        dnf -q repoquery --qf '%{name}\n' "$@" 2>/dev/null </dev/null
    )
    _simulated() { # COMMAND NAMES…; prints what it would do, or why it can't
        _told=$(_dnf_raw --assumeno "$@") || [ $? -ne 72 ] || exit 72
        case $_told in
            *'Operation aborted'* | *'Exiting on user'* | *'othing to do'* | *'o packages marked for removal'*)
                printf '%s\n' "$_told" | _table
                ;;
            *'following protected packages: '*) # dnf refuses to plan this; the caller refuses it by name
                printf '%s\n' "$_told" | sed -n 's/.*protected packages: //p' | tr -s ', ' '\n' | sed 's/^/Remv /'
                ;;
            *)
                printf '%s\n' "$_told" >&2
                return 1
                ;;
        esac
    }
    pkg_install() {
        _wanted=$(_missing "$@")
        [ -z "$_wanted" ] || _dnf install $_wanted || _dnf --refresh install $_wanted
    }
    _own_names() { # NAMES: dnf 5 removes only by package name, not by what a package provides
        for _name in $1; do
            _owner=$(rpm -q --qf '%{NAME}\n' "$_name" 2>/dev/null) ||
                _owner=$(rpm -q --whatprovides --qf '%{NAME}\n' "$_name" 2>/dev/null) || _owner=$_name
            printf ' %s' $_owner
        done
    }
    pkg_remove() { _dnf remove $(_own_names "$*"); }
    pkg_goes() { _simulated remove $(_own_names "$1") | _only Remv; }
    pkg_purge() {
        _gone=$(_own_names "$(_without "$*" "$(_missing "$@")")")
        [ -z "$_gone" ] || _dnf remove $_gone
    }
    pkg_plan() {
        set -- "$1" "$(_own_names "$2")" "$3"
        pkg_new= pkg_lost= pkg_request=$(_evr "$1") _drops=$2
        if _any $2; then
            _plan=$(_simulated remove $2) || return
            # declared packages keep their dependencies, even if only the removed ones had pulled them in
            _drops=$(_without "$2 $(_without "$(printf '%s\n' "$_plan" | _only Remv)" "$2")" "$3")
            [ -z "$_drops" ] || _plan=$(_simulated --setopt=clean_requirements_on_remove=False remove $_drops) || return
            pkg_lost=$(printf '%s\n' "$_plan" | _only Remv)
        fi
        if _any $1; then
            _plan=$(_simulated install $pkg_request) || _plan=$(_simulated --refresh install $pkg_request) || return
            pkg_new=$(_missing $(printf '%s\n' "$_plan" | _only Inst))
            pkg_lost="$pkg_lost $(printf '%s\n' "$_plan" | _only Remv)"
        fi
    }
    pkg_change() {
        if [ -n "$pkg_request" ]; then _dnf install --downloadonly $pkg_request || return; fi
        if _any $_drops; then _dnf --setopt=clean_requirements_on_remove=False remove $_drops || return; fi
        [ -z "$pkg_request" ] || _dnf install $pkg_request
    }
    pkg_mend() { # rpm's database repairs itself; dnf 5 has this only since 5.4.3
        _two=$(_twice)
        [ -z "$_two" ] || _dnf remove --duplicates || _without_older $_two
    }
    pkg_orphans() { _queried --unneeded || :; }
    pkg_is_auto() {
        _wanted=$(_queried --userinstalled) || [ $? -ne 72 ] || exit 72
        ! printf '%s\n' "$_wanted" | grep -qxF "$1"
    }
    pkg_auto() { if _five; then _dnf mark dependency "$@"; else _dnf mark remove "$@"; fi; }
    pkg_first() {
        for _one in "$@"; do ! rpm -q "$_one" >/dev/null 2>&1 || {
            echo "$_one"
            return 0
        }; done
        _there=$(_queried "$@") || :
        for _one in "$@"; do ! printf '%s\n' "$_there" | grep -qxF "$_one" || {
            echo "$_one"
            return 0
        }; done
        echo "$1"
    }
fi
