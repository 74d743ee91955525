# show_sets    prints the declared sets that exist
# takes: set_names

show_sets() {
    command -v ipset >/dev/null || return 0
    for _set in $set_names; do ipset save "$_set" 2>/dev/null || :; done
}
