# _refuse LOST GONE MISSING    ends the script if one of LOST must stay: protected or declared packages, and an active
#                              firewall unless it may be taken over
#
# Exits: 77 one of them must stay (WOULD_GO).
#
# uses: components/packages/transaction/records.sh hosts/system/services.sh
# takes: present take_over guarded
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

_refuse() { # LOST GONE MISSING
    _held=
    for _name in $1; do
        case $_name in
            ufw) ! grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || [ "$take_over" = yes ] || _held="$_held ufw" ;;
            firewalld) ! svc_active firewalld || [ "$take_over" = yes ] || _held="$_held firewalld" ;;
        esac
    done
    _guards=$(_common "$1" "$guarded $present")
    _held=$_held$_guards
    [ -n "$_held" ] || return 0
    _why=$2
    if [ -n "$(echo $3)" ]; then _why="${2:+$2; }to install: $(echo $3)"; fi
    echo "nothing was changed, because these would be removed, too:$_held" >&2
    case $_held in
        ' ufw' | ' firewalld')
            echo "(to remove: $(echo $_why)). It is active:" 'set `takeOver: true` under `stockade:firewall` to let' \
                "Stockade replace it (delete restores it), or leave the firewall to it:" '`keep`'":$_held." >&2
            ;;
        *) echo "(to remove: $(echo $_why)). Remove the package that they depend on from the list." >&2 ;;
    esac
    exit 77
}
