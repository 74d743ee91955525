"""The sh that asks sudo what it would decide, before the drop-in of `components/users/chapter.py` is written.

Rules of sudoers(5) count in the order in which they are read, and the last that fits decides: one in another file, or
on a later line, may undo the drop-in. What comes of all of them (aliases, groups, includes) only sudo itself can tell.
So it is asked in a mount namespace of its own, where the account, its groups and the drop-in are as they shall be: to
all others nothing is changed. A host on which that cannot be had is asked afterwards alone.
"""

SUDO_ELSEWHERE = 89
"""Exit status: with the drop-in in place, sudo would tell another right."""

# As `effective_sudo` of `components/users/settings.py` reads the listing.
RIGHT = """\
right() {
    sudo -n -l -U "$name" 2>/dev/null | awk '
        /^[ \\t]+\\((ALL|root)([^A-Za-z0-9_][^)]*)?\\)/ {
            sub(/^[^)]*\\)[ \\t]+/, "")
            free = 0
            count = split($0, command, /, +/)
            for (i = 1; i <= count; i++) {
                while (match(command[i], /^[A-Z_]+: */)) {
                    if (command[i] ~ /^(NO)?PASSWD:/) free = command[i] ~ /^NO/
                    command[i] = substr(command[i], RLENGTH + 1)
                }
                if (command[i] == "ALL") said = free ? "nopasswd" : "password"
                if (command[i] ~ /^! ?ALL$/) said = "none"
            }
        }
        END { print said == "" ? "none" : said }'
}
"""

# $1: a folder with what is to be tried; name, drop-in, wanted right, groups to be in and to leave.
_TRIAL = f"""\
set -eu
try=$1 name=$2 dropin=$3 wanted=$4 groups=$5 groups_out=$6 folder=${{3%/*}}
{RIGHT}
mount --make-rprivate / # else what is mounted here would be seen outside
mount -t tmpfs -o mode=700 stockade "$try/room"
cat "$try/dropin" >"$try/room/dropin"
try=$try/room
cat /etc/passwd >"$try/passwd"
[ -n "$(getent passwd "$name")" ] || printf '%s:x:59999:59999::/:/bin/sh\\n' "$name" >>"$try/passwd"
name="$name" add=" $groups " drop=" $groups_out " awk -F: -v OFS=: '
    BEGIN {{ name = ENVIRON["name"]; add = ENVIRON["add"]; drop = ENVIRON["drop"] }}
    index(add, " " $1 " ") {{ $4 = $4 == "" ? name : $4 "," name }}
    index(drop, " " $1 " ") {{ gsub(",", ",,", $4); $4 = "," $4 ","; gsub("," name ",", "", $4); gsub(",+", ",", $4)
        gsub("^,|,$", "", $4) }}
    {{ print }}' /etc/group >"$try/group"
[ -n "$(getent group "$name")" ] || printf '%s:x:59999:\\n' "$name" >>"$try/group"
chmod 755 "$try"
chmod 644 "$try/passwd" "$try/group"
mount --bind "$try/passwd" /etc/passwd
mount --bind "$try/group" /etc/group
for cache in /run/nscd /var/run/nscd; do [ ! -d "$cache" ] || mount -t tmpfs stockade "$cache"; done
[ -n "$(getent passwd "$name")" ]
files() {{ visudo -c 2>&1 | sed -n 's/^[> ]*\\(\\/[^:]*\\):.*/\\1/p' | awk '!seen[$0]++'; }} # as they are read
included() {{
    files | grep -qxF "$dropin" || grep -Eqs "^[#@]includedir[[:space:]]+\\"?$folder/?\\"?[[:space:]]*\\$" $(files)
}}
missing() {{
    echo "/etc/sudoers does not read $folder; a line is missing: #includedir $folder"
    exit 0
}}
if [ -d "$folder" ]; then
    cp -rpL "$folder" "$try/folder" # no links: what is written here stays here
    rm -f "$try/folder/${{dropin##*/}}"
    if [ -s "$try/dropin" ]; then
        cat "$try/dropin" >"$try/folder/${{dropin##*/}}"
        chmod 440 "$try/folder/${{dropin##*/}}"
    fi
    mount --bind "$try/folder" "$folder"
elif [ -s "$try/dropin" ]; then
    included || missing
    exit 0
fi
[ "$(right)" != "$wanted" ] || exit 0
[ ! -s "$try/dropin" ] || included || missing
# Each other rule alone, beside the drop-in: those with which sudo tells another right are the ones that decide.
rules() {{ # FILE KEEP [NAME]: the file with no rule but that one, on lines of the same numbers; or where and what it is
    told=${{3-}} keep="$2" awk '
        BEGIN {{ told = ENVIRON["told"]; keep = ENVIRON["keep"] }}
        !more {{
            rule = !/^[ \\t]*($|#([^0-9-]|$)|@include|Defaults|(User|Runas|Host|Cmnd|Cmd)_Alias)/
            number += rule
        }}
        {{ more = /\\\\$/ }}
        told == "" {{ print !rule || number == keep ? $0 : "" }}
        told != "" && rule && number == keep {{
            printf "%s%s\\n", shown++ ? "" : told ":" FNR ": ", $0
        }}
    ' "$1"
}}
files | grep -vxF "$dropin" >"$try/files"
grep -qx /etc/sudoers "$try/files"
number=0
while IFS= read -r file; do
    number=$((number + 1))
    cp -p "$file" "$try/as-is.$number"
    case $file in
        "$folder"/*) [ ! -L "$file" ] ;;
        *)
            cp -p "$file" "$try/copy.$number"
            mount --bind "$try/copy.$number" "$file" ;;
    esac
    rules "$try/as-is.$number" 0 >"$file"
done <"$try/files"
if [ "$(right)" != "$wanted" ]; then
    echo "no rule in a file, but what /etc/nsswitch.conf names for sudoers, or a Defaults line"
    exit 0
fi
number=0
while IFS= read -r file; do
    number=$((number + 1)) rule=0
    while rule=$((rule + 1)) && said=$(rules "$try/as-is.$number" "$rule" "$file") && [ -n "$said" ]; do
        rules "$try/as-is.$number" "$rule" >"$file"
        [ "$(right)" = "$wanted" ] || printf '%s\\n' "$said"
    done
    rules "$try/as-is.$number" 0 >"$file"
done <"$try/files"
"""

CHECK_SUDO = f"""\
if command -v sudo >/dev/null && command -v visudo >/dev/null && command -v unshare >/dev/null; then
    try=$(mktemp -d)
    mkdir "$try/room"
    printf '%s' "$dropin_content" >"$try/dropin"
    cat >"$try/program" <<'EOF'
{_TRIAL}EOF
    decides=$(unshare -m sh "$try/program" "$try" "$name" "$dropin" "$sudo_wanted" "$groups" "$groups_out" \\
        2>/dev/null </dev/null) || decides=
    rm -rf "$try"
    [ -z "$decides" ] || {{ printf '%s\\n' "$decides" >&2; exit {SUDO_ELSEWHERE}; }}
fi
"""
"""Of the values name, dropin, dropin_content, sudo_wanted, groups, groups_out."""

SUDO_EXITS = {
    SUDO_ELSEWHERE: "sudo would not be as declared, because another rule of sudoers decides; nothing was changed. "
    "Remove it, or make it one that is read before the files `zz-stockade-*`",
}
