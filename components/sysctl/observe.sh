# The kernel's values of the declared settings, which of them do not exist, and what the next boot sets.
#
# uses: hosts/system/files.sh components/sysctl/kernel.sh components/sysctl/files.sh
# takes: dropin settings

show_file dropin "$dropin"
all=$(targets)
live=$(values_of "$all")
section values printf '%s\n' "$live"
live=$newline$live$newline
begin missing
printf '%s\n' "$settings" | while read -r path _; do
    value_in "$live" "$path"
    if [ -n "$path" ] && [ -z "$value" ]; then printf '%s\n' "$path"; fi
done
end
begin fixed
printf '%s\n' "$all" | while read -r path wanted; do
    value_in "$live" "$path"
    if [ -n "$value" ] && [ "$value" != "$wanted" ] && ! changeable "$path"; then printf '%s\n' "$path"; fi
done
end
section later later_lines
