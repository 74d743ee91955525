# _give_back NAMES    restores their files, marks and services once installed; sets _dead: units that do not start
# _forget NAMES       drops the records of packages that are fully restored
#
# uses: components/packages/transaction/records.sh components/packages/transaction/etc.sh hosts/packages/manager.sh
# uses: hosts/system/services.sh
# takes: folder
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_paths_back() { # BACK: members of etc.tar that belong to those packages, or to none and are missing
    _listed "$folder/etc.tar" >"$folder/members"
    if [ -z "$(_without "$(_names removed)" "$1")" ]; then
        cat "$folder/members"
        return 0
    fi
    back="$(echo $1)" awk '
        BEGIN { n = split(ENVIRON["back"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] }
        { path = $0 }
        NR == FNR { sub("^[^ ]* ", "", path); if (!(path in owner) || $1 in ok) owner[path] = $1; next }
        {
            sub("/$", "", path)
            who = (path in owner) ? owner[path] : ""
            for (p = $0; who == "" && sub("[^/]+/*$", "", p);) if (p in owner) who = owner[p]
            base = path
            sub(".*/", "", base)
            if (path ~ "^etc/(rc\.d/)?rc.\.d/") base = substr(base, 4)
            sub("\.[a-z]*$", "", base)
            if (who == "" && ("unit:" base) in owner) who = owner["unit:" base]
            if (who == "") print "-", $0
            else if (who in ok) print "+", $0
        }' "$folder/owned" "$folder/members" | while read -r _whose _path; do
        if [ "$_whose" = + ] || ! { [ -e "/${_path%/}" ] || [ -L "/${_path%/}" ]; }; then printf '%s\n' "$_path"; fi
    done
}
_give_back() { # NAMES: restores their files, marks and services once installed
    [ -n "$(echo $1)" ] || return 0
    if [ -f "$folder/etc.tar" ]; then # otherwise nothing of theirs was removed yet
        for _unit in $(_keep_lines owned "$1" | sed -n 's/^[^ ]* unit://p'); do
            rm -f /etc/rc?.d/[SK][0-9][0-9]"$_unit"
        done
        _paths_back "$1" >"$folder/paths"
        _tar="tar --no-recursion --no-wildcards $(_verbatim)"
        if [ -s "$folder/paths" ]; then $_tar -C / -xpf "$folder/etc.tar" -T "$folder/paths"; fi
    fi
    _keep_lines deleted "$1" | while IFS=' ' read -r _name _path; do rm -f "/$_path"; done
    _auto=$(_there $(_keep_lines removed "$1" | sed -n 's/^\([^ ]*\) [^ ]* auto .*/\1/p'))
    [ -z "$_auto" ] || pkg_auto $_auto
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    _dead=
    # sockets first: they cannot start while their service is running
    _keep_lines units "$1" | awk '{ print ($2 ~ /socket$/ ? 0 : 1), $0 }' | sort -s -k1,1n >"$folder/units.now"
    while read -r _order _name _unit _enabled _active; do
        [ "$(svc_state "$_unit")" = "$_unit $_enabled $_active" ] ||
            svc_restore "$_unit" "$_enabled" "$_active" </dev/null || _dead="$_dead $_unit"
    done <"$folder/units.now"
    rm -f "$folder/units.now"
    # ufw may have been in force although its unit never ran
    _has ufw "$1" || return 0
    if [ -f "$folder/ufw" ] || grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then ufw --force enable >&2; fi
    rm -f "$folder/ufw"
}
_forget() { # NAMES that are fully restored
    if [ -s "$folder/paths" ]; then
        cp "$folder/etc.tar" "$folder/etc.new"
        $_tar --delete -f "$folder/etc.new" -T "$folder/paths"
        mv "$folder/etc.new" "$folder/etc.tar"
    fi
    rm -f "$folder/paths" "$folder/members"
    _drop_lines "$1"
}
