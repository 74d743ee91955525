# Puts the declared settings in force and restores those that are no longer declared. commit.sh writes our file once a
# new login has proved the change.
#
# Exits: 65 the kernel refuses a value (REFUSED), 66 a file that is read later overrides ours (LATER).
#
# uses: components/sysctl/kernel.sh components/sysctl/files.sh components/sysctl/change.sh
# takes: dropin head settings was

later=$(later_lines)
if [ -n "$later" ]; then
    printf '%s\n' "$later" >&2
    exit 66
fi
clear_place "$dropin"
all=$(targets)
gone= # in our file, but no longer declared
if grep -qsF "${head%%"$newline"*}" "$dropin"; then
    gone=$(assignments "$dropin" | while read -r _ _ path wanted; do
        case $newline$all$newline in *"$newline$path "*) ;; *) printf '%s %s\n' "$path" "$wanted" ;; esac
    done)
fi
live=$newline$(values_of "$gone$newline$all")$newline
while read -r path wanted; do
    value_in "$live" "$path"
    if [ -n "$value" ] && [ "$value" = "$wanted" ]; then # otherwise somebody else has set it since
        before_of "$path"
        [ -z "$before" ] || note "$path" "$before"
    fi
done <<EOF
$gone
EOF
back=$changes
content=$head
notes=
has_notes=$(grep -s '^# before: ' "$dropin" || :)
while read -r path wanted; do
    value_in "$live" "$path"
    [ -n "$value" ] || continue
    now=$value
    note "$path" "$wanted"
    case $path in *[!A-Za-z0-9_./:@+-]*) continue ;; esac # an interface whose name cannot appear in a line
    name_of "$path"
    content="$content$name = $wanted$newline"
    known_before "$path"
    if [ -z "$before" ]; then
        before=$now
        if [ "$now" = "$wanted" ] && [ -n "$was$has_notes" ]; then
            case $newline$settings in *"$newline$path "*) ;; *) before= ;; esac # a newer interface has the value of `default`
        fi
    fi
    [ -z "$before" ] || notes="$notes# before: $path = $before$newline"
done <<EOF
$all
EOF
while read -r path; do # for interfaces added later
    value_in "$newline$all$newline" "${path%%/\**}/all/${path##*/}"
    name_of "$path"
    [ -z "$value" ] || content="$content$name = $value$newline"
done <<EOF
$(patterns)
EOF
content=$content$notes
if ! differs && [ "$(cat "$dropin" 2>/dev/null && echo .)" = "$content." ]; then exit 0; fi
arm
put_settings "$back" || echo 'what is no longer declared, and could not be reverted, stays until the next boot' >&2
put_settings "${changes#"$back"}"
