# Whether another of apt's files overrides ours.
#
# dump FILES     what apt reads from these and ours
# overruled      whether a file that is read later overrides ours; prints its name and the settings
#
# Apt reads its files in the order of their names, and /etc/apt/apt.conf last; later files win. Only apt knows the
# result, so it is run on copies in the directory `trial`: first on all files, then on each other file alone beside
# ours.
#
# takes: dropin text trial

dump() {
    rm -rf "$trial/parts"
    mkdir "$trial/parts"
    : >"$trial/main"
    for _file in "$@"; do
        case $_file in
            "$dropin") ;;
            /etc/apt/apt.conf) cat "$_file" >"$trial/main" ;;
            *) cp "$_file" "$trial/parts" ;;
        esac
    done
    printf '%s' "$text" >"$trial/parts/${dropin##*/}"
    printf 'Dir::Etc::parts "%s";\nDir::Etc::main "%s";\n' "$trial/parts" "$trial/main" >"$trial/config"
    APT_CONFIG=$trial/config apt-config dump
}
_otherwise() { # stdin, a dump: prints its settings that differ from ours
    awk '
        { name = $1; key = tolower(name); value = $0; sub(/^[^ ]* "/, "", value); sub(/";$/, "", value) }
        key ~ /^apt::periodic::(enable|update-package-lists|unattended-upgrade)$/ {
            value = value != "" && value != "0" # how often is up to them
            known = 1
        }
        key ~ /^unattended-upgrade::(automatic-reboot-time|mail|mailreport)$/ { known = 1 }
        key == "unattended-upgrade::automatic-reboot" { value = tolower(value) ~ /^(true|yes|on|1)$/; known = 1 }
        key ~ /^unattended-upgrade::(origins-pattern|allowed-origins)::$/ {
            name = substr(name, 1, length(name) - 2)
            key = "origins"
            known = 1
        }
        known && FNR == NR { ours[key] = ours[key] "\n" value }
        known && FNR != NR { theirs[key] = theirs[key] "\n" value }
        known { called[key] = name; known = 0 }
        END { for (key in ours) if (ours[key] != theirs[key]) printf " %s", called[key] }' "$trial/ours" -
}
overruled() {
    set -- /etc/apt/apt.conf.d/*
    [ ! -f /etc/apt/apt.conf ] || set -- "$@" /etc/apt/apt.conf
    dump >"$trial/ours"
    [ -n "$(dump "$@" 2>/dev/null | _otherwise)" ] || return 1
    for _each in "$@"; do
        dump "$_each" >"$trial/theirs" 2>&1 || {
            echo "$_each: apt cannot read it" >&2
            continue
        }
        _keys=$(_otherwise <"$trial/theirs")
        [ -z "$_keys" ] || echo "$_each:$_keys" >&2
    done
}
