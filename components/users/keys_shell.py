"""The sh by which `components/users/chapter.py` reads and writes ~/.ssh/authorized_keys: a program that runs as the
user.

Root neither opens, names nor changes anything in the home of another (`hosts/system/as_user.py`). A file that is not
the user's own is not read either: it may be one of root's, by a link or by a move. Values: name; variables: home, uid,
gid.
"""

from hosts.shell import quote
from hosts.system.as_user import AS_USER, ENDED
from hosts.system.files import FIXED, NOT_WRITTEN, Limit

STALE = 75
FOREIGN_KEYS = 91
"""Exit status: ~/.ssh or the file is not what the user itself could have made of it (`TROUBLES`)."""
STUCK = 83
"""Exit status: what runs as the user does not come to its end."""
UNWRITABLE = 87
NO_FOLDER = 86
"""Exit status: ~/.ssh is missing and the user cannot make it."""

TROUBLES = {
    "folder-link": "{folder} is a symbolic link",
    "folder-other": "{folder} is not a folder",
    "folder-owner": "{folder} does not belong to {name}",
    "link": "{file} is a symbolic link",
    "other": "{file} is not an ordinary file",
    "owner": "{file} does not belong to {name}",
    "large": f"{{file}} has {{size}} bytes; of a file of keys at most {Limit.KEYS:d} are read",
    "stopped": "what reads {file} as {name} does not come to its end",
    "binary": "{file} has NUL bytes, so it is no file of keys",
}
"""What keeps such a file from being read or written, by the word that the program prints."""
MENDINGS = {
    "stopped": "something of {name} stops it: end what runs there (`pkill -KILL -u {name}`)",
    "folder-owner": "look at what is in it, and if that is meant for {name}: `chown -h {name}: {file} {folder}`",
    "owner": "look at what is in it, and if that is meant for {name}: `chown -h {name}: {file}`",
}

