# Shared by hosts/packages/dnf.sh, hosts/packages/yum.sh and hosts/packages/zypper.sh: rpm(8) queries, parsing of plans,
# and waiting for locks. Exits: 72 (LOCKED).
# uses: hosts/packages/common.sh
# takes: pkg_manager
# shellcheck disable=SC2086,SC2046 # lists of names are words

case $pkg_manager in dnf | yum | zypper) _by_rpm=yes ;; *) _by_rpm= ;; esac
if [ -n "$_by_rpm" ]; then
    _patiently() { # dnf or yum with its first options, then the operation; waits for another one at work
        _tries=$((lock_wait / 2))
        while :; do
            _failed=0
            _said=$("$@" </dev/null) || _failed=$?
            [ -z "$_said" ] || printf '%s\n' "$_said" >&2
            case $_failed:$_said in
                0:*) return 0 ;;
                200:* | *'rpm transaction lock'*) [ "$_tries" -gt 0 ] || exit 72 ;; # this is dnf 5's message
                72:*) exit 72 ;;
                *) return 1 ;;
            esac
            _tries=$((_tries - 1))
            sleep 2
        done
    }
    pkg_versions() { # a name may be something that a package provides: `iptables` is iptables-nft's
        [ $# -gt 0 ] || return 0
        for _asked in "$@"; do
            case $_asked in
                *[*?]*) rpm -qa --qf '%{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' "$_asked" ;;
                *)
                    _form="$_asked %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n"
                    rpm -q --qf "$_form" "$_asked" 2>/dev/null ||
                        rpm -q --whatprovides --qf "$_form" "$_asked" 2>/dev/null | head -n 1
                    ;;
            esac
        done | grep -v ' is not installed$\|^no package provides' || :
    }
    # Parses the table of a transaction: headings, each followed by lines of one blank and a name. Prints `Inst name`
    # and `Remv name`. A replaced package is listed below its successor, with its architecture in dnf 4 and as a column
    # in dnf 5.
    _table() {
        awk '
            /^(Installing|Reinstalling)/ { what = "Inst"; next }
            /^Removing/ { what = "Remv"; next }
            /^Transaction Summary/ { exit }
            /^[A-Z]/ { what = "" }
            /^ [^ ]/ { name = $1 }
            what != "" && /^ [^ ]/ { print what, $1 }
            $1 == "replacing" && /^ / { if (NF < 5) sub(/\.[^.]*$/, "", $2); if ($2 != name) print "Remv", $2 }'
    }
    _evr() { for _word in $1; do printf ' %s' "$_word" | sed 's/=/-/'; done; }
    pkg_answers() { cat >/dev/null; }
    pkg_goes() { _simulated remove "$1" | _only Remv; }
    pkg_goes_for() { _simulated install "$1" | _only Remv; }
    pkg_half() { :; }
    _twice() { rpm -qa --qf '%{NAME}.%{ARCH}\n' | sort | uniq -d | grep -v '^gpg-pubkey\|^kernel' || :; }
    _without_older() { # NAMES: a killed transaction leaves two versions of a package, of which the newer is complete
        for _name in "$@"; do
            rpm -q --last "$_name" | sed -n '2,$s/ .*//p' | while read -r _old; do
                rpm -e --nodeps --noscripts "$_old" </dev/null >&2 || :
            done
        done
    }
    pkg_files() { rpm -ql "$1"; }
    pkg_conffiles() { rpm -qc "$1" | grep '^/etc/' || :; }
    pkg_owners() { rpm -qf --qf '%{NAME}\n' "$1" 2>/dev/null | grep -v '^error\| is not owned by ' || :; }
    pkg_left() { [ ! -f "$1.rpmsave" ] || tar -tf "$2" "${1#/}.rpmsave" >/dev/null 2>&1 || rm -f "$1.rpmsave"; }
fi
