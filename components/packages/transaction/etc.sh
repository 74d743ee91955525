# What a removal takes from /etc. All of /etc is copied beforehand. Afterwards only what is gone is kept, and the rest
# of the copy is dropped at once.
#
# _draft     copies /etc, unless already done
# _settle    keeps what is gone since then, in etc.tar
# _listed TAR, _verbatim    the members of an archive; tar's option to take names literally
#
# uses: hosts/packages/manager.sh
# takes: folder
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_draft() {
    [ -f "$folder/draft.tar" ] || {
        tar -C / --exclude='etc/*shadow*' -cf "$folder/draft.new" etc
        mv "$folder/draft.new" "$folder/draft.tar"
    }
}
_verbatim() { ! tar --help | grep -q -e --verbatim-files-from || echo --verbatim-files-from; } # needs tar 1.29
_listed() { tar --quoting-style=literal -tf "$1"; }
_settle() {
    [ -f "$folder/draft.tar" ] || return 0
    {
        [ ! -f "$folder/etc.tar" ] || _listed "$folder/etc.tar"
        ! [ -f "$folder/foreign" ] || cat "$folder/foreign"
        _listed "$folder/draft.tar" | while IFS= read -r _path; do
            if [ -e "/${_path%/}" ] || [ -L "/${_path%/}" ]; then
                printf '%s\n' "$_path"
            else pkg_left "/$_path" "$folder/draft.tar"; fi
        done
    } >"$folder/stays.all"
    _listed "$folder/draft.tar" | awk 'NR == FNR { known[$0]; next } $0 in known' "$folder/stays.all" - \
        >"$folder/stays"
    cp "$folder/draft.tar" "$folder/gone.tar"
    tar --delete --no-recursion --no-wildcards $(_verbatim) -f "$folder/gone.tar" -T "$folder/stays"
    if [ -f "$folder/etc.tar" ]; then
        cp "$folder/etc.tar" "$folder/etc.new"
        tar -A -f "$folder/etc.new" "$folder/gone.tar"
        mv "$folder/etc.new" "$folder/etc.tar"
    else
        mv "$folder/gone.tar" "$folder/etc.tar"
    fi
    rm -f "$folder/draft.tar" "$folder/gone.tar" "$folder/stays" "$folder/stays.all" "$folder/foreign"
}
