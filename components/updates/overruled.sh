# Whether another of apt's files says otherwise than ours.
#
# dump FILES     what apt reads of these and of ours
# overruled      whether a file that is read later says otherwise; names it and the settings
#
# Files of apt are read in the order of their names, /etc/apt/apt.conf last: what a later one says counts. What it says
# in the end only apt knows, so it is asked, with copies in the folder `trial`; then with each other file alone beside
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
_otherwise() { # stdin, a dump: the settings in it that are not as ours
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
    [ -n "$(dump "$@" | _otherwise)" ] || return 1
    for _each in "$@"; do
        _keys=$(dump "$_each" | _otherwise)
        [ -z "$_keys" ] || echo "$_each:$_keys" >&2
    done
}
