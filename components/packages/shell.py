"""The sh of `components/packages/chapter.py`: one transaction for what comes and what goes, and what it takes to undo
it.

Values: folder (the records of this resource), present, absent, protected (patterns of names), unstarted (services),
take_over (yes or no), lock_wait (seconds). The records, which only root can read, until `delete` drops them:

    before      name and `there` or `missing`: each declared package as it was found
    installed   names that were installed because they are declared
    pulled      names that came along as dependencies
    removed     name, version, `auto` or `manual`, and the declared names (joined by commas) that it went for
    owned       name and a path under /etc (or a unit) that was its own
    deleted     name and a path under /etc that the administrator had deleted
    units       name, unit, enabled, active: its services as they were
    debconf     lines for debconf-set-selections(1)
    etc.tar     everything that vanished from /etc, owners and modes included
    draft.tar   /etc as it was before a removal that is under way
    meant       name and a package that it stood for when it was declared absent (pkg_means)
    aliases     units of packages of ours that are being removed
    unfinished  is there while apt-get is at work
    ufw         is there where ufw was active and had to go
"""

from components.packages.kept import BACK, ETC, KEEP, POLICY
from hosts.packages.manager import PACKAGES
from hosts.system.distro import DISTRO, UNSUPPORTED_EXIT
from hosts.system.services import SERVICES

PROTECTED = 77
"""Exit status (EX_NOPERM of sysexits.h): sshd, sudo, the firewall, the init system or a declared package would go."""
NAMELESS = 76
"""Exit status: the distribution has no such package."""
HELD = 78
"""Exit status: the administrator has put a package on hold that would have to change."""
UNSTARTED = 71
"""Exit status (EX_OSERR): all is back in its place, but a service that ran before does not start."""

_MANAGER = DISTRO + "known_distro\n" + PACKAGES

_MEANING = """\
_others() { # NAMES HOW: what they stand for, of the lines of pkg_means on stdin
    sort -u | asked=" $(echo $1) " how="$2" awk 'BEGIN { asked = ENVIRON["asked"]; how = ENVIRON["how"] }
        index(asked, " " $1 " ") && $3 ~ how { print $2 }'
}
_to_install() { # NAMES that are wanted: in the place of one that is nobody's own, the package that provides it
    _absentees=$(_missing "$@")
    for _each in "$@"; do
        _by=
        case " $_absentees " in
            *" $_each "*)
                _by=$(printf '%s\\n' "$meanings" | _others "$_each" for | head -n 1)
                [ -n "$_by" ] || _by=$(pkg_provider "$_each") ;;
        esac
        printf ' %s' "${_by:-$_each}"
    done
}
"""
_MANAGER += _MEANING

OBSERVE = (
    _MANAGER
    + """\
real_names $present $absent
all=$named
real_names $absent
meanings=$(pkg_means $(_without "$(_missing $all)" "$named") $named; cat "$folder/meant" 2>/dev/null || :)
named=$all
if [ "$(echo $named)" = "$(echo $present $absent)" ] && [ -z "$meanings" ]; then
    pkg_versions $named
else
    for declared in $present $absent; do # told by the name that was declared
        real_names "$declared"
        how=for
        case " $absent " in *" $declared "*) how= ;; esac
        named="$named $(printf '%s\\n' "$meanings" | _others "$named" "$how")"
        [ -z "$(echo $named)" ] || pkg_versions $named |
            declared=$declared awk '{ sub(/^[^ ]* /, ""); print ENVIRON["declared"], $0 }'
    done
fi
section removed cat "$folder/removed" 2>/dev/null || :
section ours cat "$folder/installed" 2>/dev/null || :
"""
)