# HOME look|save|fixed, HOME put SSH_MODE KEYS_MODE EXPECTED WANTED GROUP, HOME remove SSH_MODE EXPECTED: modes are left
# as they are where they are empty; EXPECTED and WANTED are what cksum prints of the file, EXPECTED `any` of any.
_PROGRAM = f"""\
umask 077
home=$1 action=$2
uid=$(id -u)
{FIXED}
trouble() {{ # WORD
    case $action in look | save) found=$1 ;; *) echo "$1" >&2; exit {FOREIGN_KEYS} ;; esac
}}
owner() {{ stat -c %u "$1" 2>/dev/null; }}
sum() {{ if [ -f authorized_keys ]; then cksum <authorized_keys; else cksum </dev/null; fi; }}
mode_of() {{ stat -c %a "$1"; }}
folder_mode() {{ # of a folder, a number alone takes no setuid and setgid away
    [ "$(mode_of .)" = "$1" ] || {{ chmod ug-s . && chmod "$1" .; }}
}}
found= folder= file=absent folder_was= file_was=
inside=
nowhere() {{ if [ "$action" = put ]; then exit {NO_FOLDER}; else exit 0; fi; }}
cd -P "$home" 2>/dev/null || nowhere
if [ -L .ssh ]; then folder=link; trouble folder-link
elif [ -d .ssh ]; then
    folder=$(stat -c '%a %U %G' .ssh)
    [ "$(owner .ssh)" = "$uid" ] || trouble folder-owner
elif [ -e .ssh ]; then folder=other; trouble folder-other
elif [ "$action" = put ]; then mkdir -m 700 .ssh || exit {NO_FOLDER}
fi
if [ -z "$found" ] && [ -d .ssh ]; then
    case $action in look | fixed) ;; *)
        if [ ! -x .ssh ] || [ ! -r .ssh ] || [ ! -w .ssh ]; then folder_was=$(mode_of .ssh); chmod u+rwx .ssh; fi ;;
    esac
    if cd -P .ssh 2>/dev/null; then inside=yes; fi
fi
if [ -n "$inside" ]; then
    if [ -L authorized_keys ]; then trouble link
    elif [ -f authorized_keys ]; then
        file=$(stat -c 'file %a %U %G %u %g' authorized_keys)
        size=$(stat -c %s authorized_keys)
        if [ "$(owner authorized_keys)" != "$uid" ]; then trouble owner
        elif [ "$action" != fixed ]; then
            if [ "$action" != look ] && [ ! -r authorized_keys ]; then
                file_was=$(mode_of authorized_keys)
                chmod u+r authorized_keys
            fi
            if [ "$size" -gt {Limit.KEYS} ]; then trouble "large $size"
            elif [ -r authorized_keys ] && [ "$(tr -d '\\000' <authorized_keys | wc -c)" -lt "$size" ]; then
                trouble binary
            fi
        fi
    elif [ -e authorized_keys ]; then trouble other
    fi
fi
as_expected() {{ [ "$1" = any ] || [ "$(sum)" = "$1" ] || exit {STALE}; }}
case $action in look | save) ;; *) [ -n "$inside" ] || nowhere ;; esac
case $action in
    look | save)
        printf '%s\\n' "$folder" "$file" "$found"
        if [ -z "$found" ] && [ "$file" != absent ] && [ -r authorized_keys ]; then
            dd if=authorized_keys iflag=nofollow,nonblock 2>/dev/null
        fi
        [ -z "$file_was" ] || chmod "$file_was" authorized_keys
        [ -z "$folder_was" ] || chmod "$folder_was" . ;;
    fixed)
        ! fixed . authorized_keys || exit {UNWRITABLE} ;;
    put)
        as_expected "$5"
        if [ "$6" != "$(sum)" ] || [ ! -f authorized_keys ] || [ "$(mode_of authorized_keys)" != "$4" ]; then
            rm -f ./.stockade.?????? # of a run that a power cut ended
            new=$(mktemp ./.stockade.XXXXXX) && cat >"$new" && chmod "$4" "$new" &&
                {{ sync "$new" 2>/dev/null || :; }} && mv -f "$new" authorized_keys ||
                {{ rm -f "$new"; fixed . authorized_keys || :; exit {NOT_WRITTEN}; }}
        fi
        [ -z "$7" ] || [ "$(stat -c %G authorized_keys)" = "$7" ] || chgrp "$7" authorized_keys || :
        [ -z "$3" ] || folder_mode "$3"
        if command -v restorecon >/dev/null; then restorecon -R . || :; fi ;;
    remove)
        as_expected "$4"
        rm -f authorized_keys
        [ -z "$3" ] || folder_mode "$3" ;;
esac
"""

KEYS = f"""\
{AS_USER}
keys_program={quote(_PROGRAM)}
nl='
'
see_keys() {{ # look|save: sets ssh_state, keys_state, keys_trouble, keys_found
    talk '' sh -c "$keys_program" keys "$home" "$1"
    _seen=${{said%.}}
    ssh_state=${{_seen%%"$nl"*}} _seen=${{_seen#*"$nl"}}
    keys_state=${{_seen%%"$nl"*}} _seen=${{_seen#*"$nl"}}
    keys_trouble=${{_seen%%"$nl"*}} keys_found=${{_seen#*"$nl"}}
    case $keys_state in 'file '* | absent) ;; *) ssh_state='' keys_state=absent keys_trouble='' keys_found='' ;; esac
    [ "$ended" != {ENDED} ] || keys_state=absent keys_trouble=stopped keys_found=''
}}
keys_sum() {{ printf '%s' "$1" | cksum; }}
keys_do() {{ # CONTENT ACTION ARGUMENT…: what the program says goes to stderr, in short
    _content=$1
    shift
    talk "$_content" sh -c "$keys_program" keys "$home" "$@"
    [ -z "$complaint" ] || printf '%s\\n' "$complaint" >&2
    [ "$ended" != {ENDED} ] || return {STUCK}
    return "$ended"
}}
put_keys() {{ # SSH_MODE KEYS_MODE EXPECTED CONTENT GROUP
    keys_do "$4" put "$1" "$2" "$3" "$(keys_sum "$4")" "$5"
}}
remove_keys() {{ # SSH_MODE EXPECTED: where no mode is given, the folder goes as well, if nothing else is in it
    keys_do '' remove "$1" "$2" || return
    [ -n "$1" ] || on_home "$home/.ssh" rmdir 2>/dev/null || :
}}
"""
