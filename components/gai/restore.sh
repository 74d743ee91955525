# Restores gai.conf.
#
# uses: components/gai/stale.sh hosts/system/files.sh
# takes: path

stop_if_stale
restore_file prior "$path"
