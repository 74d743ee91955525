"""What listens on a host for connections and datagrams, and whose program it is.

ss(8) or netstat(8) tells the sockets, each with its inode; /proc tells who holds them, by executable. What a process
calls itself counts nowhere: anybody may call a process `sshd`. A program has its name and package where its file is
root's alone, at its place on the host; one that users could have made is told by its whole path. `LISTENERS` is the
script's body, `listeners` the reader of what it prints. Source: the guide, "Determine Running Services".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from hosts.system.as_user import ONLY_ROOTS
from hosts.system.distro import DISTRO

NO_TOOL = 69
"""Exit status (EX_UNAVAILABLE of sysexits.h): the host has neither ss nor netstat."""

KERNEL = "kernel"
"""Who holds a socket that no process has, as those of NFS and WireGuard."""

CONTAINER = "container"
"""Who runs a file that is not the host's: in another user namespace, or another file than the host has there."""

# ss comes with every Debian and Ubuntu that has iproute2; netstat only with net-tools.
LISTENERS = f"""\
{DISTRO}{ONLY_ROOTS}\
_package_of() {{ # a path; a merged /usr is not what dpkg knows
    case $pkg_manager in
        dnf | yum) rpm -qf --qf '%{{NAME}}\\n' "$1" 2>/dev/null | grep -v ' is not owned by ' | head -n 1 ;;
        pacman) pacman -Qqo "$1" 2>/dev/null | head -n 1 ;;
        *) {{ dpkg-query -S "$1" || dpkg-query -S "${{1#/usr}}"; }} 2>/dev/null | sed -n '1s/[:,].*//p' ;;
    esac || :
}}
_roots() {{ # whether nobody but root can change it
    case $1 in '0 '*[2367][0-7] | '0 '*[2367]) return 1 ;; '0 '*) return 0 ;; *) return 1 ;; esac
}}
_program() {{ # PID: prints `PID KIND UID PACKAGE PATH`
    _exe=$(readlink "/proc/$1/exe" && echo .) || return 0
    _exe=${{_exe%??}} _kind=user _package=-
    _file=$(stat -Lc '%u %a %d:%i' "/proc/$1/exe" 2>/dev/null) || return 0
    _place=$_exe
    if [ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ]; then _kind={CONTAINER}
    elif [ -e "$_exe" ]; then
        [ "$(stat -c %d:%i "$_exe" 2>/dev/null)" = "${{_file##* }}" ] || _kind={CONTAINER}
    else
        case $_exe in
            *' (deleted)') _place=${{_exe%' (deleted)'}} ;; # upgraded since it was started
            *) _kind={CONTAINER} ;;
        esac
    fi
    if [ "$_kind" = user ] && _roots "${{_file% *}}" && only_roots "${{_place%/*}}" >/dev/null; then
        _kind=host _package=$(_package_of "$_place")
    fi
    _uid=$(sed -n 's/^Uid:[[:space:]]*\\([0-9]*\\).*/\\1/p' "/proc/$1/status" 2>/dev/null) || return 0
    printf '%s %s %s %s ' "$1" "$_kind" "${{_uid:-0}}" "${{_package:--}}"
    printf '%s' "$_place" | tr -c 'A-Za-z0-9/._+@-' '?'
    echo
}}
if command -v ss >/dev/null; then
    _shown=$(ss -tulne)
    section ss printf '%s\\n' "$_shown"
elif command -v netstat >/dev/null; then
    _shown=$(netstat -tulne 2>/dev/null)
    section netstat printf '%s\\n' "$_shown"
else
    exit {NO_TOOL}
fi
_held=$(find /proc/[0-9]*/fd -lname 'socket:\\[[0-9]*\\]' -printf '%p %l\\n' 2>/dev/null |
    sed -n 's,^/proc/\\([0-9]*\\)/fd/[0-9]* socket:\\[\\([0-9]*\\)]$,\\1 \\2,p') || :
_held=$(printf '%s\\n%s\\n' "$_shown" "$_held" | awk '
    NF == 2 && /^[0-9]+ [0-9]+$/ {{ if ($2 in listens && !seen[$0]++) print; next }}
    /^(tcp|udp)/ {{
        inode = $NF
        for (i = 6; i <= NF; i++) if ($i ~ /^ino:[0-9]+$/) {{ inode = substr($i, 5); break }}
        listens[inode]
    }}')
section holders printf '%s\\n' "$_held"
# those that run one file as one user in one namespace are one program: a user may have thousands of them
_alike() {{ # lines of `PID FIRST`: the first of those that are alike
    printf '%s\\n' "$_held" | sed 's/ .*//' | sort -un | {{
        xargs sh -c '
            for pid; do set -- "$@" "/proc/$pid/exe" "/proc/$pid/ns/user"; shift; done
            {{ # a path may have line feeds
                find -L "$@" -maxdepth 0 -printf "%p file %D:%i\\0"
                find "$@" -maxdepth 0 -printf "%p link %l\\0"
            }} | tr "\\n\\0" "?\\n"
            for link; do case $link in */exe) set -- "$@" "${{link%exe}}status" ;; esac; shift; done
            grep -H "^Uid:" "$@"' _ 2>/dev/null || :
    }} | sed 's,^/proc/\\([0-9]*\\)/,\\1 ,' | sort -s -k1,1n | awk '
        function done() {{
            if (pid == "") return
            if (!(about in first)) first[about] = pid
            print pid, first[about]
        }}
        $1 != pid {{ done(); pid = $1; about = "" }}
        {{ sub(/^[0-9]+ /, ""); about = about "\\n" $0 }}
        END {{ done() }}'
}}
begin programs
_alike | sort -s -k2,2n -k1,1n | {{
    _first= _line=
    while read -r _pid _of; do
        if [ "$_of" != "$_first" ]; then _first=$_of _line=$(_program "$_of"); fi
        [ -z "$_line" ] || printf '%s %s\\n' "$_pid" "${{_line#* }}"
    done
}}
end
begin sockets
[ ! -d /run/systemd/system ] || systemctl list-sockets --no-legend --no-pager --full |
    while read -r _listen _socket _service _; do
        case $_listen in
            *:[0-9]*)
                _file=$(systemctl show -p FragmentPath "$_socket" | sed 's/^[^=]*=//')
                printf '%s %s %s\\n' "$_listen" "${{_service%.service}}" "$(_package_of "$_file")" ;;
        esac
    done
end
"""


