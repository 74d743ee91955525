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
# Packages are asked about all at once: on a host with a whole distribution's lists, each question takes a while.
_units_of() { # NAMES, of those that `files` lists: `name unit`; templates are nothing that runs
    _keep_lines files "$1" | sed -n '/ .*@/d
        s#^\\([^ ]*\\) .*/lib/systemd/system/\\([^/]*\\.\\(service\\|socket\\|timer\\|path\\)\\)$#\\1 \\2#p
        s#^\\([^ ]*\\) /etc/\\(rc\\.d/\\)*init\\.d/\\([^/]*\\)$#\\1 \\3.service#p' | sort -u
}
_answers_of() { # NAMES: what debconf knows of them, passwords left out
    names="$(echo $1)" awk '
        BEGIN { RS = ""; FS = "\\n"; n = split(ENVIRON["names"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] = 1 }
        {
            delete f
            for (i = 1; i <= NF; i++)
                if (match($i, /^[A-Za-z]+: /)) f[substr($i, 1, RLENGTH - 2)] = substr($i, RLENGTH + 1)
        }
        FILENAME ~ /templates/ { type[f["Name"]] = f["Type"]; next }
        ("Value" in f) && f["Flags"] ~ /seen/ {
            t = type[f["Template"]]
            n = t ~ /^(string|boolean|select|multiselect)$/ ? split(f["Owners"], owner, ", ") : 0
            for (i = 1; i <= n; i++) if (owner[i] in ok) print owner[i], f["Name"], t, f["Value"]
        }' /var/cache/debconf/templates.dat /var/cache/debconf/config.dat 2>/dev/null || :
}
_causes() { # LOST GONE MISSING: `name causes` for each of LOST
    pkg_causes "$2" "$3" | lost="$(echo $1)" all="$(echo $2 $3 | tr ' ' ,)" awk '
        BEGIN { lost = ENVIRON["lost"]; all = ENVIRON["all"] }
        $1 == $2 { own[$1] = 1 }
        { why[$1] = why[$1] (why[$1] ? "," : "") $2 }
        END {
            n = split(lost, w, " ")
            for (i = 1; i <= n; i++) print w[i], own[w[i]] ? w[i] : why[w[i]] ? why[w[i]] : all
        }'
}
_own_etc() { # LOST: `name path` for what they have in /etc; folders, with a slash at the end, that no other shares
    sed -n 's|^\\([^ ]* \\)/\\(etc/.*\\)|\\1\\2|p' "$folder/files" | while IFS= read -r _row; do
        _path=/${_row#* }
        [ ! -d "$_path" ] || [ -L "$_path" ] || _row=$_row/
        printf '%s\\n' "$_row"
    done >"$folder/etc"
    sed -n 's|^[^ ]* \\(.*\\)/$|/\\1|p' "$folder/etc" | sort -u | pkg_owners_of >"$folder/owners"
    names="$(echo $1)" awk '
        BEGIN { n = split(ENVIRON["names"], w, " "); for (i = 1; i <= n; i++) lost[w[i]] = 1 }
        { path = $0; sub("^[^ ]* /*", "", path) }
        FILENAME == ARGV[1] { if (!($1 in lost)) shared[path "/"] = 1; next }
        !(path in shared)' "$folder/owners" "$folder/etc"
}
_keep() { # LOST GONE MISSING: writes down what is needed to bring them back; `files` lists theirs
    _ours="$(_names installed) $(_names pulled) $(sed -n 's/ missing$//p' "$folder/before")"
    _known=$(_names removed)
    _kept=$(_without "$1" "$_ours $_known")
    _own_etc "$1" >"$folder/own"
    _keep_lines own "$(_without "$1" "$_kept $_known")" | sed 's/^[^ ]* //' >"$folder/foreign"
    [ -n "$(_without "$1" "$_ours")" ] || { rm -f "$folder/foreign"; return 0; }
    _keep_lines own "$_kept" >>"$folder/owned"
    pkg_conffiles_of $_kept | while IFS= read -r _row; do
        _path=/${_row#* /}
        [ -e "$_path" ] || [ -L "$_path" ] || _note deleted "${_row%% *} ${_path#/}" # by the administrator
    done
    _units_of "$_kept" >"$folder/units.of"
    sed 's/ \\(.*\\)\\.[a-z]*$/ unit:\\1/' "$folder/units.of" >>"$folder/owned"
    svc_state $(sed 's/.* //' "$folder/units.of" | sort -u) |
        awk 'NR == FNR { state[$1] = $2 " " $3; next }
            state[$2] !~ /^alias / { print $0, state[$2] }' - "$folder/units.of" >>"$folder/units"
    _answers_of "$_kept" >>"$folder/debconf"
    {
        pkg_versions $_kept | sed 's/^/version /'
        pkg_autos $_kept | sed 's/^/auto /'
        _causes "$_kept" "$2" "$3" | sed 's/^/cause /'
    } | awk '
        $1 == "version" { version[$2] = $3 }
        $1 == "auto" { auto[$2] = 1 }
        $1 == "cause" { print $2, version[$2], ($2 in auto) ? "auto" : "manual", $3 }' >>"$folder/removed"
    _draft
}
"""

BACK = """\
_freeze() { # UNITS: they start when their files are there, not before; another's policy is left alone
    [ -n "$1" ] && [ ! -e POLICY ] || return 0
    trap 'rm -f POLICY' EXIT
    trap 'exit 129' HUP INT TERM PIPE
    {
        printf '#!/bin/sh\\n# stockade: until the configuration of what is being installed is there\\n'
        printf 'while [ "${1#--}" != "$1" ]; do shift; done\\ncase ${1%%.service} in '
        for _unit in $1; do printf '%s | ' "${_unit%.service}"; done
        printf ':) exit 101 ;; esac\\nexit 0\\n'
    } >POLICY
    chmod 755 POLICY
}
_paths_back() { # BACK: the members of etc.tar that are those packages', or nobody's and missing
    _listed "$folder/etc.tar" >"$folder/members"
    if [ -z "$(_without "$(_names removed)" "$1")" ]; then cat "$folder/members"; return 0; fi
    back="$(echo $1)" awk '
        BEGIN { n = split(ENVIRON["back"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] = 1 }
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
    if [ -f "$folder/etc.tar" ]; then # else nothing of theirs was taken away yet
        for _unit in $(_keep_lines owned "$1" | sed -n 's/^[^ ]* unit://p'); do
            rm -f /etc/rc?.d/[SK][0-9][0-9]"$_unit"
        done
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
