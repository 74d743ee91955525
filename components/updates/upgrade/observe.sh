# The last upgrade, according to the host's record, and whether a reboot is due.
#
# uses: components/updates/upgrade/reboot.sh hosts/system/files.sh
# takes: record

show_file record "$record"
section reboot reboot_due
