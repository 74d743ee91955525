"""The sh that keeps what a removal of packages takes away, and gives it back; part of `packages_shell.py`."""

POLICY = "/usr/sbin/policy-rc.d"

# /etc is copied before a removal; what is gone after it is kept, the rest of the copy dropped at once.
ETC = """\
_draft() {
    [ -f "$folder/draft.tar" ] || {
        tar -C / --exclude='etc/*shadow*' -cf "$folder/draft.new" etc
        mv "$folder/draft.new" "$folder/draft.tar"
    }
}
_verbatim() { ! tar --help | grep -q -e --verbatim-files-from || echo --verbatim-files-from; } # from tar 1.29 on
_listed() { tar --quoting-style=literal -tf "$1"; }
_settle() {
    [ -f "$folder/draft.tar" ] || return 0
    {
        [ ! -f "$folder/etc.tar" ] || _listed "$folder/etc.tar"
        ! [ -f "$folder/foreign" ] || cat "$folder/foreign"
        _listed "$folder/draft.tar" | while IFS= read -r _path; do
            if [ -e "/${_path%/}" ] || [ -L "/${_path%/}" ]; then printf '%s\\n' "$_path"
            else pkg_left "/$_path" "$folder/draft.tar"; fi
        done
    } >"$folder/stays.all"
    _listed "$folder/draft.tar" | awk 'NR == FNR { known[$0] = 1; next } $0 in known' "$folder/stays.all" - \\
        >"$folder/stays"
    cp "$folder/draft.tar" "$folder/gone.tar"
    tar --delete --no-recursion --no-wildcards $(_verbatim) -f "$folder/gone.tar" -T "$folder/stays"
    if [ -f "$folder/etc.tar" ]; then
        cp "$folder/etc.tar" "$folder/etc.new"
        tar -A -f "$folder/etc.new" "$folder/gone.tar"
        mv "$folder/etc.new" "$folder/etc.tar"
    else
        mv "$folder/gone.tar" "$folder/etc.tar"
    fi
    rm -f "$folder/draft.tar" "$folder/gone.tar" "$folder/stays" "$folder/stays.all" "$folder/foreign"
}
"""

KEEP = """\
_units_of() { # templates are nothing that runs
    pkg_files "$1" | sed -n '/@/d
        s#^.*/lib/systemd/system/\\([^/]*\\.\\(service\\|socket\\|timer\\|path\\)\\)$#\\1#p
        s#^/etc/\\(rc\\.d/\\)*init\\.d/\\([^/]*\\)$#\\2.service#p' | sort -u
}
_answers_of() { # what debconf knows of a package, passwords left out
    awk -v owner="$1" 'BEGIN { RS = ""; FS = "\\n" }
        {
            delete f
            for (i = 1; i <= NF; i++)
                if (match($i, /^[A-Za-z]+: /)) f[substr($i, 1, RLENGTH - 2)] = substr($i, RLENGTH + 1)
        }
        FILENAME ~ /templates/ { type[f["Name"]] = f["Type"]; next }
        ("Value" in f) && (", " f["Owners"] ",") ~ (", " owner ",") && f["Flags"] ~ /seen/ {
            t = type[f["Template"]]
            if (t ~ /^(string|boolean|select|multiselect)$/) print owner, f["Name"], t, f["Value"]
        }' /var/cache/debconf/templates.dat /var/cache/debconf/config.dat 2>/dev/null || :
}
_causes() { # LOST GONE MISSING: `name causes` for each of LOST
    for _cause in $2 $3; do
        _goes=pkg_goes
        if _has "$_cause" "$3"; then _goes=pkg_goes_for; fi
        "$_goes" "$_cause" | sed "s|.*|& $_cause|" || :
    done | awk -v lost="$(echo $1)" -v all="$(echo $2 $3 | tr ' ' ,)" '
        $1 == $2 { own[$1] = 1 }
        { why[$1] = why[$1] (why[$1] ? "," : "") $2 }
        END {
            n = split(lost, w, " ")
            for (i = 1; i <= n; i++) print w[i], own[w[i]] ? w[i] : why[w[i]] ? why[w[i]] : all
        }'
}
_own_etc() { # PACKAGE LOST: what it has in /etc; folders (written with a slash at the end) that no other package shares
    pkg_files "$1" | sed -n 's|^/etc/|&|p' | while IFS= read -r _path; do
        [ -d "$_path" ] && [ ! -L "$_path" ] || { printf '%s\\n' "${_path#/}"; continue; }
        _sharers=$(pkg_owners "$_path")
        [ -n "$(_without "$_sharers" "$2")" ] || printf '%s/\\n' "${_path#/}"
    done
}
_keep() { # LOST GONE MISSING: writes down what is needed to bring them back
    _ours="$(_names installed) $(_names pulled) $(sed -n 's/ missing$//p' "$folder/before")"
    _kept=$(_without "$1" "$_ours $(_names removed)")
    for _name in $(_without "$1" "$_kept $(_names removed)"); do
        _own_etc "$_name" "$1"
    done >"$folder/foreign"
    [ -n "$(_without "$1" "$_ours")" ] || { rm -f "$folder/foreign"; return 0; }
    _causes "$_kept" "$2" "$3" | while read -r _name _why; do
        _version=$(pkg_versions "$_name")
        _mark=manual
        ! pkg_is_auto "$_name" || _mark=auto
        _own_etc "$_name" "$1" | sed "s|^|$_name |" >>"$folder/owned"
        pkg_conffiles "$_name" | while IFS= read -r _path; do
            [ -e "$_path" ] || [ -L "$_path" ] || _note deleted "$_name ${_path#/}" # by the administrator
        done
        for _unit in $(_units_of "$_name"); do
            _note owned "$_name unit:${_unit%.*}"
            svc_state "$_unit" | sed "/ alias /d; s|^|$_name |" >>"$folder/units"
        done
        _answers_of "$_name" >>"$folder/debconf"
        _note removed "$_name ${_version#* } $_mark $_why"
    done
    _draft
}
"""

