"""Firewall programs for the stage (tests/shell_room.py), which keep their state in /fake.

iptables, ip6tables      /fake/TOOL is the output of TOOL-save. TOOL-restore without -n writes its input there; with -n,
                         the test provides the result in /fake/TOOL.next. It refuses lines that match one of
                         /fake/TOOL.refuses, and -w if /fake/no-wait exists
nft                      /fake/nft/FAMILY.NAME is a table; input of `nft -f` is only recorded
ipset                    sets in /fake/ipset, as `ipset save` prints them; /fake/ipset.used/NAME: rules use the set
systemctl                /fake/units/UNIT has `ENABLED ACTIVE`; UNIT.fails, UNIT.own (cannot be masked), UNIT.along
                         (ConsistsOf=), UNIT.quiet (the drop-in at the last start or stop)
"""

from tests.shell_room import Stage

_SAVE = r"""
tool=${0##*/}
tool=${tool%-save}
table= counted=
while [ $# -gt 0 ]; do
    case $1 in -t) table=$2; shift ;; -c) counted=1 ;; esac
    shift
done
if [ -z "$table" ]; then
    cat "/fake/$tool" 2>/dev/null
elif grep -qx "\*$table" "/fake/$tool" 2>/dev/null; then
    sed -n "/^\*$table\$/,/^COMMIT/p" "/fake/$tool"
else
    printf '*%s\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n' "$table"
fi | if [ -n "$counted" ]; then sed 's/^-A/[1:2] -A/'; else cat; fi
"""
_RESTORE = r"""
tool=${0##*/}
tool=${tool%-restore}
text=$(cat)
try= add=
for word; do
    case $word in
        --test) try=1 ;;
        -n | --noflush) add=1 ;;
        -w) [ ! -e /fake/no-wait ] || { echo "no option -w" >&2; exit 2; } ;;
    esac
done
if [ -f "/fake/$tool.refuses" ]; then
    number=$(printf '%s\n' "$text" | grep -n -f "/fake/$tool.refuses" | head -n 1 | cut -d: -f1)
    [ -z "$number" ] || { echo "$tool-restore: line $number failed" >&2; exit 1; }
fi
[ -z "$try" ] || exit 0
if [ -z "$add" ]; then
    printf '%s\n' "$text" | sed 's/^\[[0-9:]*\] //' >"/fake/$tool"
elif [ -f "/fake/$tool.next" ]; then
    mv "/fake/$tool.next" "/fake/$tool"
fi
"""
_TOOL = r"""
case $1 in -V | --version) cat "/fake/${0##*/}.version" ;; esac
"""
_NFT = r"""
while :; do case $1 in -s | -t) shift ;; *) break ;; esac; done
case "$1 $2" in
    'list tables')
        cd /fake/nft || exit
        for name in *; do [ ! -f "$name" ] || echo "table ${name%%.*} ${name#*.}"; done ;;
    'list table') cat "/fake/nft/$3.$4" ;;
    'delete table') rm "/fake/nft/$3.$4" ;;
    -f*) case $2 in -) cat ;; *) cat "$2" ;; esac >/fake/nft.loaded ;;
esac
"""
_IPSET = r"""
cd /fake/ipset || exit 1
exist=
while :; do case $1 in -exist) exist=1; shift ;; *) break ;; esac; done
case $1 in
    save)
        [ -z "${2:-}" ] || [ -f "$2" ] || { echo "The set with the given name does not exist" >&2; exit 1; }
        cat ${2:-*} ;;
    restore)
        while read -r word name rest; do
            case $rest in *nonsense*) echo "ipset: syntax error: nonsense" >&2; exit 1 ;; esac
            [ "$word$exist" != create ] || [ ! -e "$name" ] || { echo "set with the same name exists" >&2; exit 1; }
            case $word in create) echo "create $name $rest" >"$name" ;; add) echo "add $name $rest" >>"$name" ;; esac
        done ;;
    rename) sed "s/^\([a-z]*\) [^ ]*/\1 $3/" "$2" >"$3"; rm "$2" ;;
    swap)
        sed "s/^\([a-z]*\) [^ ]*/\1 $3/" "$2" >"../swap"
        sed "s/^\([a-z]*\) [^ ]*/\1 $2/" "$3" >"$2"
        mv ../swap "$3" ;;
    destroy) [ ! -e "/fake/ipset.used/$2" ] && rm "$2" ;;
    list) if [ -e "/fake/ipset.used/$3" ]; then echo 'References: 1'; else echo 'References: 0'; fi ;;
esac
"""
_SYSTEMCTL = r"""
quiet=
while :; do case $1 in -q) quiet=1; shift ;; --*) shift ;; *) break ;; esac; done
verb=$1
shift
unit() {
    name=${1%.service}.service enabled= active=inactive
    [ ! -f "/fake/units/$name" ] || read -r enabled active <"/fake/units/$name"
}
put() { mkdir -p /fake/units; echo "$enabled $active" >"/fake/units/$name"; }
for last; do :; done
case $verb in daemon-reload) exit ;; esac
unit "$last"
case $verb in
    is-enabled) [ -n "$quiet" ] || echo "${enabled:-not-found}"; [ "$enabled" = enabled ] ;;
    is-active) [ -n "$quiet" ] || echo "$active"; [ "$active" = active ] ;;
    cat) [ -n "$enabled" ] ;;
    enable | disable) enabled=${verb}d; put ;;
    mask) [ ! -e "/fake/units/$name.own" ] || exit 1; enabled=masked; put ;;
    unmask) [ "$enabled" != masked ] || { enabled=disabled; put; } ;;
    start | stop)
        rm -f "/fake/units/$name.quiet"
        [ ! -f "/run/systemd/system/$name.d/stockade.conf" ] ||
            cp "/run/systemd/system/$name.d/stockade.conf" "/fake/units/$name.quiet"
        [ ! -e "/fake/units/$name.fails" ] || exit 1
        case $verb in start) active=active ;; *) active=inactive ;; esac
        put ;;
    show)
        case "$*" in
            *ConsistsOf*) echo "ConsistsOf=$(cat "/fake/units/$name.along" 2>/dev/null)" ;;
            *ExecStart*) cat /fake/units/show ;;
            *)
                for word; do
                    case $word in -p | Id | ActiveState | UnitFileState | SourcePath) continue ;; esac
                    unit "$word"
                    printf 'Id=%s\nActiveState=%s\nUnitFileState=%s\nSourcePath=\n\n' "$name" "$active" "$enabled"
                done ;;
        esac ;;
esac
"""