_RECORDS = """\
_note() { printf '%s\\n' "$2" >>"$folder/$1"; }
_names() { [ ! -s "$folder/$1" ] || _firsts <"$folder/$1"; }
_has() { # WORD LIST
    _sought=$1
    set -- $2
    case " $* " in *" $_sought "*) return 0 ;; esac
    return 1
}
_common() { for _word in $1; do ! _has "$_word" "$2" || printf ' %s' "$_word"; done; }
_keep_lines() { # FILE NAMES, or FILE NAMES -v: only the lines of these packages, or all but theirs
    [ -s "$folder/$1" ] && [ -n "$2${3:-}" ] || return 0
    names="$(echo $2)" but="${3:-}" awk '
        BEGIN { but = ENVIRON["but"]; n = split(ENVIRON["names"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] = 1 }
        but ? !($1 in ok) : ($1 in ok)' "$folder/$1"
}
_drop_lines() {
    [ -n "$1" ] || return 0
    for _file in before installed pulled removed owned deleted units debconf; do
        [ -f "$folder/$_file" ] || continue
        _keep_lines "$_file" "$1" -v >"$folder/$_file.new"
        mv "$folder/$_file.new" "$folder/$_file"
    done
}
_there() { _only_names $(pkg_versions "$@" | _firsts); }
_only_names() { for _word in "$@"; do printf ' %s' "$_word"; done; }
_stranded() { # NAMES: what a killed run left of what would have gone along, of these and of what came along
    [ -z "$1$(_names pulled)" ] || _common "$(pkg_orphans)" "$1 $(_names pulled)"
}
_open_records() {
    (umask 022 && mkdir -p /var/lib/stockade)
    mkdir -p "$folder"
    chmod 700 "$folder"
    : >>"$folder/before"
    : >>"$folder/owned"
    if grep -qs '^# stockade' POLICY; then rm -f POLICY; fi # of a run that was killed
    _marked=
    [ ! -f "$folder/unfinished" ] || _marked="$(_names removed) $(_names installed) $(_names pulled)"
    pkg_mend $_marked
    if [ -f "$folder/unfinished" ]; then # apt-get writes down at its end what came along
        _auto=$(_there $(_names pulled))
        [ -z "$_auto" ] || pkg_auto $_auto
    fi
    _unlink
}
_unlink() { # links to units of ours that were enabled under another name (Alias=), which their own scripts forget
    [ -f "$folder/aliases" ] || return 0
    for _link in /etc/systemd/system/*.service /etc/systemd/system/*.wants/*; do
        [ -L "$_link" ] && [ ! -e "$_link" ] || continue
        ! grep -qxF "$(basename "$(readlink "$_link")")" "$folder/aliases" || rm -f "$_link"
    done
    if [ -d /run/systemd/system ]; then _stop_left; fi
    rm -f "$folder/aliases"
}
_stop_left() { # some packages go and leave what they started
    while read -r _unit; do
        _state=$(systemctl show -p LoadState -p ActiveState "$_unit" </dev/null)
        [ "$(echo $_state)" = 'LoadState=not-found ActiveState=active' ] || continue
        timeout 30 systemctl stop "$_unit" </dev/null
    done <"$folder/aliases"
}
""".replace("POLICY", POLICY)

_REFUSE = """\
_refuse() { # LOST GONE MISSING
    _held=
    for _name in $1; do
        case $_name in
            ufw) ! grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || [ "$take_over" = yes ] || _held="$_held ufw" ;;
            firewalld) ! svc_active firewalld || [ "$take_over" = yes ] || _held="$_held firewalld" ;;
        esac
    done
    _held="$_held$(_common "$1" "$_guarded $present")"
    [ -n "$_held" ] || return 0
    _why=$2
    if [ -n "$(echo $3)" ]; then _why="${2:+$2; }to install: $(echo $3)"; fi
    echo "nothing was changed, because these would be removed with it:$_held" >&2
    case $_held in
        ' ufw' | ' firewalld')
            echo "(to remove: $(echo $_why)). It is active:" 'set `takeOver: true` under `stockade:firewall` to let' \\
                "Stockade take its place (delete gives it back), or leave the firewall to it:" '`keep`'":$_held." >&2 ;;
        *) echo "(to remove: $(echo $_why)). Take the package that they depend on out of the list." >&2 ;;
    esac
    exit PROTECTED
}
""".replace("exit PROTECTED", f"exit {PROTECTED}")

_TRANSACTION = """\
_pinned() { # with their versions of then
    for _name in $1; do _keep_lines removed "$_name" | awk '{ printf " %s=%s", $1, $2 }'; done
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
_transact() { # MISSING GONE DROP BACK
    _guarded=$(_without "$(_there $protected)" "$(_names installed) $(_names pulled)")
    pkg_plan "$1$(_pinned "$4")" "$2 $3" "$present $back $_guarded" 2>/dev/null ||
        pkg_plan "$1 $4" "$2 $3" "$present $back $_guarded" 2>"$folder/said" || {
        _failed=$?
        _kept=$(echo $(pkg_held))
        [ -z "$_kept" ] || { echo "$_kept" >&2; exit HELD; }
        cat "$folder/said" >&2
        exit "$_failed"
    }
    rm -f "$folder/said"
    _refuse "$pkg_lost" "$2" "$1"
    _installs=$(_common "$pkg_new" "$1")
    for _name in $(_common "$_installs" "$(sed -n 's/ missing$//p' "$folder/before")"); do
        _has "$_name" "$(_names installed)" || _note installed "$_name"
    done
    for _name in $(_without "$pkg_new" "$1 $4 $(_names pulled) $(_names removed)"); do _note pulled "$_name"; done
    : >"$folder/unfinished"
    _answering=
    if _has iptables-persistent "$1"; then # else the rules of the moment, bans included, are frozen into the boot file
        for _family in v4 v6; do
            echo "iptables-persistent iptables-persistent/autosave_$_family boolean false"
        done | pkg_answers & # debconf takes its time to start
        _answering=$!
    fi
    pkg_files_of $pkg_lost >"$folder/files"
    _keep "$pkg_lost" "$2" "$1"
    _units_of "$(_common "$pkg_lost" "$(_names installed) $(_names pulled)")" | sed 's/.* //' >>"$folder/aliases"
    for _file in files own etc owners units.of; do rm -f "$folder/$_file"; done
    _freeze "$(_keep_lines units "$4" | awk '{ print $2 }')$(_asleep "$1")"
    [ -z "$_answering" ] || wait "$_answering"
    if [ -n "$4" ]; then _keep_lines debconf "$4" | pkg_answers || :; fi
    if _has iptables-persistent "$1" && _has ufw "$pkg_lost" && grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then
        : >"$folder/ufw" # its rules stay in force until the Ruleset's take their place
        sed -i 's/^ENABLED=yes/ENABLED=no/' /etc/ufw/ufw.conf
    fi
    _loader= # firewalld stays in force until the Ruleset takes its place, also at a boot meanwhile
    ! _ends_firewalld "$1" || _loader=netfilter-persistent
    sync "$folder"/* "$folder" 2>/dev/null || sync # what a power cut must not take
    pkg_change
    [ -z "$_loader" ] || svc_off "$_loader"
    if grep -qs '^# stockade' POLICY; then rm -f POLICY; fi
    _settle
    _unlink
    rm -f "$folder/unfinished"
}
""".replace("POLICY", POLICY).replace("exit HELD", f"exit {HELD}")

