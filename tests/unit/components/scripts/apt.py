"""A Debian on a stage: apt-get, dpkg and related programs as stubs with a small archive of packages.

The files of a package are a tree, /repo/NAME, which is installed and removed with it. Its units are started at
installation, unless policy-rc.d forbids that. `dies(WHEN)` ends the whole run with SIGKILL, like a power cut.
"""

from dataclasses import dataclass
from typing import Literal

from tests.shell_room import Stage
from tests.unit.components.scripts.stubs import Units, systemctl

# /repo/archive: name|version|depends|conflicts|section|provides; /var/lib/dpkg/there: name version mark state
_SOLVE = r"""
BEGIN { FS = "|"; count = split(ENVIRON["asked"], token, " ") }
FILENAME ~ /archive$/ { version[$1] = $2; depends[$1] = $3; conflicts[$1] = $4; next }
{
    split($0, row, " ")
    mark[row[1]] = row[3]
    if (row[4] == "installed") { was[row[1]] = row[2]; is[row[1]] = 1; order[++rows] = row[1] }
}
function add(name,    i, n, w) {
    if (name in is) return
    if (!(name in version)) { print "E: Unable to locate package " name; failed = 1; return }
    is[name] = 1
    n = split(depends[name], w, " ")
    for (i = 1; i <= n; i++) add(w[i])
    if (!(name in was)) order[++rows] = name
    n = split(conflicts[name], w, " ")
    for (i = 1; i <= n; i++) drop(w[i])
}
function drop(name,    i, n, w, k) {
    if (!(name in is)) return
    delete is[name]
    for (k = 1; k <= rows; k++)
        if (order[k] in is) {
            n = split(depends[order[k]], w, " ")
            for (i = 1; i <= n; i++) if (w[i] == name) drop(order[k])
        }
}
function need(name,    i, n, w) {
    if (!(name in is) || (name in needed)) return
    needed[name] = 1
    n = split(depends[name], w, " ")
    for (i = 1; i <= n; i++) need(w[i])
}
END {
    for (t = 1; t <= count; t++) if (token[t] ~ /-$/) { sub(/-$/, "", token[t]); drop(token[t]); token[t] = "" }
    for (t = 1; t <= count; t++) if (token[t] != "") { sub(/=.*/, "", token[t]); wanted[token[t]] = 1; add(token[t]) }
    if (failed) exit 100
    if (ENVIRON["auto"] != "") {
        for (k = 1; k <= rows; k++)
            if ((order[k] in wanted) || (order[k] in was && mark[order[k]] != "auto")) need(order[k])
        for (k = 1; k <= rows; k++) if (order[k] in is && !(order[k] in needed)) delete is[order[k]]
    }
    for (k = 1; k <= rows; k++)
        if (order[k] in was && !(order[k] in is)) print ENVIRON["removes"], order[k], "[" was[order[k]] "]"
    for (k = 1; k <= rows; k++)
        if (!(order[k] in was) && order[k] in is)
            print "Inst", order[k], "(" version[order[k]] " stable)", (order[k] in wanted) ? "manual" : "auto"
}
"""
_APT_GET = r"""
simulates= auto= verb= asked= removes=Remv
for word; do
    case $word in
        -s) simulates=yes ;;
        --auto-remove) auto=yes ;;
        --purge) removes=Purg ;;
        -o | *=*::* | [A-Z]*::*) ;;
        -f) verb=mend ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else asked="$asked $word"; fi ;;
    esac
done
case $verb in
    update | check | mend) exit 0 ;;
    autoremove) auto=yes ;;
    purge)
        removes=Purg
        names=$asked asked=
        for name in $names; do asked="$asked $name-"; done ;;
esac
if [ -s /repo/refuses ] && [ -z "$simulates" ]; then cat /repo/refuses; exit 100; fi
plan=$(asked=$asked auto=$auto removes=$removes awk -f /repo/solve.awk /repo/archive /var/lib/dpkg/there) || {
    echo "$plan" >&2
    exit 100
}
if [ -n "$simulates" ]; then echo "$plan"; exit 0; fi
dies() { [ "$(cat /repo/dies 2>/dev/null)" != "$1" ] || { rm -f /repo/dies; kill -9 -1; exit 1; }; }
dies before
gone=$(echo "$plan" | sed -n 's/^\(Remv\|Purg\) \([^ ]*\) .*/\2/p')
[ -z "$verb" ] || [ "$verb" != purge ] || for name in $names; do
    grep -q "^$name [^ ]* [^ ]* config-files" /var/lib/dpkg/there && gone="$gone $name"
done
for name in $gone; do
    (cd "/repo/$name" 2>/dev/null || exit 0; find . -type f) | sed 's/^\.//' | xargs -r rm -f
    (cd "/repo/$name" 2>/dev/null || exit 0; find . -mindepth 1 -depth -type d) | sed 's/^\.//' |
        while read -r path; do rmdir "$path" 2>/dev/null; done
    grep -v "^$name " /var/lib/dpkg/there >/var/lib/dpkg/now
    mv /var/lib/dpkg/now /var/lib/dpkg/there
    rm -f "/run/units/$name.service" /etc/rc?.d/[SK][0-9][0-9]"$name"
    dies removing
done
echo "$plan" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) stable) \(.*\)/\1 \2 \3/p' | while read -r name version mark; do
    grep -v "^$name " /var/lib/dpkg/there >/var/lib/dpkg/now
    mv /var/lib/dpkg/now /var/lib/dpkg/there
    [ "$(cat /repo/dies 2>/dev/null)" != installing ] || mark=manual # it writes the marks at its end
    echo "$name $version $mark installed" >>/var/lib/dpkg/there
    [ ! -d "/repo/$name" ] || (cd "/repo/$name" && find . -type f | while read -r path; do
        [ -e "/$path" ] || { mkdir -p "/${path%/*}"; cp "$path" "/$path"; }
    done)
    if [ -e "/repo/$name/lib/systemd/system/$name.service" ]; then
        if [ ! -x /usr/sbin/policy-rc.d ] || /usr/sbin/policy-rc.d "$name" start; then
            echo 'enabled active' >"/run/units/$name.service"
        else echo 'enabled inactive' >"/run/units/$name.service"; fi
    fi
    dies installing
done
dies after
"""
# One program for all packages: a process for each would take most of a test's time.
_QUERY = r"""
BEGIN {
    FS = "|"
    patterns = split(ENVIRON["patterns"], pattern, " ")
    for (i = 1; i <= patterns; i++) {
        gsub(/[.+]/, "[&]", pattern[i])
        gsub(/\*/, ".*", pattern[i])
        gsub(/\?/, ".", pattern[i])
    }
}
FILENAME ~ /archive$/ { if (!($1 in depends)) { depends[$1] = $3; section[$1] = $5; provides[$1] = $6 }; next }
FILENAME ~ /settings$/ { split($0, part, "/"); name = part[3]
    settings[name] = settings[name] (settings[name] ? "\n" : "") " " substr($0, length("/repo/" name) + 1) " 0123abcd"
    next
}
function put(name, value,    at) {
    while (at = index(out, "${" name "}")) out = substr(out, 1, at - 1) value substr(out, at + length(name) + 3)
}
{
    split($0, row, " ")
    name = row[1]
    wanted = !patterns
    for (i = 1; i <= patterns; i++) if (name ~ "^" pattern[i] "$") wanted = 1
    if (!wanted) next
    found = 1
    out = ENVIRON["form"]
    gsub(/ /, ", ", depends[name])
    put("Status", "install ok " row[4]); put("Version", row[2]); put("Conffiles", settings[name])
    put("Package", name); put("binary:Package", name); put("source:Package", name); put("Priority", "optional")
    put("Section", section[name]); put("Provides", provides[name]); put("Depends", depends[name])
    put("Essential", ""); put("binary:Summary", "")
    gsub(/\\n/, "\n", out)
    gsub(/\\t/, "\t", out)
    printf "%s", out
}
END { exit !found }
"""
_DPKG_QUERY = r"""
mode=$1
shift
case $mode in
    -W)
        form='${Package}\t${Version}\n'
        if [ "${1-}" = -f ]; then form=$2; shift 2; fi
        case $form in
            *Conffiles*) find /repo/*/etc -type f 2>/dev/null | sort >/repo/settings ;;
            *) : >/repo/settings ;;
        esac
        form=$form patterns=$* awk -f /repo/query.awk /repo/archive /repo/settings /var/lib/dpkg/there ;;
    -L)
        first=yes
        for name; do
            grep -q "^$name " /var/lib/dpkg/there || { echo "no $name" >&2; exit 1; }
            [ -n "$first" ] || echo
            first=
            echo /.
            (cd "/repo/$name" 2>/dev/null && find . -mindepth 1 | sort | sed 's/^\.//')
        done ;;
    -S)
        for path; do
            owners=
            while read -r name _; do
                [ ! -e "/repo/$name$path" ] || owners="$owners${owners:+, }$name"
            done </var/lib/dpkg/there
            [ -z "$owners" ] || echo "$owners: $path"
        done ;;
esac
"""
_APT_MARK = r"""
verb=$1
shift
for name; do
    case $verb in
        showauto) sed -n "s/^\($name\) [^ ]* auto .*/\1/p" /var/lib/dpkg/there ;;
        auto) sed -i "s/^\($name [^ ]*\) [^ ]* /\1 auto /" /var/lib/dpkg/there ;;
    esac
done
[ "$verb" != showhold ] || cat /repo/held 2>/dev/null || :
"""
_APT_CACHE = r"""
verb=$1
for name; do
    [ "$verb" != show ] || grep "^$name|" /repo/archive | awk -F'|' '{
        gsub(/ /, ", ", $3)
        printf "Package: %s\nVersion: %s\nDepends: %s\nSection: %s\nProvides: %s\n\n", $1, $2, $3, $5, $6
    }'
done
case $* in *showpkg*)
    echo 'Versions: '
    grep -q "^$name|" /repo/archive && echo '1 (/var/lib/apt/lists)'
    echo 'Reverse Provides: '
    awk -F'|' -v name="$name" '$6 == name { print $1, "1 (= )" }' /repo/archive ;;
esac
"""

