# One transaction of the package manager, in steps. The record `phase` names the current step. If a run finds one, the
# previous run was interrupted there:
#
#     record   what to install and remove is being recorded; no package has changed
#     change   the package manager is at work; its progress is unknown
#     settle   it is done; what is gone from /etc is being kept, and our temporary files are removed
#
# _transact MISSING GONE DROP BACK    lists of names: to install; to remove because they are declared absent; to remove
#                                     because we installed them; to reinstall
# _resume                             repairs what an interrupted run left
#
# Exits: 78 the administrator holds a package that would have to change (HELD).
#
# uses: components/packages/transaction/records.sh components/packages/transaction/keep.sh
# uses: components/packages/transaction/refuse.sh components/packages/transaction/policy.sh
# uses: components/packages/transaction/etc.sh components/packages/transaction/leftovers.sh hosts/packages/manager.sh
# uses: hosts/system/services.sh
# takes: folder present protected unstarted back
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_phase() { cat "$folder/phase" 2>/dev/null || echo none; }
_enter() { echo "$1" >"$folder/phase"; }
_leave() { rm -f "$folder/phase"; }
_open_records() {
    (umask 022 && mkdir -p /var/lib/stockade)
    mkdir -p "$folder"
    chmod 700 "$folder"
    : >>"$folder/before"
    : >>"$folder/owned"
    _resume
}
_resume() {
    _thaw
    case $(_phase) in
        none | record | settle) pkg_mend ;; # left by others
        *)
            pkg_mend $(_names removed) $(_names installed) $(_names pulled)
            _auto=$(_there $(_names pulled)) # apt-get marks dependencies only when it finishes
            [ -z "$_auto" ] || pkg_auto $_auto
            ;;
    esac
    _unlink
}

_transact() {
    _plan_of "$@"
    _refuse "$pkg_lost" "$2" "$1"
    _enter record
    _answers_ready=
    if _has iptables-persistent "$1"; then # otherwise it saves the current rules, including bans, to the boot file
        for _family in v4 v6; do
            echo "iptables-persistent iptables-persistent/autosave_$_family boolean false"
        done | pkg_answers & # debconf is slow to start
        _answers_ready=$!
    fi
    _record "$@"
    _freeze "$(_keep_lines units "$4" | awk '{ print $2 }')$(_asleep "$1")"
    [ -z "$_answers_ready" ] || wait "$_answers_ready"
    if [ -n "$4" ]; then _keep_lines debconf "$4" | pkg_answers || :; fi
    _replace_firewalls "$1"
    _enter change
    sync "$folder"/* "$folder" 2>/dev/null || sync # must survive a power failure
    pkg_change
    _enter settle
    [ -z "$_loader" ] || svc_off "$_loader"
    _thaw
    _settle
    _unlink
    _leave
}

_plan_of() { # MISSING GONE DROP BACK: sets what pkg_plan sets, and guarded
    guarded=$(_without "$(_there $protected)" "$(_names installed) $(_names pulled)")
    pkg_plan "$1$(_pinned "$4")" "$2 $3" "$present $back $guarded" 2>/dev/null ||
        pkg_plan "$1 $4" "$2 $3" "$present $back $guarded" 2>"$folder/said" || {
        _failed=$?
        _kept=$(echo $(pkg_held))
        [ -z "$_kept" ] || {
            echo "$_kept" >&2
            exit 78
        }
        cat "$folder/said" >&2
        exit "$_failed"
    }
    rm -f "$folder/said"
}
_pinned() { # NAMES with their recorded versions
    for _name in $1; do _keep_lines removed "$_name" | awk '{ printf " %s=%s", $1, $2 }'; done
}

_record() { # MISSING GONE DROP BACK
    for _name in $(_common "$(_common "$pkg_new" "$1")" "$(sed -n 's/ missing$//p' "$folder/before")"); do
        _has "$_name" "$(_names installed)" || _note installed "$_name"
    done
    for _name in $(_without "$pkg_new" "$1 $4 $(_names pulled) $(_names removed)"); do _note pulled "$_name"; done
    pkg_files_of $pkg_lost >"$folder/files"
    _keep "$pkg_lost" "$2" "$1"
    _units_of "$(_common "$pkg_lost" "$(_names installed) $(_names pulled)")" | sed 's/.* //' >>"$folder/aliases"
    for _file in files own etc owners units.of; do rm -f "$folder/$_file"; done
}

_asleep() { # MISSING: services that another resource starts once configured
    # not with SysV: some scripts fail to stop a service that is not running, and then the package cannot be removed
    [ -n "$(echo $1)" ] && [ "$pkg_manager" = apt ] && [ -d /run/systemd/system ] || return 0
    for _unit in $unstarted; do svc_active "$_unit" || printf ' %s' "$_unit"; done
    ! _ends_firewalld "$1" || printf ' netfilter-persistent'
}
_ends_firewalld() { # MISSING: Debian's loader is also named iptables.service, which firewalld.service conflicts with
    _has iptables-persistent "$1" && svc_active firewalld
}
_replace_firewalls() { # MISSING: ufw and firewalld stay in force until the Ruleset replaces them; sets _loader
    if _has iptables-persistent "$1" && _has ufw "$pkg_lost" && grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then
        : >"$folder/ufw"
        sed -i 's/^ENABLED=yes/ENABLED=no/' /etc/ufw/ufw.conf
    fi
    _loader= # must not be started at a boot meanwhile
    ! _ends_firewalld "$1" || _loader=netfilter-persistent
}
