"""The sh of `components/sshd/chapter.py`: the would-be configuration is built and tried beside the real one, then put
in force.

Values: head (the lines for the head of the configuration), match (the block that goes before every other Match block),
keys (what of `sshd -T` is looked at) and silence (lines elsewhere that would add to ours), both extended regular
expressions; ports (declared, or none); admin (login name, or none: of this login); give_back (yes: ours goes).

Other people's files are changed in two ways only, both of which `delete` finds again by their marks, whatever else was
edited there meanwhile: a block at the head, and lines that are commented out.
"""

from hosts.system.files import BOUNDED
from hosts.system.origin import ENTRY

HEADER = "# Written by Stockade: edit the stack config instead, changes here are overwritten.\n"
DROPIN = "/etc/ssh/sshd_config.d/00-stockade.conf"
ASIDE = "/etc/ssh/stockade.conf"
"""Included by the block at the head of sshd_config, where a drop-in would not come first."""
SOCKET_DROPIN = "zz-stockade.conf"

_COMMON = f"""\
main=/etc/ssh/sshd_config dropin={DROPIN} aside={ASIDE} stage=/run/stockade-sshd
fail() {{ printf '%s\\n' "$2" >&2; exit "$1"; }}
command -v sshd >/dev/null && cd /etc/ssh && [ -f "$main" ] || fail 69 'there is no OpenSSH server on the host'
# sshd -t asks for it, and where ssh.socket listens nobody has made it yet
[ -d /run/sshd ] || (umask 022 && mkdir -p /run/sshd)
opts=
for file in /etc/default/ssh /etc/sysconfig/sshd; do
    [ ! -r "$file" ] || while IFS= read -r row || [ -n "$row" ]; do
        case $row in SSHD_OPTS=* | OPTIONS=*) opts=${{row#*=}} ;; esac
    done <"$file"
done
while :; do case $opts in *[\\"\\']*) opts=${{opts%%[\\"\\']*}}${{opts#*[\\"\\']}} ;; *) break ;; esac; done
{ENTRY}line=$(entry)
set -- ${{line:-127.0.0.1 0 127.0.0.1 22}}
spec="host=${{1%%%*}},addr=${{1%%%*}}"
version=$(sshd -V 2>&1) || : # before 9.2 among what it says of an unknown option
case $version in *OpenSSH*) version=OpenSSH${{version#*OpenSSH}} ;; *) version= ;; esac
case $version in
    *OpenSSH_[1-5].* | *OpenSSH_6.0*) ;; # knows no more of a connection
    *) spec="$spec,laddr=${{3%%%*}},lport=$4" ;;
esac
admin=${{admin:-${{SUDO_USER:-$(id -un)}}}}
listener=
if [ -d /run/systemd/system ]; then
    set -- $(systemctl is-active ssh.socket sshd.socket)
    case "${{1-}} ${{2-}}" in active' '*) listener=ssh.socket ;; *' 'active) listener=sshd.socket ;; esac
fi
told() {{ # COMMAND…: its answer, without the places where configurations are tried
    if answer=$("$@" 2>&1); then return 0; fi
    printf '%s\\n' "$answer" | sed -e "s,$stage/check,,g" -e 's,/dev/stdin,the declared settings,g' >&2
    exit 65
}}
wanted() {{
    asked=
    told sshd -T -f /dev/stdin -C "user=$admin,$spec" <<EOF
$head
EOF
}}
told_apart() {{ # CONFIG: whether users may be: by a Match of it or its drop-ins, or by files that they include
    grep -hiE '^[^#]*(match.*(user|group)|include)' "$1" /etc/ssh/sshd_config.d/*.conf 2>/dev/null |
        grep -qivE '^[[:space:]]*include[[:space:]]+/etc/ssh/sshd_config[.]d/\\*[.]conf[[:space:]]*$'
}}
ask() {{ # CONFIG USER: what it says of a login, not twice in a row nor of users that are all the same
    case ${{asked-}} in
        "$1 $2") return 0 ;;
        "$1 "*) ! told_apart "$1" || told sshd -T $opts -f "$1" -C "user=$2,$spec" ;;
        *) told sshd -T $opts -f "$1" -C "user=$2,$spec" ;;
    esac
    asked="$1 $2"
}}
"""

