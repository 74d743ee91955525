# save_sets    saves the contents of the sets, for the rollback
# takes: set_names sets_gone guard

save_sets() {
    for _set in $set_names $sets_gone; do
        ! command -v ipset >/dev/null || ipset save "$_set" >"$guard/set.$_set" 2>/dev/null || rm -f "$guard/set.$_set"
    done
}
