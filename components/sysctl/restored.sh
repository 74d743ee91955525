# Restores our file to its prior content.
#
# uses: hosts/system/files.sh
# takes: dropin

restore_file prior "$dropin"
