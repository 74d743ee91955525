# The functions of hosts/packages/manager.sh for apt-get(8).
# uses: hosts/packages/common.sh
# takes: pkg_manager lock_wait
# shellcheck disable=SC2086,SC2046 # lists of names are words

if [ "$pkg_manager" = apt ]; then
    _quietly() (
        umask 022 # inherited by packages' scripts, whose files must stay readable
        export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
        export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 # needrestart would restart services on its own
        exec "$@" </dev/null 2>&1
    )
    _apt() {
        _until=$(($(date +%s) + lock_wait))
        while :; do
            _failed=
            _said=$(_quietly apt-get -qq -y -o DPkg::Lock::Timeout="$lock_wait" -o Dpkg::Use-Pty=0 \
                -o APT::Install-Recommends=false -o Dpkg::Options::=--force-confdef \
                -o Dpkg::Options::=--force-confold "$@") || _failed=1
            printf '%s\n' "$_said" >&2
            [ -n "$_failed" ] || return 0
            case $_said in
                # apt-get itself has waited for some of these locks; before 1.9.11, for none
                *'dpkg frontend lock'* | */var/lib/dpkg/lock* | *'Could not get lock'*)
                    [ "$(date +%s)" -lt "$_until" ] || exit 72 # LOCKED
                    ;;
                *) return 1 ;;
            esac
            sleep 2
        done
    }
    _simulated() { apt-get -s -qq -o APT::Install-Recommends=false --purge "$@" </dev/null; }
    # packages merely recommended or suggested by others do not keep what we installed
    pkg_orphans() {
        apt-get -s -qq -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false \
            autoremove 2>/dev/null | _only Remv Purg
    }
    pkg_versions() {
        [ $# -gt 0 ] || return 0
        dpkg-query -W -f '${Status} ${Package} ${Version}\n' "$@" 2>/dev/null |
            sed -n 's/^[a-z]* [a-z]* installed //p'
    }
    _fetched() { # apt-get's arguments: retries with fresh lists if they name a version that is gone
        _apt "$@" && return 0
        case $_said in
            *' 404 '* | *'Unable to fetch'* | *'Hash Sum mismatch'*) _apt update && _apt "$@" ;;
            *) return 1 ;;
        esac
    }
    pkg_install() {
        _wanted=$(_missing "$@")
        [ -n "$_wanted" ] || return 0
        # the lists are refreshed only if they lack a package
        _simulated install $_wanted >/dev/null 2>&1 || _apt update || return
        _fetched install $_wanted
    }
    pkg_purge() {
        _there=
        for _name in "$@"; do
            if dpkg-query -W "$_name" >/dev/null 2>&1; then _there="$_there $_name"; fi
        done
        [ -n "$_there" ] || return 0
        _before=$(pkg_orphans)
        _apt purge $_there || return
        _after=$(_without "$(pkg_orphans)" "$_before")
        [ -z "$_after" ] || _apt purge $_after
    }
    _foresee() { # INSTALL REMOVE: sets _alone, _plan, _idle and _because by simulations; two at a time, 0.1 s each
        _into=$(mktemp -d)
        {
            ! _any $1 || _simulated install $1 >"$_into/alone" 2>/dev/null || : >"$_into/unknown"
            pkg_orphans >"$_into/idle" || :
        } &
        _simulated install --auto-remove $pkg_request >"$_into/plan" 2>/dev/null || : >"$_into/plan"
        _single $2 || for _each in $2; do _goes "$_each-" "$_each"; done >"$_into/because" 2>/dev/null
        wait $!
        _alone=$(cat "$_into/alone" 2>/dev/null)
        _plan=$(cat "$_into/plan") _idle=$(cat "$_into/idle") _because=$(cat "$_into/because" 2>/dev/null)
        [ ! -e "$_into/unknown" ] || _alone=unknown
        rm -rf "$_into"
        [ "$_alone" != unknown ]
    }
    pkg_plan() {
        pkg_request=$1 pkg_new= pkg_lost= _alone= _goers=$2 _because=
        for _name in $2; do pkg_request="$pkg_request $_name-"; done
        if _any $2; then
            _foresee "$1" "$2" || {
                _apt update || return
                _foresee "$1" "$2" || _alone=
            }
            [ -n "$_plan" ] || _plan=$(_simulated install --auto-remove $pkg_request) || return
            _along=$(_without "$(printf '%s\n' "$_plan" | _only Remv Purg)" "$2 $3")
            for _name in $(_without "$_along" "$_idle"); do pkg_request="$pkg_request $_name-"; done
        elif _any $1 && ! _alone=$(_simulated install $1 2>/dev/null); then
            _apt update || return
            _alone=$(_simulated install $1 2>/dev/null) || _alone=
        fi
        for _round in 1 2 3 4 5; do
            if ! _any $2 && [ -n "$_alone" ]; then
                _plan=$_alone
            else
                _plan=$(_simulated install $pkg_request) || return
            fi
            pkg_new=$(_missing $(printf '%s\n' "$_plan" | _only Inst))
            pkg_lost=$(printf '%s\n' "$_plan" | _only Remv Purg)
            _any $2 || return 0
            _instead=$(_without "$pkg_new" "$(printf '%s\n' "$_alone" | _only Inst)")
            [ -n "$_instead" ] || return 0
            for _name in $_instead; do pkg_request="$pkg_request $_name-"; done
        done
    }
    pkg_change() { ! _any $pkg_request || _fetched --purge install $pkg_request; }
    _removed_by_half() { # apt would take them for installed, and configure them
        _begun=$(dpkg-query -W -f '${Status} ${Package}\n' |
            sed -n 's/^\(deinstall\|purge\) [a-z]* \(unpacked\|half-configured\|half-installed\) //p')
        [ -z "$_begun" ] || _quietly dpkg --remove $_begun >&2
    }
    _unmark() { # NAMES: a killed apt-get has told dpkg what it was going to remove
        [ $# -gt 0 ] || return 0
        dpkg-query -W -f '${Status} ${binary:Package}\n' "$@" 2>/dev/null |
            sed -n 's/^\(deinstall\|purge\) [a-z]* installed \(.*\)/\2 install/p' | dpkg --set-selections || :
    }
    _mended() {
        [ -n "$(dpkg --audit 2>/dev/null)$(ls /var/lib/dpkg/updates)" ] || return 0
        if _apt check; then # it waits for an apt-get that is still running
            _removed_by_half
            return
        fi
        _quietly dpkg --force-confdef --force-confold --configure -a >&2 || :
        if _apt check; then
            _removed_by_half
            return
        fi
        # complete packages are not removed in order to fix broken ones
        _whole=$(pkg_versions $(_simulated -f install | _only Remv Purg))
        [ -z "$_whole" ] || {
            printf 'broken packages: repairing them would remove %s\n' "$_whole" >&2
            return 1
        }
        _apt -f install
    }
    pkg_mend() { _mended && _unmark "$@"; }
    pkg_answers() { debconf-set-selections; }
    pkg_remove() { _apt purge "$@"; }
    pkg_causes() { # does not simulate again what the plan already showed
        _for=
        [ -z "$(printf '%s\n' "$_alone" | _only Remv Purg)" ] || _for=$2
        if _single $1 $_for; then
            for _each in $pkg_lost; do echo "$_each" $1 $_for; done
            return
        fi
        if [ -n "${_because-}" ] && _same "$_goers" "$1"; then
            printf '%s\n' "$_because"
        else
            for _each in $1; do _goes "$_each-" "$_each"; done
        fi
        for _each in $_for; do _goes "$_each" "$_each"; done
    }
    _single() { [ $# -eq 1 ]; }
    _same() { # LIST LIST
        _list=$(printf ' %s' $1)
        [ "$_list" = "$(printf ' %s' $2)" ]
    }
    _goes() { _simulated --auto-remove install "$1" | _only Remv Purg | _suffixed "$2"; }
    pkg_half() {
        [ $# -eq 0 ] ||
            dpkg-query -W -f '${Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^[a-z]* [a-z]* config-files //p'
    }
    pkg_autos() { [ $# -eq 0 ] || apt-mark showauto "$@" | sed 's/:.*//'; }
    pkg_auto() { apt-mark auto "$@" >&2; }
    pkg_files_of() { # dpkg-query lists nothing after a name that it does not know
        [ $# -gt 0 ] || return 0
        if _listing=$(dpkg-query -L "$@" 2>/dev/null); then
            printf '%s\n' "$_listing" | names="$*" awk '
                BEGIN { split(ENVIRON["names"], name, " "); i = 1 }
                $0 == "" { i++; next }
                { print name[i], $0 }'
        else
            for _each in "$@"; do dpkg-query -L "$_each" | _prefixed "$_each"; done
        fi
    }
    pkg_conffiles_of() {
        [ $# -eq 0 ] || dpkg-query -W -f '${Package}\n${Conffiles}\n' "$@" |
            awk '/^[^ ]/ { name = $0 } sub("^ /etc/", "/etc/") && sub(" [0-9a-f]*$", "") { print name, $0 }'
    }
    pkg_owners_of() {
        xargs -r -d '\n' dpkg-query -S 2>/dev/null | awk '{
            i = index($0, ": /")
            n = split(substr($0, 1, i - 1), name, /,? /)
            for (k = 1; k <= n; k++) print name[k], substr($0, i + 2)
        }'
    }
    pkg_left() { :; }
    pkg_held() {
        _kept=$(apt-mark showhold 2>/dev/null) || :
        [ -n "$_kept" ] || return 0
        _would=$(_simulated -o APT::Ignore-Hold=true -o APT::Get::allow-change-held-packages=true install $pkg_request |
            _only Inst Remv Purg) || _would=
        _without "$_kept" "$(_without "$_kept" "$_would")"
    }
fi
