# Replaces the content of gai.conf.
#
# uses: components/gai/stale.sh hosts/system/files.sh
# takes: path mode owner group content

stop_if_stale
write_file "$path" "$mode" "$owner" "$group" "$content"
