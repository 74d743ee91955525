# Reads and changes ~/.ssh/authorized_keys, as the user (components/users/keys/keys.sh).
#
#   HOME look|save                  prints the state of ~/.ssh, the state of the file, why it cannot be read, and the
#                                   file; save also reads what its owner cannot read because of its mode
#   HOME fixed                      fails if a file attribute keeps the file from being changed
#   HOME put SSH_MODE KEYS_MODE EXPECTED WANTED GROUP    with the new content on stdin
#   HOME remove SSH_MODE EXPECTED
#
# Empty modes are left as they are. EXPECTED and WANTED are the file's cksum output; EXPECTED may be `any`.
#
# Exits: 74 not written, 75 the file is not as expected, 86 no ~/.ssh and none can be created, 87 a file attribute,
# 91 in a state that this user could not have created (a word of `TROUBLES` says which).
#
# uses: hosts/system/files.sh

umask 077
home=$1 action=$2
uid=$(id -u)
trouble() { # WORD
    case $action in look | save) found=$1 ;; *)
        echo "$1" >&2
        exit 91
        ;;
    esac
}
owner() { stat -c %u "$1" 2>/dev/null; }
sum() { if [ -f authorized_keys ]; then cksum <authorized_keys; else cksum </dev/null; fi; }
mode_of() { stat -c %a "$1"; }
folder_mode() { # on directories, a numeric mode does not clear setuid and setgid
    [ "$(mode_of .)" = "$1" ] || { chmod ug-s . && chmod "$1" .; }
}
found= folder= folder_was= file_was= inside=
file='absent'
nowhere() { if [ "$action" = put ]; then exit 86; else exit 0; fi; }
cd -P "$home" 2>/dev/null || nowhere
if [ -L .ssh ]; then
    folder='link'
    trouble folder-link
elif [ -d .ssh ]; then
    folder=$(stat -c '%a %U %G' .ssh)
    [ "$(owner .ssh)" = "$uid" ] || trouble folder-owner
elif [ -e .ssh ]; then
    folder=other
    trouble folder-other
elif [ "$action" = put ]; then
    mkdir -m 700 .ssh || exit 86
fi
if [ -z "$found" ] && [ -d .ssh ]; then
    case $action in look | fixed) ;; *)
        if [ ! -x .ssh ] || [ ! -r .ssh ] || [ ! -w .ssh ]; then
            folder_was=$(mode_of .ssh)
            chmod u+rwx .ssh
        fi
        ;;
    esac
    if cd -P .ssh 2>/dev/null; then inside=yes; fi
fi
if [ -n "$inside" ]; then
    if [ -L authorized_keys ]; then
        trouble link
    elif [ -f authorized_keys ]; then
        file=$(stat -c 'file %a %U %G %u %g' authorized_keys)
        size=$(stat -c %s authorized_keys)
        if [ "$(owner authorized_keys)" != "$uid" ]; then
            trouble owner
        elif [ "$action" != fixed ]; then
            if [ "$action" != look ] && [ ! -r authorized_keys ]; then
                file_was=$(mode_of authorized_keys)
                chmod u+r authorized_keys
            fi
            if [ "$size" -gt 1048576 ]; then # Limit.KEYS
                trouble "large $size"
            elif [ -r authorized_keys ] && [ "$(tr -d '\000' <authorized_keys | wc -c)" -lt "$size" ]; then
                trouble binary
            fi
        fi
    elif [ -e authorized_keys ]; then
        trouble other
    fi
fi
as_expected() { [ "$1" = any ] || [ "$(sum)" = "$1" ] || exit 75; }
case $action in look | save) ;; *) [ -n "$inside" ] || nowhere ;; esac
case $action in
    look | save)
        printf '%s\n' "$folder" "$file" "$found"
        if [ -z "$found" ] && [ "$file" != absent ] && [ -r authorized_keys ]; then
            dd if=authorized_keys iflag=nofollow,nonblock 2>/dev/null
        fi
        [ -z "$file_was" ] || chmod "$file_was" authorized_keys
        [ -z "$folder_was" ] || chmod "$folder_was" .
        ;;
    fixed)
        ! fixed . authorized_keys || exit 87
        ;;
    put)
        as_expected "$5"
        if [ "$6" != "$(sum)" ] || [ ! -f authorized_keys ] || [ "$(mode_of authorized_keys)" != "$4" ]; then
            rm -f ./.stockade.?????? # left by a run that a power failure ended
            if ! { new=$(mktemp ./.stockade.XXXXXX) && cat >"$new" && chmod "$4" "$new" &&
                { sync "$new" 2>/dev/null || :; } && mv -f "$new" authorized_keys; }; then
                rm -f "$new"
                fixed . authorized_keys || :
                exit 74
            fi
        fi
        [ -z "$7" ] || [ "$(stat -c %G authorized_keys)" = "$7" ] || chgrp "$7" authorized_keys || :
        [ -z "$3" ] || folder_mode "$3"
        if command -v restorecon >/dev/null; then restorecon -R . || :; fi
        ;;
    remove)
        as_expected "$4"
        if ! rm -f authorized_keys; then
            fixed . authorized_keys || :
            exit 74
        fi
        [ -z "$3" ] || folder_mode "$3"
        ;;
esac
