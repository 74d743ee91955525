# Rolls back a change of settings for which no login was proved (hosts/guard). Safe to run twice. A reboot already rolls
# it back, because our file is written after the proof.
#
# uses: components/sysctl/kernel.sh
# takes: guard occasion

[ "$occasion" != boot ] || exit 0
put_settings "$(cat "$guard/present")"
