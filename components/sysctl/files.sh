# The files that settings are read from at boot, by systemd-sysctl(8), sysctl(8) and SysV init scripts.
#
# assignments FILE...     prints lines of FILE LINE PATH VALUE for their settings, except those with a pattern in their
#                         names
# later_files             prints the files that are read after ours, one per line, with /etc/sysctl.conf, which some
#                         systems read last
# later_lines             prints the lines in them that override declared settings
# patterns                prints the paths net/ipv?/conf/*/SETTING to which earlier files assign values
#
# uses: hosts/system/files.sh components/sysctl/kernel.sh
# takes: dropin spread

sysctl_files() { # those of all directories; of files with the same name, the first one counts
    for folder in /etc /run /usr/local/lib /usr/lib /lib; do
        for file in "$folder"/sysctl.d/*.conf; do [ ! -e "$file" ] || printf '%s\n' "$file"; done
    done | awk -F/ '!($NF in seen) { seen[$NF]; print }' |
        while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done # a link to /dev/null disables a file
}
later_files() {
    sysctl_files | own="${dropin##*/}" awk -F/ '$NF > ENVIRON["own"]'
    [ ! -f /etc/sysctl.conf ] || echo /etc/sysctl.conf
    if grep -qsi '^ENABLED=["'\'']*yes' /etc/ufw/ufw.conf; then # ufw sets these when it starts
        file=$(sed -n 's/^IPT_SYSCTL=//p' /etc/default/ufw 2>/dev/null | tr -d "\"'")
        [ ! -f "${file:=/etc/ufw/sysctl.conf}" ] || printf '%s\n' "$file"
    fi
}
assignments() {
    for file in "$@"; do
        from="$file" awk '{
            line = $0
            sub(/^[ \t]*-?/, "", line)
            at = index(line, "=")
            if (line ~ /^[#;]/ || !at) next
            name = substr(line, 1, at - 1)
            gsub(/[ \t]/, "", name)
            value = substr(line, at + 1)
            gsub(/[ \t\r]+/, " ", value)
            gsub(/^ | $/, "", value)
            path = name
            if (match(name, "[./]") && substr(name, RSTART, 1) == ".") {
                path = ""
                for (i = 1; i <= length(name); i++) {
                    c = substr(name, i, 1)
                    path = path (c == "." ? "/" : c == "/" ? "." : c)
                }
            }
            if (path != "") print ENVIRON["from"], FNR, path, value
        }' "$file"
    done
}
later_lines() {
    set --
    while IFS= read -r file; do set -- "$@" "$file"; done <<EOF
$(later_files | grep -v '[[:space:]]')
EOF
    [ -n "${1-}" ] || return 0
    small "$@"
    {
        targets | sed 's/^/= = /'
        assignments "$@"
    } | awk '{
            path = $3
            value = $0
            sub(/^[^ ]+ [^ ]+ [^ ]+ ?/, "", value)
            if ($1 == "=") wanted[path] = value
            else if (path in wanted && wanted[path] != value) print $1 ":" $2 ": " path " = " value
        }'
}
patterns() {
    set --
    while IFS= read -r file; do [ "$file" = "$dropin" ] || set -- "$@" "$file"; done <<EOF
$(sysctl_files | grep -v '[[:space:]]')
EOF
    [ -n "${1-}" ] || return 0
    assignments "$@" | spread="$spread" awk '
        BEGIN {
            n = split(ENVIRON["spread"], all, " ")
            for (i = 1; i <= n; i++) { sub("/all/", "/*/", all[i]); ours[all[i]] }
        }
        $3 in ours && !($3 in seen) { seen[$3]; print $3 }'
}
