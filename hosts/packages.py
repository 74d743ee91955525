"""The host's packages: shell functions that a script puts before its own body. apt-get(8), dpkg-query(1), debconf(7).

One constant per package manager, with the same functions in each:

    pkg_versions NAME…           prints `name version` of those that are installed
    pkg_install NAME…            installs what is missing; upgrades nothing that is there
    pkg_purge NAME…              removes them with their configuration, and what only they had needed
    pkg_simulate install|purge NAME…   prints `Inst name` and `Remv name` for all that would happen
    pkg_answer LINE              (apt) answers a question of a package's installation: `package question type value`

Nothing ever asks. Recommended packages are not installed: chapters name what they need. Files that the administrator
changed are kept. Another package manager at work is waited for. Progress goes to stderr, errors at its end.
"""

import re

PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""What names a Debian package (Debian Policy 5.6.7)."""

LOCK_TIMEOUT = 300
"""Seconds to wait for dpkg's lock: a fresh cloud host upgrades itself first."""

APT = f"""\
_apt() (
    umask 022 # packages' own scripts inherit it, and what they make must stay readable
    export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
    export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 # it would restart services on its own
    exec apt-get -qq -y -o DPkg::Lock::Timeout={LOCK_TIMEOUT} -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false \\
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null >&2
)
_orphans() {{ apt-get -s -qq autoremove 2>/dev/null | sed -n 's/^Remv \\([^ ]*\\).*/\\1/p'; }}
pkg_versions() {{
    [ $# -gt 0 ] || return 0
    dpkg-query -W -f '${{db:Status-Status}} ${{Package}} ${{Version}}\\n' "$@" 2>/dev/null | sed -n 's/^installed //p'
}}
_missing() {{
    for _name in "$@"; do
        [ -n "$(pkg_versions "$_name")" ] || printf ' %s' "$_name"
    done
}}
pkg_install() {{
    _wanted=$(_missing "$@")
    [ -n "$_wanted" ] || return 0
    # the lists are refreshed only where they do not know a package, or name a version that is gone
    apt-get -s -qq install $_wanted >/dev/null 2>&1 || _apt update || return
    _said=$(_apt install $_wanted 2>&1) && {{ printf '%s\\n' "$_said" >&2; return 0; }}
    printf '%s\\n' "$_said" >&2
    case $_said in
        *' 404 '* | *'Unable to fetch'* | *'Hash Sum mismatch'*) _apt update && _apt install $_wanted ;;
        *) return 1 ;;
    esac
}}
pkg_purge() {{
    _there=
    for _name in "$@"; do
        if dpkg-query -W "$_name" >/dev/null 2>&1; then _there="$_there $_name"; fi
    done
    [ -n "$_there" ] || return 0
    _before=" $(echo $(_orphans)) "
    _apt purge $_there || return
    _after=
    for _name in $(_orphans); do
        case $_before in *" $_name "*) ;; *) _after="$_after $_name" ;; esac
    done
    [ -z "$_after" ] || _apt purge $_after
}}
pkg_simulate() {{
    _what=$1
    shift
    apt-get -s -qq -o APT::Install-Recommends=false "$_what" "$@" </dev/null |
        sed -n 's/^\\(Inst\\|Remv\\|Purg\\) \\([^ ]*\\).*/\\1 \\2/p' | sed 's/^Purg/Remv/'
}}
pkg_answer() {{ printf '%s\\n' "$1" | debconf-set-selections; }}
"""
