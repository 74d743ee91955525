# A separate program in its own mount namespace: prints which rules keep sudo from deciding as declared.
#
#   FOLDER NAME DROPIN WANTED GROUPS GROUPS_OUT
#
# FOLDER: contains what to test (the file dropin). WANTED: the right. GROUPS, GROUPS_OUT: groups to join and to leave.
#
# uses: components/users/sudo/right.sh

set -eu
try=$1 name=$2 dropin=$3 wanted=$4 groups=$5 groups_out=$6 folder=${3%/*}
mount --make-rprivate / # otherwise these mounts would be visible outside
mount -t tmpfs -o mode=700 stockade "$try/room"
cat "$try/dropin" >"$try/room/dropin"
try=$try/room
cat /etc/passwd >"$try/passwd"
[ -n "$(getent passwd "$name")" ] || printf '%s:x:59999:59999::/:/bin/sh\n' "$name" >>"$try/passwd"
name="$name" add=" $groups " drop=" $groups_out " awk -F: -v OFS=: '
    BEGIN { name = ENVIRON["name"]; add = ENVIRON["add"]; drop = ENVIRON["drop"] }
    index(add, " " $1 " ") { $4 = $4 == "" ? name : $4 "," name }
    index(drop, " " $1 " ") { gsub(",", ",,", $4); $4 = "," $4 ","; gsub("," name ",", "", $4); gsub(",+", ",", $4)
        gsub("^,|,$", "", $4) }
    { print }' /etc/group >"$try/group"
[ -n "$(getent group "$name")" ] || printf '%s:x:59999:\n' "$name" >>"$try/group"
chmod 755 "$try"
chmod 644 "$try/passwd" "$try/group"
mount --bind "$try/passwd" /etc/passwd
mount --bind "$try/group" /etc/group
for cache in /run/nscd /var/run/nscd; do [ ! -d "$cache" ] || mount -t tmpfs stockade "$cache"; done
[ -n "$(getent passwd "$name")" ]
files() { visudo -c 2>&1 | sed -n 's/^[> ]*\(\/[^:]*\):.*/\1/p' | awk '!seen[$0]++'; } # in the order in which they are read
included() {
    # shellcheck disable=SC2046 # one word per file
    files | grep -qxF "$dropin" || grep -Eqs "^[#@]includedir[[:space:]]+\"?$folder/?\"?[[:space:]]*\$" $(files)
}
missing() {
    echo "/etc/sudoers does not read $folder; a line is missing: #includedir $folder"
    exit 0
}
if [ -d "$folder" ]; then
    cp -rpL "$folder" "$try/folder" # no links: writes must stay in here
    rm -f "$try/folder/${dropin##*/}"
    if [ -s "$try/dropin" ]; then
        cat "$try/dropin" >"$try/folder/${dropin##*/}"
        chmod 440 "$try/folder/${dropin##*/}"
    fi
    mount --bind "$try/folder" "$folder"
elif [ -s "$try/dropin" ]; then
    included || missing
    exit 0
fi
[ "$(right)" != "$wanted" ] || exit 0
[ ! -s "$try/dropin" ] || included || missing
# Add each other rule back alone, beside the drop-in: those with which sudo reports another right are the ones that win.
rules() { # FILE KEEP [NAME]: prints the file with only that rule, keeping line numbers; or the rule and its place
    told=${3-} keep="$2" awk '
        BEGIN { told = ENVIRON["told"]; keep = ENVIRON["keep"] }
        !more {
            rule = !/^[ \t]*($|#([^0-9-]|$)|@include|Defaults|(User|Runas|Host|Cmnd|Cmd)_Alias)/
            number += rule
        }
        { more = /\\$/ }
        told == "" { print !rule || number == keep ? $0 : "" }
        told != "" && rule && number == keep {
            printf "%s%s\n", shown++ ? "" : told ":" FNR ": ", $0
        }
    ' "$1"
}
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
            mount --bind "$try/copy.$number" "$file"
            ;;
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
        [ "$(right)" = "$wanted" ] || printf '%s\n' "$said"
    done
    rules "$try/as-is.$number" 0 >"$file"
done <"$try/files"
