# ~/.ssh/authorized_keys, read and changed as its owner: root neither opens, names nor changes anything in another
# user's home. A file that is not the user's own is not read either: it may be one of root's, linked or moved there.
#
# see_keys look|save                                          sets ssh_state, keys_state, keys_trouble, keys_found
# keys_sum TEXT                                               what `put_keys` and `remove_keys` expect of a file
# put_keys SSH_MODE KEYS_MODE EXPECTED CONTENT GROUP
# remove_keys SSH_MODE EXPECTED                               without a mode, also removes the directory if it is empty
# keys_do CONTENT ACTION ARGUMENT...                          prints the program's output to stderr, shortened
#
# They return the statuses of program.sh, and 83 if the program does not finish (`STUCK`).
#
# uses: hosts/system/as_user.sh
# takes: home keys_program

nl='
'
see_keys() {
    talk '' sh -c "$keys_program" keys "$home" "$1"
    _seen=${said%.}
    ssh_state=${_seen%%"$nl"*} _seen=${_seen#*"$nl"}
    keys_state=${_seen%%"$nl"*} _seen=${_seen#*"$nl"}
    keys_trouble=${_seen%%"$nl"*} keys_found=${_seen#*"$nl"}
    case $keys_state in 'file '* | absent) ;; *) ssh_state='' keys_state=absent keys_trouble='' keys_found='' ;; esac
    [ "$ended" != 137 ] || keys_state=absent keys_trouble=stopped keys_found=''
}
keys_sum() { printf '%s' "$1" | cksum; }
keys_do() {
    _content=$1
    shift
    talk "$_content" sh -c "$keys_program" keys "$home" "$@"
    [ -z "$complaint" ] || printf '%s\n' "$complaint" >&2
    [ "$ended" != 137 ] || return 83
    return "$ended"
}
put_keys() {
    keys_do "$4" put "$1" "$2" "$3" "$(keys_sum "$4")" "$5"
}
remove_keys() {
    keys_do '' remove "$1" "$2" || return
    [ -n "$1" ] || on_home "$home/.ssh" rmdir 2>/dev/null || :
}
