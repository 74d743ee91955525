# Our file as it was before.
#
# uses: hosts/system/files.sh
# takes: dropin

restore_file prior "$dropin"
