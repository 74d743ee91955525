# One transaction of the package manager, in steps. The record `phase` says which of them is under way, and a run that
# finds one was cut off there:
#
#     record   what comes and goes is being written down; no package has changed
#     change   the package manager is at work, nobody knows how far
#     settle   it is done; what is gone from /etc is being kept, and our marks on the host are cleared away
#
# _transact MISSING GONE DROP BACK    lists of names: to install, to remove because they are declared absent, to remove
#                                     because they came with us, to install again
# _resume                             mends what a run left that was cut off
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
        none | record | settle) pkg_mend ;; # what others left
        *)
            pkg_mend $(_names removed) $(_names installed) $(_names pulled)
            _auto=$(_there $(_names pulled)) # apt-get writes down at its end what came along
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
    if _has iptables-persistent "$1"; then # else the rules of the moment, bans included, are frozen into the boot file
        for _family in v4 v6; do
            echo "iptables-persistent iptables-persistent/autosave_$_family boolean false"
        done | pkg_answers & # debconf takes its time to start
        _answers_ready=$!
    fi
    _record "$@"
    _freeze "$(_keep_lines units "$4" | awk '{ print $2 }')$(_asleep "$1")"
    [ -z "$_answers_ready" ] || wait "$_answers_ready"
    if [ -n "$4" ]; then _keep_lines debconf "$4" | pkg_answers || :; fi
    _replace_firewalls "$1"
    _enter change
    sync "$folder"/* "$folder" 2>/dev/null || sync # what a power cut must not take
    pkg_change
    _enter settle
    [ -z "$_loader" ] || svc_off "$_loader"
    _thaw
    _settle
    _unlink
    _leave
}

_plan_of() { # MISSING GONE DROP BACK: sets what the manager's pkg_plan sets, and guarded
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
_pinned() { # NAMES with their versions of then
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

_asleep() { # MISSING: the services that another resource starts, configured
    # not with SysV: some of its scripts fail to stop what does not run, and then the package cannot be removed
    [ -n "$(echo $1)" ] && [ "$pkg_manager" = apt ] && [ -d /run/systemd/system ] || return 0
    for _unit in $unstarted; do svc_active "$_unit" || printf ' %s' "$_unit"; done
    ! _ends_firewalld "$1" || printf ' netfilter-persistent'
}
_ends_firewalld() { # MISSING: Debian's loader is iptables.service, too, which firewalld.service conflicts with
    _has iptables-persistent "$1" && svc_active firewalld
}
_replace_firewalls() { # MISSING: ufw and firewalld stay in force until the Ruleset takes their place; sets _loader
    if _has iptables-persistent "$1" && _has ufw "$pkg_lost" && grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then
        : >"$folder/ufw"
        sed -i 's/^ENABLED=yes/ENABLED=no/' /etc/ufw/ufw.conf
    fi
    _loader= # which is not to be started at a boot meanwhile
    ! _ends_firewalld "$1" || _loader=netfilter-persistent
}
