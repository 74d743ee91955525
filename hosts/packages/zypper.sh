# The functions of hosts/packages/manager.sh for zypper(8) of openSUSE.
#
# Removing and installing are one transaction: `install NAME !NAME`. It is planned as XML, which has one name per line.
#
# uses: hosts/packages/common.sh hosts/packages/rpm.sh
# takes: pkg_manager
# shellcheck disable=SC2086,SC2046 # lists of names are words

if [ "$pkg_manager" = zypper ]; then
    _auto_list=/var/lib/zypp/AutoInstalled
    _zypper_raw() { # sets _told; waits for another one at work, recognised by status 7
        _tries=$((lock_wait / 2))
        while :; do
            _status=0
            _told=$(
                umask 022
                exec zypper --non-interactive "$@" </dev/null 2>&1
            ) || _status=$?
            case $_status in
                # success; 102 and 103: something needs a restart, 106: a repository was skipped, 107: a package's
                # script failed
                0 | 102 | 103 | 106 | 107) return 0 ;;
                7) [ "$_tries" -gt 0 ] || exit 72 ;; # LOCKED
                *) return "$_status" ;;
            esac
            _tries=$((_tries - 1))
            sleep 2
        done
    }
    _zypper() {
        _ended=0
        _zypper_raw "$@" || _ended=$?
        [ -z "$_told" ] || printf '%s\n' "$_told" >&2
        return "$_ended"
    }
    _simulated() { # COMMAND NAMES…; sets _plan to what it would do, or prints why it can't
        _what=$1
        shift
        _ended=0
        _zypper_raw --no-refresh --xmlout "$_what" --dry-run "$@" || _ended=$?
        case $_ended in
            104) [ "$_what" != remove ] || _ended=0 ;; # one of them is not installed
        esac
        if [ "$_ended" = 0 ]; then
            _plan=$(printf '%s\n' "$_told" | awk '
                /<to-(install|upgrade|downgrade|reinstall|change)/ { what = "Inst" }
                /<to-remove>/ { what = "Remv" }
                /<\/to-/ { what = "" }
                what != "" && /<solvable .*type="package"/ {
                    sub(/.* name="/, "")
                    sub(/".*/, "")
                    print what, $0
                }')
            return 0
        fi
        printf '%s\n' "$_told" | sed "/^<option/d; /^<progress/d; s/<[^>]*>//g; s/&apos;/'/g; s/&quot;/\"/g
            s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g; /^[[:space:]]*$/d" >&2
        return 1
    }
    _fitting() { # NAMES…: prints what they resolve to; the package lists may be outdated
        _simulated install --no-recommends "$@" && return 0
        case $_ended in 104) _zypper refresh && _simulated install --no-recommends "$@" ;; *) return 1 ;; esac
    }
    pkg_install() {
        _wanted=$(_missing "$@")
        [ -n "$_wanted" ] || return 0
        set -- --no-recommends --download in-advance $_wanted
        _zypper --no-refresh install "$@" || { _zypper refresh && _zypper install "$@"; }
    }
    pkg_remove() { _zypper --no-refresh remove --clean-deps "$@"; }
    pkg_purge() {
        _gone=$(_without "$*" "$(_missing "$@")")
        [ -z "$_gone" ] || pkg_remove $_gone
    }
    pkg_plan() {
        pkg_new= pkg_lost= _drops= pkg_request=
        if _any $2; then
            _simulated remove --clean-deps $2 || return
            # declared packages keep their dependencies, even if only the removed ones had pulled them in
            _drops=$(_without "$(printf '%s\n' "$_plan" | _only Remv)" "$(_without "$3" "$2")")
        fi
        for _word in $1; do pkg_request="$pkg_request $_word"; done
        for _word in $_drops; do pkg_request="$pkg_request !$_word"; done
        [ -n "$pkg_request" ] || return 0
        _fitting $pkg_request || return
        pkg_lost=$(printf '%s\n' "$_plan" | _only Remv)
        pkg_new=$(_missing $(printf '%s\n' "$_plan" | _only Inst))
    }
    pkg_change() {
        [ -z "$pkg_request" ] || _zypper --no-refresh install --no-recommends --download in-advance $pkg_request
    }
    pkg_goes() { _simulated remove --clean-deps "$1" && printf '%s\n' "$_plan" | _only Remv; }
    pkg_goes_for() { _simulated install --no-recommends "$1" && printf '%s\n' "$_plan" | _only Remv; }
    pkg_mend() { # rpm's database repairs itself
        _two=$(_twice)
        [ -z "$_two" ] || _without_older $_two
    }
    pkg_orphans() {
        ! _zypper_raw --no-refresh packages --unneeded ||
            printf '%s\n' "$_told" | awk -F'|' '/^i/ { gsub(/ /, "", $3); print $3 }'
    }
    pkg_is_auto() { grep -qsxF -e "$1" "$_auto_list"; }
    pkg_auto() { for _one in "$@"; do pkg_is_auto "$_one" || printf '%s\n' "$_one" >>"$_auto_list"; done; }
    pkg_held() { # after a failed plan; zypper names a package with its version
        printf '%s\n' "$_told" | sed -n 's/.*remove lock to allow [a-z]* of \(.*\)-[^-]*-[^-]*$/ \1/p'
    }
    pkg_first() {
        for _one in "$@"; do ! rpm -q "$_one" >/dev/null 2>&1 || {
            echo "$_one"
            return 0
        }; done
        _zypper_raw --no-refresh --xmlout search --match-exact -t package "$@" || :
        for _one in "$@"; do case $_told in *"name=\"$_one\""*)
            echo "$_one"
            return 0
            ;;
        esac done
        echo "$1"
    }
fi
