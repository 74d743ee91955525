# The functions of hosts/packages/manager.sh for yum 3.2.29 (CentOS 6) and 3.4.3 (CentOS 7). yum(8), rpm(8).
#
# It has no dry run before 3.4: the plan is what it shows before its question is answered with no. The reason why a
# package is installed is in its notes (yumdb), which only yum-utils can query. As with dnf, removing and installing are
# two transactions. New packages are downloaded first if yum can do that without installing them.
#
# uses: hosts/packages/common.sh hosts/packages/rpm.sh
# takes: pkg_manager
# shellcheck disable=SC2086,SC2046 # lists of names are words

if [ "$pkg_manager" = yum ]; then
    _yum_raw() ( # it exits with 200 on a lock
        umask 022
        exec yum --setopt=exit_on_lock=1 "$@" 2>&1
    )
    _yum() { _patiently _yum_raw -y -q "$@"; }
    _simulated() { # COMMAND NAMES…; prints what it would do, or why it can't
        _told=$(echo n | _yum_raw "$@") || :
        _kept=$(printf '%s\n' "$_told" | sed -n 's#.*load-transaction \(/tmp/yum_save_tx[^ ]*\).*#\1#p')
        [ -z "$_kept" ] || rm -f "$_kept" # yum 3.4 stores a declined transaction
        case $_told in
            *'No package '*' available.'*)
                printf '%s\n' "$_told" >&2
                return 1
                ;;
            *'Exiting on user'*) printf '%s\n' "$_told" | _table ;;
            *'othing to do'* | *'o Packages marked for removal'*) ;;
            *', which is protected'*) # yum refuses to plan this; the caller refuses it by name
                printf '%s\n' "$_told" | sed -n 's/.*Trying to remove "\(.*\)", which is protected.*/Remv \1/p'
                ;;
            *)
                printf '%s\n' "$_told" >&2
                return 1
                ;;
        esac
    }
    _forget_lists() { _yum_raw -q clean expire-cache </dev/null >/dev/null 2>&1; }
    pkg_install() {
        _wanted=$(_missing "$@")
        [ -z "$_wanted" ] || _yum install $_wanted || { _forget_lists && _yum install $_wanted; }
    }
    pkg_remove() { _yum remove "$@"; }
    pkg_purge() {
        _gone=$(_without "$*" "$(_missing "$@")")
        [ -z "$_gone" ] || _yum --setopt=clean_requirements_on_remove=1 remove $_gone
    }
    pkg_plan() {
        pkg_new= pkg_lost= pkg_request=$(_evr "$1") _drops=$2
        if _any $2; then
            _plan=$(_simulated --setopt=clean_requirements_on_remove=1 remove $2) || return
            # declared packages keep their dependencies, even if only the removed ones had pulled them in
            _drops=$(_without "$2 $(_without "$(printf '%s\n' "$_plan" | _only Remv)" "$2")" "$3")
            [ -z "$_drops" ] || _plan=$(_simulated --setopt=clean_requirements_on_remove=0 remove $_drops) || return
            pkg_lost=$(printf '%s\n' "$_plan" | _only Remv)
        fi
        if _any $1; then
            _plan=$(_simulated install $pkg_request) ||
                {
                    _forget_lists
                    _plan=$(_simulated install $pkg_request)
                } || return
            pkg_new=$(_missing $(printf '%s\n' "$_plan" | _only Inst))
            pkg_lost="$pkg_lost $(printf '%s\n' "$_plan" | _only Remv)"
        fi
    }
    pkg_change() {
        if _any $pkg_request && yum --help 2>/dev/null </dev/null | grep -q -e --downloadonly; then
            _yum --downloadonly install $pkg_request || return
        fi
        if _any $_drops; then _yum --setopt=clean_requirements_on_remove=0 remove $_drops || return; fi
        ! _any $pkg_request || _yum install $pkg_request
    }
    pkg_mend() { _without_older $(_twice); }
    # autoremove needs 3.4
    pkg_orphans() { _simulated autoremove 2>/dev/null | _only Remv || :; }
    _note_of() { # NAME: prints the path of yum's file with the reason
        _key=$(rpm -q --qf '%{NAME}-%{VERSION}-%{RELEASE}-%{ARCH}\n' "$1" | head -n 1)
        for _note in /var/lib/yum/yumdb/*/*-"$_key"/reason; do [ ! -f "$_note" ] || echo "$_note"; done
    }
    pkg_is_auto() { # yum hard-links identical notes
        _note=$(_note_of "$1")
        [ -n "$_note" ] && [ "$(cat "$_note")" = dep ]
    }
    pkg_auto() {
        for _name in "$@"; do
            _note=$(_note_of "$_name")
            [ -z "$_note" ] || { (umask 022 && printf dep >"$_note.new") && mv -f "$_note.new" "$_note"; }
        done
    }
fi