Moment = Literal["before", "removing", "installing", "after"]


@dataclass(frozen=True)
class Debian:
    """The packages of the stage."""

    stage: Stage
    units: Units

    def has(self, name: str, needs: str = "", conflicts: str = "", section: str = "misc", provides: str = "") -> None:
        """Add a package to the archive."""
        archive = self.stage.read("/repo/archive")
        self.stage.write("/repo/archive", f"{archive}{name}|1|{needs}|{conflicts}|{section}|{provides}\n")

    def daemon(self, name: str, needs: str = "", conflicts: str = "") -> None:
        """Add a package with a service and its configuration to the archive."""
        self.has(name, needs=needs, conflicts=conflicts)
        self.stage.write(f"/repo/{name}/lib/systemd/system/{name}.service")
        self.stage.write(f"/repo/{name}/etc/{name}.d/{name}.conf", f"{name}'s\n")

    def install(self, *names: str) -> None:
        """Install packages as an administrator does."""
        self.stage.execute("apt-get", "install", *names)
        self.stage.forget_calls()

    def installed(self) -> dict[str, str]:
        """Return the installed packages, each `auto` or `manual`."""
        rows = (line.split() for line in self.stage.read("/var/lib/dpkg/there").splitlines())
        return {row[0]: row[2] for row in rows if row[3] == "installed"}

    def dies(self, moment: Moment) -> None:
        """Kill the next change of packages, with everything that runs: once."""
        self.stage.write("/repo/dies", moment)


def debian(stage: Stage) -> Debian:
    """Make the stage a Debian 12 with a few packages that every host has."""
    stage.write("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
    stage.write("/repo/solve.awk", _SOLVE)
    stage.write("/repo/query.awk", _QUERY)
    stage.write("/var/lib/dpkg/there")
    stage.write("/var/lib/apt/lists/deb_Packages")
    stage.folder("/var/lib/dpkg/updates")
    units = systemctl(stage)
    stage.program("apt-get", _APT_GET)
    stage.program("dpkg-query", _DPKG_QUERY)
    stage.program("apt-mark", _APT_MARK)
    stage.program("apt-cache", _APT_CACHE)
    stage.program("dpkg", '[ "$1" != --set-selections ] || cat >/dev/null')
    stage.program("debconf-set-selections", reads=True)
    made = Debian(stage, units)
    made.has("openssh-server")
    made.install("openssh-server")
    return made
