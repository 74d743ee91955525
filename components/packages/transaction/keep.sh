# _keep LOST GONE MISSING    records everything needed to restore the lost packages, before they are removed
# _units_of NAMES            prints their units; the record `files` lists their files
#
# Packages are queried all at once: with a full distribution's package lists, each query takes a while.
#
# uses: components/packages/transaction/records.sh components/packages/transaction/etc.sh hosts/packages/manager.sh
# uses: hosts/system/services.sh
# takes: folder
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_units_of() { # NAMES, from those in `files`: `name unit`; templates never run themselves
    _keep_lines files "$1" | sed -n '/ .*@/d
        s#^\([^ ]*\) .*/lib/systemd/system/\([^/]*\.\(service\|socket\|timer\|path\)\)$#\1 \2#p
        s#^\([^ ]*\) /etc/\(rc\.d/\)*init\.d/\([^/]*\)$#\1 \3.service#p' | sort -u
}
_answers_of() { # NAMES: their answers in debconf, without passwords
    names="$(echo $1)" awk '
        BEGIN { RS = ""; FS = "\n"; n = split(ENVIRON["names"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] }
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
_causes() { # LOST GONE MISSING: prints `name causes` for each of LOST
    pkg_causes "$2" "$3" | lost="$(echo $1)" all="$(echo $2 $3 | tr ' ' ,)" awk '
        BEGIN { lost = ENVIRON["lost"]; all = ENVIRON["all"] }
        $1 == $2 { own[$1] = 1 }
        { why[$1] = why[$1] (why[$1] ? "," : "") $2 }
        END {
            n = split(lost, w, " ")
            for (i = 1; i <= n; i++) print w[i], own[w[i]] ? w[i] : why[w[i]] ? why[w[i]] : all
        }'
}
_own_etc() { # LOST: `name path` for their files in /etc; directories (with a trailing slash) only if not shared
    sed -n 's|^\([^ ]* \)/\(etc/.*\)|\1\2|p' "$folder/files" | while IFS= read -r _row; do
        _path=/${_row#* }
        [ ! -d "$_path" ] || [ -L "$_path" ] || _row=$_row/
        printf '%s\n' "$_row"
    done >"$folder/etc"
    sed -n 's|^[^ ]* \(.*\)/$|/\1|p' "$folder/etc" | sort -u | pkg_owners_of >"$folder/owners"
    names="$(echo $1)" awk '
        BEGIN { n = split(ENVIRON["names"], w, " "); for (i = 1; i <= n; i++) lost[w[i]] }
        { path = $0; sub("^[^ ]* /*", "", path) }
        FILENAME == ARGV[1] { if (!($1 in lost)) shared[path "/"]; next }
        !(path in shared)' "$folder/owners" "$folder/etc"
}
_keep() { # LOST GONE MISSING: records what is needed to restore them; `files` lists their files
    _ours="$(_names installed) $(_names pulled) $(sed -n 's/ missing$//p' "$folder/before")"
    _known=$(_names removed)
    _kept=$(_without "$1" "$_ours $_known")
    _own_etc "$1" >"$folder/own"
    _keep_lines own "$(_without "$1" "$_kept $_known")" | sed 's/^[^ ]* //' >"$folder/foreign"
    [ -n "$(_without "$1" "$_ours")" ] || {
        rm -f "$folder/foreign"
        return 0
    }
    _keep_lines own "$_kept" >>"$folder/owned"
    pkg_conffiles_of $_kept | while IFS= read -r _row; do
        _path=/${_row#* /}
        [ -e "$_path" ] || [ -L "$_path" ] || _note deleted "${_row%% *} ${_path#/}" # deleted by the administrator
    done
    _units_of "$_kept" >"$folder/units.of"
    sed 's/ \(.*\)\.[a-z]*$/ unit:\1/' "$folder/units.of" >>"$folder/owned"
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
        $1 == "auto" { auto[$2] }
        $1 == "cause" { print $2, version[$2], ($2 in auto) ? "auto" : "manual", $3 }' >>"$folder/removed"
    _draft
}