BACK = """\
_freeze() { # UNITS: they start when their files are back, not before; another's policy is left alone
    [ -n "$1" ] && [ ! -e POLICY ] || return 0
    trap 'rm -f POLICY' EXIT
    trap 'exit 129' HUP INT TERM PIPE
    {
        printf '#!/bin/sh\\n# stockade: until the configuration of what is installed again is back\\n'
        printf 'while [ "${1#--}" != "$1" ]; do shift; done\\ncase ${1%%.service} in '
        for _unit in $1; do printf '%s | ' "${_unit%.service}"; done
        printf ':) exit 101 ;; esac\\nexit 0\\n'
    } >POLICY
    chmod 755 POLICY
}
_paths_back() { # BACK: the members of etc.tar that are those packages', or nobody's and missing
    _listed "$folder/etc.tar" >"$folder/members"
    if [ -z "$(_without "$(_names removed)" "$1")" ]; then cat "$folder/members"; return 0; fi
    awk -v back="$(echo $1)" 'BEGIN { n = split(back, w, " "); for (i = 1; i <= n; i++) ok[w[i]] = 1 }
        { path = $0 }
        NR == FNR { sub("^[^ ]* ", "", path); if (!(path in owner) || $1 in ok) owner[path] = $1; next }
        {
            sub("/$", "", path)
            who = (path in owner) ? owner[path] : ""
            for (p = $0; who == "" && sub("[^/]+/*$", "", p);) if (p in owner) who = owner[p]
            base = path
            sub(".*/", "", base)
            if (path ~ "^etc/(rc\\.d/)?rc.\\.d/") base = substr(base, 4)
            sub("\\.[a-z]*$", "", base)
            if (who == "" && ("unit:" base) in owner) who = owner["unit:" base]
            if (who == "") print "-", $0
            else if (who in ok) print "+", $0
        }' "$folder/owned" "$folder/members" | while read -r _whose _path; do
        if [ "$_whose" = + ] || ! { [ -e "/${_path%/}" ] || [ -L "/${_path%/}" ]; }; then printf '%s\\n' "$_path"; fi
    done
}
_give_back() { # NAMES: their files, marks and services, after they are installed
    [ -n "$(echo $1)" ] || return 0
    for _unit in $(_keep_lines owned "$1" | sed -n 's/^[^ ]* unit://p'); do
        rm -f /etc/rc?.d/[SK][0-9][0-9]"$_unit"
    done
    if [ -f "$folder/etc.tar" ]; then
        _paths_back "$1" >"$folder/paths"
        _tar="tar --no-recursion --no-wildcards $(_verbatim)"
        if [ -s "$folder/paths" ]; then $_tar -C / -xpf "$folder/etc.tar" -T "$folder/paths"; fi
    fi
    _keep_lines deleted "$1" | while IFS=' ' read -r _name _path; do rm -f "/$_path"; done
    _auto=$(_there $(_keep_lines removed "$1" | sed -n 's/^\\([^ ]*\\) [^ ]* auto .*/\\1/p'))
    [ -z "$_auto" ] || pkg_auto $_auto
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    _dead=
    # sockets first: a running service would keep them from starting
    _keep_lines units "$1" | awk '{ print ($2 ~ /socket$/ ? 0 : 1), $0 }' | sort -s -k1,1n >"$folder/units.now"
    while read -r _order _name _unit _enabled _active; do
        [ "$(svc_state "$_unit")" = "$_unit $_enabled $_active" ] ||
            svc_restore "$_unit" "$_enabled" "$_active" </dev/null || _dead="$_dead $_unit"
    done <"$folder/units.now"
    rm -f "$folder/units.now"
    # ufw may be in force although its unit never ran
    _has ufw "$1" || return 0
    if [ -f "$folder/ufw" ] || grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then ufw --force enable >&2; fi
    rm -f "$folder/ufw"
}
_forget() { # NAMES that are as they were
    if [ -s "$folder/paths" ]; then
        cp "$folder/etc.tar" "$folder/etc.new"
        $_tar --delete -f "$folder/etc.new" -T "$folder/paths"
        mv "$folder/etc.new" "$folder/etc.tar"
    fi
    rm -f "$folder/paths" "$folder/members"
    _drop_lines "$1"
}
""".replace("POLICY", POLICY)
