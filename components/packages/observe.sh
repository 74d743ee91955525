# The declared packages that are installed, as `name version` with the declared names, and the records of what was
# removed and installed.
#
# uses: components/packages/meaning.sh hosts/system/distro.sh hosts/packages/manager.sh
# takes: folder present absent
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

known_distro
real_names $present $absent
all=$named
real_names $absent
meanings=$(
    pkg_means $(_without "$(_missing $all)" "$named") $named
    cat "$folder/meant" 2>/dev/null || :
)
named=$all
if [ "$(echo $named)" = "$(echo $present $absent)" ] && [ -z "$meanings" ]; then
    pkg_versions $named
else
    for declared in $present $absent; do # reported under the declared name
        real_names "$declared"
        how=for
        case " $absent " in *" $declared "*) how= ;; esac
        named="$named $(printf '%s\n' "$meanings" | _others "$named" "$how")"
        [ -z "$(echo $named)" ] || pkg_versions $named |
            declared=$declared awk '{ sub(/^[^ ]* /, ""); print ENVIRON["declared"], $0 }'
    done
fi
section removed cat "$folder/removed" 2>/dev/null || :
section ours cat "$folder/installed" 2>/dev/null || :