# the whole answers: what of them is wanted takes ten programs to pick here
OBSERVE = f"""\
{_COMMON}
{BOUNDED}
small "$main" "$dropin" "$aside"
say() {{ printf '%s\\n' "$answer"; }}
section version printf '%s\\n' "$version"
begin wanted # nothing where they are refused; `apply` says why
(wanted; say) 2>/dev/null || :
end
ask "$main" root
section root say
of_root=$answer
ask "$main" "$admin"
[ "$answer" = "$of_root" ] || section admin say
[ -z "$listener" ] || section listener systemctl show -p Listen "$listener"
begin ours
if [ -f "$dropin" ]; then cat "$dropin"; fi
if [ -f "$aside" ]; then cat "$aside"; fi
sed -n '/^# >>> Stockade/,/^# <<< Stockade/p' "$main"
end
"""

# stage/new: the would-be files by their real paths. stage/check: the same with Includes that stay inside, for sshd -t.
_BUILD = """\
rm -rf "$stage"
mkdir -m 700 "$stage"
trap 'rm -rf "$stage"' EXIT
includes() { # FILE: the files that it names, in order
    sed -n 's/^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee]["[:space:]=]\\{1,\\}//p' "$1" | tr -d '"' |
        while read -r names; do
            for file in $names; do
                case $file in /*) ;; *) file=/etc/ssh/$file ;; esac
                [ ! -f "$file" ] || printf '%s\\n' "$file"
            done
        done
}
reached() { # FILE DEPTH
    printf '%s\\n' "$1"
    [ "$2" -eq 0 ] || includes "$1" | while read -r _file; do reached "$_file" $(($2 - 1)); done
}
for file in "$dropin" "$aside"; do
    [ ! -f "$file" ] || grep -q '^# Written by Stockade' "$file" || fail 73 "$file is not Stockade's; it is left alone"
done
labelled=$(cat "$dropin" "$aside" "$main" 2>/dev/null | sed -n 's/^# SELinux ports labelled: //p')
reached "$main" 4 | awk '!seen[$0]++' | grep -vxF -e "$dropin" -e "$aside" >"$stage/files"
while read -r file; do
    small "$file"
    mkdir -p "$stage/new${file%/*}"
    sed -e '/^# >>> Stockade/,/^# <<< Stockade/d' -e 's/^#stockade# //' "$file" >"$stage/new$file"
    [ -z "$silence" ] || sed -i -E "\\\\,$silence,I s/^/#stockade# /" "$stage/new$file"
done <"$stage/files"
new=$stage/new$main

place() { # where what we write comes before everything else
    opening=$(grep -Ev '^[[:space:]]*(#|$)' "$new" | head -n 1 | tr -d '"')
    set -f
    set -- $opening
    set +f
    case ${1-} in [Ii][Nn][Cc][Ll][Uu][Dd][Ee])
        pattern=${2-}
        case $pattern in /*) ;; *) pattern=/etc/ssh/$pattern ;; esac
        case $dropin in $pattern)
            if [ "$(printf '%s\\n' "$dropin" $pattern | sort | head -n 1)" = "$dropin" ]; then echo dropin; return; fi
        esac
    esac
    if echo 'Include /dev/null' | sshd -t -f /dev/stdin 2>/dev/null; then echo aside; else echo block; fi
}
for_all() { # OpenSSH before 6.5 has no `Match all`
    if echo 'Match all' | sshd -t -f /dev/stdin 2>/dev/null; then cat; else sed 's/^Match all$/Match User */'; fi
}
marked() { printf '# >>> Stockade\\n'; cat; printf '# <<< Stockade\\n'; }
top() {
    printf '%s' "$head"
    [ -z "$labels" ] || printf '# SELinux ports labelled:%s\\n' "$labels"
}
own() {
    top
    [ -z "$match" ] || printf '# The same for every login, whatever the Match blocks further down say:\\n%s' "$match"
}
write_ours() {
    mkdir -p "$stage/new${dropin%/*}"
    case $(place) in
        dropin) own >"$stage/new$dropin" ;;
        aside)
            own >"$stage/new$aside"
            { printf 'Include %s\\n' "$aside" | marked; cat "$new"; } >"$new.next"
            mv "$new.next" "$new"
            ;;
        block) # OpenSSH before 8.2 has no Include
            first=$(grep -n -i '^[[:space:]]*match[[:space:]=]' "$new" | head -n 1 | cut -d: -f1)
            {
                top | marked
                if [ -n "$first" ] && [ -n "$match" ]; then
                    head -n "$((first - 1))" "$new"
                    printf '%s' "$match" | for_all | marked
                    tail -n "+$first" "$new"
                else
                    cat "$new"
                fi
            } >"$new.next"
            mv "$new.next" "$new"
            ;;
    esac
}
listen_on() { # ListenStream lines: the present addresses, with the declared ports
    printf '# Written by Stockade.\\n[Socket]\\nListenStream=\\n'
    systemctl show -p Listen "$listener" | sed -n 's/^\\(Listen=\\)*\\(.*\\) (Stream)$/\\2/p' |
        sed 's/:[0-9]*$/:/' | sort -u |
        while read -r address; do
            case $address in
                *:) for port in $ports; do printf 'ListenStream=%s%s\\n' "$address" "$port"; done ;;
                *) printf 'ListenStream=%s\\n' "$address" ;;
            esac
        done
}
labels= unlabelled=
selinux() { command -v selinuxenabled >/dev/null && selinuxenabled; }
if [ -n "$ports$labelled" ] && selinux; then
    command -v semanage >/dev/null ||
        fail 69 'SELinux is on, and semanage is missing: install policycoreutils-python-utils'
    known=$(semanage port -l | sed -n 's/^ssh_port_t[[:space:]]*tcp[[:space:]]*//p' | tr -d ,)
    for port in $ports; do
        case " $known " in *" $port "*) ;; *) unlabelled="$unlabelled $port" ;; esac
        case " $labelled $unlabelled " in *" $port "*) labels="$labels $port" ;; esac
    done
fi
[ -n "$give_back" ] || write_ours
if [ -n "$listener" ] && [ -n "$ports" ]; then
    mkdir -p "$stage/new/etc/systemd/system/$listener.d"
    listen_on >"$stage/new/etc/systemd/system/$listener.d/zz-stockade.conf"
fi
"""