def iptables(stage: Stage, *tools: str, version: str = "iptables v1.8.9 (nf_tables)") -> None:
    """Install iptables and ip6tables on the stage, or only the named tools."""
    for tool in tools or ("iptables", "ip6tables"):
        stage.program(tool, _TOOL)
        stage.program(f"{tool}-save", _SAVE)
        stage.program(f"{tool}-restore", _RESTORE, reads=True)
        stage.write(f"/fake/{tool}.version", f"{version}\n")


def nft(stage: Stage, **tables: str) -> None:
    """Install nft on the stage, with tables by `FAMILY_NAME`."""
    stage.program("nft", _NFT)
    stage.folder("/fake/nft")
    for name, text in tables.items():
        stage.write(f"/fake/nft/{name.replace('_', '.', 1)}", text)


def ipset(stage: Stage, **sets: str) -> None:
    """Install ipset on the stage, with sets by name."""
    stage.program("ipset", _IPSET)
    stage.folder("/fake/ipset")
    for name, text in sets.items():
        stage.write(f"/fake/ipset/{name}", text)


def systemctl(stage: Stage, **units: str) -> None:
    """Make systemd process 1, with services by name (`_` for `-`) and their state, such as `enabled active`."""
    stage.systemd()
    stage.program("systemctl", _SYSTEMCTL)
    stage.folder("/fake/units")
    for name, state in units.items():
        stage.write(f"/fake/units/{name.replace('_', '-')}.service", f"{state}\n")


def unit(stage: Stage, name: str) -> str:
    """Return the state of a service."""
    return stage.read(f"/fake/units/{name}.service").strip()


def sets(stage: Stage) -> dict[str, str]:
    """Return the existing sets."""
    return {file.name: file.read_text() for file in sorted(stage.path("/fake/ipset").iterdir())}


def loads(stage: Stage, tool: str) -> list[str]:
    """Return the inputs of restores, without those of tests (`--test`)."""
    return [call.stdin or "" for call in stage.calls(f"{tool}-restore") if "--test" not in call.arguments]
