# Restores the prior settings. A setting that is no longer as declared was changed by somebody else: it stays, and is
# reported. restored.sh restores our file.
#
# uses: components/sysctl/kernel.sh components/sysctl/change.sh hosts/system/files.sh
# takes: dropin prior_mode prior_content

clear_place "$dropin"
left=
content=
all=$(targets)
live=$newline$(values_of "$all")$newline
while read -r path wanted; do
    value_in "$live" "$path"
    [ -n "$value" ] || continue
    now=$value
    before_of "$path"
    if [ "$now" = "$wanted" ]; then
        [ -z "$before" ] || note "$path" "$before"
    elif [ "$now" != "$before" ] && changeable "$path"; then
        name_of "$path"
        left="$left $name = $now,"
    fi
done <<EOF
$all
EOF
[ -z "$left" ] || section left.1 printf 'left as somebody else has set it since:%s\n' "${left%,}"
file=absent
if [ -f "$dropin" ]; then file=$(cat "$dropin" && echo .); fi
prior=absent
[ -z "$prior_mode" ] || prior=$(printf '%b' "$prior_content" && echo .)
if ! differs && [ "$file" = "$prior" ]; then exit 0; fi
arm
put_settings "$changes" || section left.2 echo 'what the kernel does not accept stays until the next boot'
