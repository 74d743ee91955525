# Restores what was in force. May be run twice.
# uses: components/firewall/ruleset/lock.sh components/firewall/sets/back.sh components/firewall/boot/back.sh
# uses: components/firewall/controllers/drop_natives.sh
# takes: tool guard occasion lock_wait

shorten_wait
boot=$(cat "$guard/boot_path")
if [ "$occasion" != boot ]; then
    "$tool-restore" -c ${lock_wait:+-w "$lock_wait"} <"$guard/rules"
    natives_back
fi
rm -f "$boot.next"
if [ ! -f "$guard/boot" ]; then
    rm -f "$boot"
elif [ "$(cat "$guard/boot")" != "$(cat "$boot" 2>/dev/null)" ]; then # if it is unchanged, a full disk does not matter
    cp -p "$guard/boot" "$boot.next"
    mv -f "$boot.next" "$boot"
fi
sets_back
boot_back
