# What packages of ours leave behind that their own scripts forget, by the record `aliases`.
#
# _unlink    links to their units that were enabled under another name (Alias=), and what they have running
#
# takes: folder
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

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
