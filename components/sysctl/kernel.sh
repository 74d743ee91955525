# Kernel settings under /proc/sys, by path. Values are read by programs that read a file at once: a shell reads byte by
# byte, and the kernel returns only the first one.
#
# targets                    prints lines of PATH VALUE: what is declared, and settings for all interfaces again for
#                            `default` and each interface except bridge ports, whose packets belong to the bridge
# values_of TEXT             prints lines of PATH VALUE for the paths at the start of TEXT's lines, with blanks squeezed
#                            and an empty value as ""
# value_in TEXT PATH         sets value to that of PATH in such lines; TEXT must begin and end with a newline
# changeable PATH            whether it can be changed here: not in most containers
# put_settings TEXT          sets what differs and can be changed; fails at the end if the kernel refused a value. Some
#                            settings cannot be unset, and must not keep others from being restored
# name_of PATH               sets name to what people write: with dots, unless a part of it contains dots
#
# Exits: 65 the kernel refuses a value.
#
# takes: settings spread

newline='
'

targets() {
    printf '%s\n' "$settings" | while read -r path wanted; do
        [ -e "/proc/sys/$path" ] || continue
        printf '%s %s\n' "$path" "$wanted"
        case " $spread " in *" $path "*) ;; *) continue ;; esac
        conf=${path%/all/*}
        for each in "/proc/sys/$conf"/*; do
            each=${each##*/}
            if [ "$each" = all ] || [ ! -e "/proc/sys/$conf/$each/${path##*/}" ]; then continue; fi
            [ ! -e "/sys/class/net/$each/brport" ] || continue
            case $newline$settings in *"$newline$conf/$each/${path##*/} "*) continue ;; esac
            printf '%s %s\n' "$conf/$each/${path##*/}" "$wanted"
        done
    done
}
values_of() {
    printf '%s\n' "$1" | sed '/^$/d; s/ .*//' | tr '\n' '\0' | (cd /proc/sys && xargs -0 grep -s '' /dev/null) |
        tr -s '\t ' ' ' | sed 's/:/ /; s/ $//; /^[^ ]*$/s/$/ ""/'
}
value_in() {
    value=${1#*"$newline$2 "}
    if [ "$value" = "$1" ]; then value=; else value=${value%%"$newline"*}; fi
}
changeable() { { true >>"/proc/sys/$1"; } 2>/dev/null; }
put_settings() {
    status=0
    for round in first last; do # turning a host into a router resets other settings
        live=$newline$(values_of "$1")$newline
        printf '%s\n' "$1" | {
            refused=0
            while read -r path wanted; do
                value_in "$live" "$path"
                if [ -z "$path" ] || [ "$value" = "$wanted" ] || ! changeable "$path"; then continue; fi
                text=$wanted
                [ "$text" != '""' ] || text=
                if { printf '%s\n' "$text" >"/proc/sys/$path"; } 2>/dev/null; then continue; fi
                [ -e "/proc/sys/$path" ] || continue # the interface is gone
                name_of "$path"
                [ "$round" = first ] || printf 'the kernel does not accept %s = %s\n' "$name" "$wanted" >&2
                refused=65
            done
            exit "$refused"
        } || status=$?
    done
    return "$status"
}
name_of() {
    name=$1
    case $1 in *.*) return ;; esac
    while :; do case $name in */*) name=${name%%/*}.${name#*/} ;; *) return ;; esac done
}