_CHECK = """\
(cd "$stage/new" && find . -type f) | sed 's/^.//' | while read -r file; do
    mkdir -p "$stage/check${file%/*}"
    root="$stage/check" awk 'BEGIN { root = ENVIRON["root"] }
        tolower($1) != "include" { print; next }
        {
            gsub(/"/, ""); printf "Include"
            for (i = 2; i <= NF; i++) printf " %s%s%s", root, $i ~ /^[/]/ ? "" : "/etc/ssh/", $i
            print ""
        }' "$stage/new$file" >"$stage/check$file"
done
about() { printf '%s\\n' "$answer" | grep -E "$keys" | sed '/^listenaddress /s/:[0-9]*$//' | sort -u || :; }
[ -n "$give_back" ] || { wanted; about >"$stage/wanted"; }
if [ -n "$give_back" ]; then
    told sshd -t $opts -f "$stage/check$main"
else
    for user in "$admin" root; do
        ask "$stage/check$main" "$user"
        about >"$stage/effective"
        cmp -s "$stage/wanted" "$stage/effective" || fail 65 "nothing was changed: something on the host overrides the
declared settings for $user. Wanted:
$(cat "$stage/wanted")
There would be:
$(cat "$stage/effective")"
    done
    if [ -n "$ports" ] && [ -z "$listener" ]; then
        ask "$stage/check$main" "$admin"
        there=$(printf '%s\\n' "$answer" | sed -n 's/^listenaddress .*:\\([0-9]*\\).*/\\1/p' | sort -nu)
        [ "$(echo $there)" = "$ports" ] || fail 65 "nothing was changed: a ListenAddress on the host names ports
itself ($(echo $there)), so Port would not count: declare ListenAddress as well"
    fi
fi
"""