_SHARED = _MANAGER + SERVICES + _RECORDS + ETC + KEEP + _REFUSE + BACK + _TRANSACTION

APPLY = (
    _SHARED
    + f"""\
real_names $present
[ -z "$nameless" ] || {{ why_nameless $nameless; exit {NAMELESS}; }}
wanted=$named
real_names $absent
asked=$named
if [ -n "$asked" ] && [ "$pkg_manager" = apt ] && ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    _apt update || : # what a name stands for is in there
fi
_open_records
pkg_gone=$(_names removed)
meanings=$(pkg_means $(_missing $wanted) $asked)
present=$(_to_install $wanted)
printf '%s\\n' "$meanings" >>"$folder/meant" # also what went already
sort -u "$folder/meant" >"$folder/meant.now"
_keep_lines meant.now "$asked" >"$folder/meant"
rm -f "$folder/meant.now"
absent="$(_without "$asked" "$(sed -n 's/ .* for$//p' "$folder/meant")") $(_others "$asked" '' <"$folder/meant")"
absent=$(_without "$absent" "$present")
found=$(_there $present $absent)
for _name in $(_without "$present $absent" "$(_names before)"); do
    _state=there
    _has "$_name" "$found" || _state=missing
    _note before "$_name $_state"
done
declared="$present $absent"
back=
if [ -f "$folder/removed" ]; then
    back=$(while read -r _name _version _mark _why; do
        _why=$(echo "$_why" | tr , ' ')
        _has "$_name" "$absent" || [ -n "$(_common "$_why" "$declared")" ] || printf ' %s' "$_name"
    done <"$folder/removed")
fi
half=$(pkg_half $(_without "$(_names removed)" "$back")) # in /etc as before the killed run, not as that left it
if [ -n "$half" ]; then
    _draft
    pkg_remove $half
fi
_settle
gone=$(_there $absent)
drop=$(_there $(_without "$(_names installed)" "$declared"))
along=$(_without "$(_names removed)" "$back")
idle=$(_stranded "$along")
missing=$(_without "$present" "$(_there $present)")
again=$(_without "$back" "$(_there $back)")
[ -n "$missing$again" ] || drop="$drop$idle" # else what comes may need it
if [ -n "$missing$gone$drop$again" ]; then _transact "$missing" "$gone" "$drop" "$again"; fi
if [ -n "$gone$drop$idle" ]; then # what nothing needs by now, though something that stays recommended it before
    idle=$(_without "$(_stranded "$along")" "$present $back")
    [ -z "$idle" ] || pkg_remove $idle
fi
_give_back "$back"
[ -z "$back" ] || _forget "$back"
_drop_lines "$(_without "$(_names before)" "$declared")"
[ -z "${{_dead:-}}" ] || {{ echo "installed again, but not started:$_dead" >&2; exit {UNSTARTED}; }}
"""
)

RESTORE = (
    _SHARED
    + f"""\
lost_records=
[ -f "$folder/before" ] || lost_records=yes
_open_records
_settle
if [ -n "$lost_records" ]; then # what the state knows is all there is
    for _name in $ours; do _note installed "$_name"; done
    for _name in $removed; do _note removed "$(echo "$_name" | tr = ' ') manual $_name"; done
fi
present=
back=$(_only_names $(_names removed))
drop=$(_there $(_names installed))
drop="$drop$(_stranded "")"
again=$(_without "$back" "$(_there $back)")
if [ -n "$drop$again" ]; then _transact "" "" "$drop" "$again"; fi
left="$(_stranded "") $(pkg_half $(_names installed) $(_names pulled))"
[ "$left" = " " ] || pkg_remove $left
_give_back "$back"
[ -z "${{_dead:-}}" ] || {{ echo "installed again, but not started:$_dead" >&2; exit {UNSTARTED}; }}
rm -rf "$folder"
rmdir "${{folder%/*}}" 2>/dev/null || :
"""
)

EXITS = {
    **UNSUPPORTED_EXIT,
    NAMELESS: "the distribution of this host has not what the stack config asks for",
    HELD: "nothing was changed, because the administrator of the host has these packages on hold, and they would have "
    "to change (`apt-mark unhold`, or HoldPkg in pacman.conf, lets them)",
}
