# What the name of a package stands for besides itself, for apt: pkg_means and pkg_provider of
# hosts/packages/manager.sh.
#
# A virtual package stands for whatever provides it. A metapackage is empty and depends on what it is about: exim4
# depends on exim4-base and one of the daemons, a transitional package on its successor. Both are recognised by their
# section (metapackages, tasks) or by the first line of their description, because Debian's archive marks them in no
# other way. Packages that belong to every Debian do not count, though many metapackages depend on them (debconf).
#
# uses: hosts/packages/apt.sh
# takes: pkg_manager pkg_gone
# shellcheck disable=SC2086,SC2046 # lists of names are words

if [ "$pkg_manager" = apt ]; then
    pkg_means() {
        [ $# -gt 0 ] || return 0
        _into=$(mktemp -d)
        apt-cache show --no-all-versions "$@" ${pkg_gone-} 2>/dev/null >"$_into/known" || :
        _form='${Status}\t${Package}\t${Essential}\t${Priority}\t${source:Package}\t${Provides}\t'
        dpkg-query -W -f "$_form"'${Section}\t${binary:Summary}\t${Depends}\n' >"$_into/there"
        asked="$*" gone=$(printf '%s ' ${pkg_gone-}) known="$_into/known" awk '
            BEGIN {
                FS = "\t"; known = ENVIRON["known"]; gone = " " ENVIRON["gone"] " "
                names = split(ENVIRON["asked"], name, " ")
            }
            function is_meta(one) {
                return section[one] ~ /(^|\/)(metapackages|tasks)$/ ||
                    tolower(summary[one]) ~ /meta-?package|transitional|dummy package/
            }
            function follow(top, one, own,    list, word, count, i) { # own: what is of its source alone
                list = depends[one]
                gsub(/ *\([^)]*\)|:[a-z0-9]+/, "", list)
                count = split(list, word, / *[,|] */)
                for (i = 1; i <= count; i++) {
                    if (!there[word[i]] || basic[word[i]] || index(seen, " " word[i] " ")) continue
                    if (own && source[word[i]] != source[top]) continue
                    seen = seen word[i] " "
                    print top, word[i], "with"
                    if (is_meta(word[i])) follow(top, word[i], 0)
                    else if (source[word[i]] == source[top]) follow(top, word[i], 1)
                }
            }
            function provides(one, list,    word, count, i) {
                gsub(/ *\([^)]*\)/, "", list)
                count = split(list, word, /, */)
                for (i = 1; i <= count; i++)
                    if (!index(providers[word[i]] " ", " " one " ")) providers[word[i]] = providers[word[i]] " " one
            }
            FILENAME == known { # `apt-cache show`, field by field
                field = $0
                sub(/:.*/, "", field)
                sub(/^[^:]*: */, "")
                if (field == "Package") {
                    one = $0
                    real[one] = 1
                    there[one] = index(gone, " " one " ") > 0
                    source[one] = one
                }
                if (field == "Provides" && there[one]) provides(one, $0)
                if (field == "Source") { sub(/ .*/, ""); source[one] = $0 }
                if (field == "Section") section[one] = $0
                if (field == "Depends") depends[one] = $0
                if (field ~ /^Description(-en)?$/) summary[one] = $0
                next
            }
            $1 ~ / installed$/ {
                real[$2] = there[$2] = 1
                if ($3 == "yes" || $4 ~ /^(required|important)$/) basic[$2] = 1
                source[$2] = $5; section[$2] = $7; summary[$2] = $8; depends[$2] = $9
                provides($2, $6)
            }
            END {
                for (n = 1; n <= names; n++) {
                    top = name[n]
                    seen = " " top " "
                    if (real[top]) {
                        if (is_meta(top)) follow(top, top, 0)
                        continue
                    }
                    count = split(providers[top], word, " ")
                    for (i = 1; i <= count; i++) print top, word[i], "for"
                }
            }' "$_into/known" "$_into/there"
        rm -rf "$_into"
    }
    pkg_provider() { # NAME: its provider, if there is only one
        _who=$(apt-cache -q showpkg "$1" 2>/dev/null | awk '
            /^[A-Z][a-z]*( [A-Z][a-z]*)?:/ { part = $0; next }
            part ~ /^Versions/ && NF { real = 1 }
            part ~ /^Reverse Provides/ && NF && !seen[$1]++ { who = who " " $1 }
            END { if (!real) print who }')
        if _single $_who; then echo $_who; fi
    }
fi