_RELOAD = """\
listeners() { # PID: the sockets at which it takes connections
    { ls -l "/proc/$1/fd" 2>/dev/null; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; } |
        awk '/socket:/ { gsub(/.*\\[|\\]/, ""); mine[$0] } $4 == "0A" && ($10 in mine) { print $10 }' | sort
}
hang_up() { # PID COMMAND…: reloads, and waits until sshd has opened its sockets anew
    pid=$1 before=$(listeners "$1") try=0
    shift
    "$@" >&2 || return 1
    while [ "$try" -lt 300 ] && kill -0 "$pid" 2>/dev/null; do
        now=$(listeners "$pid")
        if [ -n "$now" ] && [ "$now" != "$before" ]; then return 0; fi
        try=$((try + 1))
        sleep 0.03
    done
    echo 'sshd has not come back after the reload' >&2
    return 1
}
reload_sshd() { # yes, where the socket unit has changed; open sessions live in processes of their own
    if [ -n "$listener" ]; then
        if [ -n "$1" ]; then
            systemctl daemon-reload && systemctl stop "$listener" "${listener%.socket}.service" &&
                systemctl start "$listener"
        else
            systemctl try-restart "${listener%.socket}.service"
        fi
        return
    fi
    if [ -d /run/systemd/system ]; then
        for unit in ssh sshd; do
            systemctl is-active --quiet "$unit.service" || continue
            hang_up "$(systemctl show -p MainPID "$unit.service" | cut -d= -f2)" systemctl reload "$unit.service"
            return
        done
    fi
    for script in ssh sshd; do
        [ -x "/etc/init.d/$script" ] && [ -f /var/run/sshd.pid ] || continue
        hang_up "$(cat /var/run/sshd.pid)" "/etc/init.d/$script" reload
        return
    done
    echo 'neither ssh.service, sshd.service, ssh.socket nor /etc/init.d/ssh runs on this host' >&2
    return 1
}
"""

_INSTALL = f"""\
{_RELOAD}
: >"$stage/changed"
{{
    printf '%s\\n' "$dropin" "$aside"
    for unit in ssh sshd; do echo "/etc/systemd/system/$unit.socket.d/{SOCKET_DROPIN}"; done
    cat "$stage/files"
}} >"$stage/all"
swap() {{ # FILE: the staged one takes its place, or it goes
    if [ -f "$stage/new$1" ]; then
        if cmp -s "$stage/new$1" "$1"; then return 0; fi
    elif [ ! -e "$1" ]; then
        return 0
    fi
    [ ! -L "$1" ] || fail 73 "$1 is a symbolic link; it is left alone"
    printf '%s\\n' "$1" >>"$stage/changed"
    if [ -f "$stage/new$1" ]; then
        (umask 022 && mkdir -p "${{1%/*}}")
        put "$stage/new$1" "$1" || {{ rm -f "$1.stockade"; fail 74 "$1 cannot be written"; }}
    else
        rm -f "$1"
        case $1 in */{SOCKET_DROPIN}) rmdir "${{1%/*}}" 2>/dev/null || : ;; esac
    fi
}}
put() {{ # FROM TO: all of it or nothing, with the owner and mode that are there
    rm -f "$2.stockade"
    if [ -f "$2" ]; then cp -p "$2" "$2.stockade"; else : >"$2.stockade"; fi &&
        cat "$1" >"$2.stockade" && {{ sync "$2.stockade" 2>/dev/null || :; }} && mv -f "$2.stockade" "$2" || return 1
    case $2 in */{SOCKET_DROPIN}) chmod 644 "$2" ;; esac
    if command -v restorecon >/dev/null; then restorecon "$2" || :; fi
}}
arm
for port in $unlabelled; do
    semanage port -a -t ssh_port_t -p tcp "$port" || semanage port -m -t ssh_port_t -p tcp "$port"
done
# what restricts comes last where it is written, and goes first where it is removed
for file in "$dropin" "$aside" /etc/systemd/system/ssh.socket.d/{SOCKET_DROPIN} \\
    /etc/systemd/system/sshd.socket.d/{SOCKET_DROPIN}; do
    [ -f "$stage/new$file" ] || swap "$file"
done
while read -r file; do swap "$file"; done <"$stage/files"
for file in "$dropin" "$aside" "/etc/systemd/system/$listener.d/{SOCKET_DROPIN}"; do
    [ ! -f "$stage/new$file" ] || swap "$file"
done
reload_sshd "$(grep zz-stockade "$stage/changed" || :)" || fail 70 'sshd did not take the new configuration'
"""

