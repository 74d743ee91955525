# Shared by a change of an account and its rollback.
#
# set_home HOME          sets it in /etc/passwd; usermod -d refuses while the user has a process, which this run may be
# set_hash HASH
# give_back_keys         restores the file in $home, from prior_keys_*, prior_ssh_mode, keys_left
# say_left TEXT          reports what could not be restored
#
# uses: components/users/account.sh components/users/keys/keys.sh
# takes: name home keys_expected keys_reobserved keys_left prior_keys_content prior_keys_group prior_keys_mode
# takes: prior_keys_remove prior_ssh_mode

kept=/var/lib/stockade/accounts/$name
set_home() {
    edit=$(mktemp)
    cat >"$edit" <<'EOF'
awk 'BEGIN { FS = OFS = ":" } $1 == ENVIRON["account"] { $6 = ENVIRON["account_home"] } { print }' \
    "$1" >"$1.next" &&
    cat "$1.next" >"$1" && rm -f "$1.next" && touch -t 200001010000 "$1" # vipw goes by the time of change
EOF
    account=$name account_home=$1 VISUAL="sh $edit" EDITOR="sh $edit" vipw >/dev/null 2>&1 || :
    rm -f "$edit"
    touch /etc/passwd
    [ "$(field 6)" = "$1" ]
}
set_hash() { printf '%s:%s\n' "$name" "$1" | chpasswd -e; }
say_left() {
    left=$((${left:-0} + 1))
    section "left.$left" printf '%s\n' "$1"
}
give_back_keys() {
    [ -L "$home/.ssh" ] || [ -e "$home/.ssh" ] || return 0
    if [ -n "$keys_left" ]; then
        say_left "$keys_left"
        return 0
    fi
    if [ -n "$prior_keys_remove" ]; then
        remove_keys "$prior_ssh_mode" "$(keys_sum "$keys_expected")" && return 0 || _ended=$?
    else
        put_keys "$prior_ssh_mode" "$prior_keys_mode" "$(keys_sum "$keys_expected")" "$prior_keys_content" \
            "$prior_keys_group" && return 0 || _ended=$?
    fi
    # if somebody keeps changing the file, leave it to them
    case $_ended in
        91 | 83) _theirs=yes ;;         # the user's own doing, or it hangs
        75) _theirs=$keys_reobserved ;; # not as expected
        *) _theirs= ;;
    esac
    if [ -n "$_theirs" ]; then
        say_left "$home/.ssh/authorized_keys is being changed by somebody else, and is left as it is"
        return 0
    fi
    exit "$_ended"
}