@dataclass(frozen=True, order=True)
class Listener:
    """One socket. `protocol`: tcp or udp. `address`: without zone; 0.0.0.0 and :: stand for all of a family, * for
    both. `process`: the name of its program; the whole path of one that is not root's alone; `CONTAINER`, `KERNEL`; or
    the service that systemd would start for it. `package`: whose program it is; "" for one that no package brought.
    `file`: what runs in a container. `uid`: whose process it is."""

    protocol: str
    address: str
    port: int
    process: str = ""
    package: str = ""
    file: str = ""
    uid: int = 0

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can reach it."""
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return False  # netstat cuts long addresses off, and * is not one

    @property
    def person(self) -> bool:
        """Whether a person's account runs it, not the system's: systemd's dynamic users and nobody lie between."""
        return 1000 <= self.uid < 60000 or self.uid >= 65536

    @property
    def family(self) -> str:
        """ "ipv4", "ipv6", or "both"."""
        return "both" if self.address == "*" else "ipv6" if ":" in self.address else "ipv4"

    def __str__(self) -> str:
        place = f"[{self.address}]" if ":" in self.address else self.address
        more = (
            self.file,
            f"package {self.package}" if self.package else "",
            f"of uid {self.uid}" if self.person else "",
        )
        told = ", ".join(word for word in more if word)
        return f"{self.protocol} {place}:{self.port} {self.process}" + (f" ({told})" if told else "")


@dataclass(frozen=True)
class Socket:
    """One line of ss or netstat."""

    protocol: str
    address: str
    port: int
    inode: str


def parse_ss(text: str) -> list[Socket]:
    """What `ss -tulne` prints."""
    found = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 6 or columns[0] not in {"tcp", "udp"}:
            continue
        # the first: further on stands a cgroup, whose name may be anything
        inode = next((word[4:] for word in columns[6:] if re.fullmatch("ino:[0-9]+", word)), "")
        found.append(Socket(columns[0], *_endpoint(columns[4]), inode))
    return found


def parse_netstat(text: str) -> list[Socket]:
    """What `netstat -tulne` prints."""
    found = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 7 or columns[0] not in {"tcp", "tcp6", "udp", "udp6"}:
            continue
        found.append(Socket(columns[0][:3], *_endpoint(columns[3]), columns[-1]))
    return found


def listeners(sections: Mapping[str, str]) -> list[Listener]:
    """What `LISTENERS` printed: every socket once for each program that holds it, sorted."""
    sockets = parse_ss(sections["ss"]) if "ss" in sections else parse_netstat(sections["netstat"])
    programs = {row[0]: row[1:] for row in _rows(sections["programs"], 5)}
    holders: dict[str, list[str]] = {}
    for pid, inode in _rows(sections["holders"], 2):
        holders.setdefault(inode, []).append(pid)
    waiting = {}
    for row in sections.get("sockets", "").splitlines():
        listen, service, package = row.split(" ", 2)
        waiting[_endpoint(listen)] = (service, package)
    found = set()
    for one in sockets:
        pids = [pid for pid in holders.get(one.inode, ()) if pid in programs]
        # a socket that systemd opened stays open in it; the service that took it over is the one to name
        others = [pid for pid in pids if pid != "1"]
        place = (one.protocol, one.address, one.port)
        if pids == ["1"] and place[1:] in waiting:
            found.add(Listener(*place, *waiting[place[1:]]))
        elif not pids:
            found.add(Listener(*place, KERNEL))
        else:
            found.update(_held(place, programs[pid]) for pid in others or pids)
    return sorted(found)


def _rows(text: str, columns: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        row = line.split(" ", columns - 1)
        if len(row) == columns:
            yield row


def _held(place: tuple[str, str, int], program: list[str]) -> Listener:
    """What listens at a place (protocol, address, port) by a row of `programs`."""
    kind, uid, package, path = program
    number = int(uid) if uid.isdigit() else 0
    if kind == CONTAINER:
        return Listener(*place, CONTAINER, file=path, uid=number)
    if kind == "host":
        return Listener(*place, path.rpartition("/")[2], package.strip("-"), uid=number)
    return Listener(*place, path, uid=number)


def _endpoint(text: str) -> tuple[str, int]:
    """Address and port of `0.0.0.0:22`, `:::22`, `[::]:22`, `*:22` or `127.0.0.53%lo:53`."""
    address, _, port = text.rpartition(":")
    address = re.sub(r"%[^\]]*", "", address).strip("[]")
    return address, int(port) if port.isdigit() else 0