APPLY = _COMMON + BOUNDED + _BUILD + _CHECK + _INSTALL
"""Also what gives everything back, with give_back."""

SAVE = """\
while read -r file; do
    if [ -f "$file" ]; then cp -p "$file" "$guard/old$(echo "$file" | tr / %)"; fi
done <"$stage/all"
cp "$stage/all" "$guard/files"
printf '%s\\n' "$listener" >"$guard/listener"
printf '%s\\n' "$labelled" >"$guard/labelled"
printf '%s\\n' "$unlabelled" >"$guard/unlabelled"
"""

BACK = f"""\
{_RELOAD}
start_again() {{ # a reload may have ended sshd
    if [ ! -d /run/systemd/system ]; then
        for script in ssh sshd; do
            # sshd must not inherit our umask
            if [ -x "/etc/init.d/$script" ]; then (umask 022; "/etc/init.d/$script" restart 9>&- >&2); return; fi
        done
        return 1
    fi
    for unit in ${{listener:-ssh.service sshd.service}}; do
        systemctl cat "$unit" >/dev/null 2>&1 || continue
        systemctl reset-failed "$unit" 2>/dev/null || :
        ! systemctl restart "$unit" || return 0
    done
    return 1
}}
replace() {{ # OLD FILE
    (umask 022 && mkdir -p "${{2%/*}}")
    if cp -p "$1" "$2.stockade" && mv -f "$2.stockade" "$2"; then :
    else rm -f "$2.stockade"; cp -p "$1" "$2"; fi # the disk is full
    if command -v restorecon >/dev/null; then restorecon "$2" || :; fi
}}
listener=$(cat "$guard/listener")
changed=
while read -r file; do
    old=$guard/old$(echo "$file" | tr / %)
    rm -f "$file.stockade"
    if [ -f "$old" ]; then
        if cmp -s "$old" "$file"; then continue; fi
        replace "$old" "$file"
    elif [ -f "$file" ]; then
        rm -f "$file"
        case $file in */{SOCKET_DROPIN}) rmdir "${{file%/*}}" 2>/dev/null || : ;; esac
    else
        continue
    fi
    changed="$changed $file"
done <"$guard/files"
socket=$(printf '%s' "$changed" | grep -F .socket.d/ || :)
if [ "$occasion" = boot ]; then # sshd starts later
    [ -z "$socket" ] || systemctl daemon-reload
    exit 0
fi
reload_sshd "$socket" || start_again
for port in $(cat "$guard/unlabelled"); do semanage port -d -t ssh_port_t -p tcp "$port" || :; done
"""

COMMIT = """\
for port in $(cat "$guard/labelled"); do
    case " $ports " in *" $port "*) ;; *) semanage port -d -t ssh_port_t -p tcp "$port" || : ;; esac
done
"""
