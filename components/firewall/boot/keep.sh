# Records what is in force now, in the kernel's own words, as what the next boot expects, unless somebody has added to
# it meanwhile.
#
# keep_boot NEW-BOOT-FILE    records what the next boot checks
# kept_boot                  activates the record, once the boot file is in place; must never undo the change
#
# own_chains: `table/chain` of what is declared. preserved: the interfaces of others, a regular expression. doors,
# forward, neighbours: rules/analysis/doors.py. The rest is what gets installed: components/firewall/boot/installed.py.
# uses: components/firewall/boot/places.sh components/firewall/boot/opened.sh components/firewall/boot/own_lines.sh
# takes: ip_family tool boot boot_unit sets own_chains preserved doors forward neighbours
# takes: look_program sets_unit first_unit second_unit one_init sets_init first_init second_init

_put_file() { # PATH MODE TEXT
    (
        umask 022
        printf '%s' "$3" >"$1.$$"
        chmod "$2" "$1.$$"
    )
    mv -f "$1.$$" "$1"
}
_init_script() { # NAME TEXT LINK…: the links are for hosts without insserv
    _put_file "/etc/init.d/$1" 755 "$2"
    if [ -x /sbin/insserv ] && [ ! -e /etc/init.d/.legacy-bootordering ]; then
        flock /run/stockade/rc update-rc.d "$1" defaults >&2
        return
    fi
    _init_name=$1
    shift 2
    for _init_link in "$@"; do ln -sf "../init.d/$_init_name" "/etc/$_init_link$_init_name"; done
}
_look_at_boot() {
    _put_file "$boots/look" 700 "$look_program"
    if [ -d /run/systemd/system ]; then
        (umask 022 && mkdir -p "$_boot_units/multi-user.target.wants")
        _put_file "$_boot_units/stockade-sets.service" 644 "$sets_unit"
        _put_file "$_boot_units/stockade-firewall.service" 644 "$first_unit"
        _put_file "$_boot_units/stockade-firewall-again.service" 644 "$second_unit"
        for _boot_name in stockade-sets stockade-firewall stockade-firewall-again; do
            ln -sf "$_boot_units/$_boot_name.service" "$_boot_units/multi-user.target.wants/$_boot_name.service"
        done
    elif [ -d "$_boot_levels/rc3.d" ]; then
        _put_file "$_boot_levels/init.d/stockade-firewall" 755 "$one_init"
        for _boot_name in 2 3 4 5; do
            for _boot_place in S07 S09 S99; do
                ln -sf ../init.d/stockade-firewall "$_boot_levels/rc$_boot_name.d/${_boot_place}stockade-firewall"
            done
        done
    elif [ -d /etc/rcS.d ]; then
        _init_script stockade-sets "$sets_init" rcS.d/S36
        _init_script stockade-firewall "$first_init" rcS.d/S38
        _init_script stockade-firewall-again "$second_init" rc2.d/S99 rc3.d/S99 rc4.d/S99 rc5.d/S99
    fi
    sync "$boots/look" 2>/dev/null || :
}
keep_boot() {
    mkdir -p "$boots"
    drop_unfinished
    if [ -z "$own_chains$sets" ]; then return 0; fi
    mkdir -p "$boots/$ip_family.new"
    printf '%s\n' "$sets" >"$boots/$ip_family.new/sets"
    [ -z "$own_chains" ] || _expected "$1" # otherwise nothing is closed, so nothing can be left open
    sync "$boots/$ip_family.new"/* 2>/dev/null || :
    alone _look_at_boot
    mv "$boots/$ip_family.new" "$boots/$ip_family.next"
}
_expected() { # NEW-BOOT-FILE
    "$tool-save" | _own_lines >"$boots/$ip_family.new/expected"
    "$tool" --version >"$boots/$ip_family.new/version" 2>/dev/null || :
    if [ "$(wc -l <"$boots/$ip_family.new/expected")" -ne "$(_own_lines <"$1" | wc -l)" ]; then
        _own_lines <"$1" >"$boots/$ip_family.new/expected"
        echo another >"$boots/$ip_family.new/version"
    fi
    _own_lines <"$1" >"$boots/$ip_family.new/written"
    printf '%s\n' "$own_chains" "$preserved" >"$boots/$ip_family.new/own"
    printf '%s' "$doors" >"$boots/$ip_family.new/doors"
    printf "%s='%s'\n" tool "$tool" boot "$boot" unit "$boot_unit" forward "$forward" neighbours "$neighbours" \
        >"$boots/$ip_family.new/about"
}
kept_boot() {
    if [ -d "$boots/$ip_family.next" ]; then
        rm -rf "$boots/$ip_family.old"
        [ ! -d "$boots/$ip_family" ] || mv "$boots/$ip_family" "$boots/$ip_family.old"
        mv "$boots/$ip_family.next" "$boots/$ip_family"
        rm -rf "$boots/$ip_family.old"
    fi
    opened
}
