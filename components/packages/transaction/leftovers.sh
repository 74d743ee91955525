# What our packages leave behind and their own scripts forget, based on the record `aliases`.
#
# _unlink    removes links to units enabled under another name (Alias=), and stops what they left running
#
# takes: folder
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_unlink() { # removes links to our units that were enabled under another name (Alias=), which their own scripts forget
    [ -f "$folder/aliases" ] || return 0
    for _link in /etc/systemd/system/*.service /etc/systemd/system/*.wants/*; do
        [ -L "$_link" ] && [ ! -e "$_link" ] || continue
        ! grep -qxF "$(basename "$(readlink "$_link")")" "$folder/aliases" || rm -f "$_link"
    done
    if [ -d /run/systemd/system ]; then _stop_left; fi
    rm -f "$folder/aliases"
}
_stop_left() { # some packages leave running what they started
    while read -r _unit; do
        _state=$(systemctl show -p LoadState -p ActiveState "$_unit" </dev/null)
        [ "$(echo $_state)" = 'LoadState=not-found ActiveState=active' ] || continue
        timeout 30 systemctl stop "$_unit" </dev/null || {
            systemctl kill -s KILL "$_unit" </dev/null || :
            timeout 30 systemctl stop "$_unit" </dev/null || ! systemctl -q is-active "$_unit" </dev/null
        }
    done <"$folder/aliases"
}
