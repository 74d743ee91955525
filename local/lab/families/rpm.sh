# Building packages for rpm, and a repository of them.
make_rpm() { # NAME VERSION-RELEASE LINES…: more lines of the spec's head; scriptlets from /build/NAME.scripts
    name=$1 version=${2%-*} release=${2##*-}
    shift 2
    {
        printf 'Name: %s\nVersion: %s\nRelease: %s\n' "$name" "$version" "$release"
        printf 'Summary: %s as far as the lab needs it\nLicense: see Debian\nBuildArch: noarch\nAutoReqProv: no\n' "$name"
        [ $# -eq 0 ] || printf '%s\n' "$@"
        printf '%%description\nBuilt by the lab.\n%%install\ncp -a /build/%s/. %%{buildroot}\n%%files\n' "$name"
        (cd "/build/$name" && find . ! -type d) | sed -e 's|^\.||' -e "s|^${ghost:-/}\$|%ghost &|" \
            -e 's|^\(%ghost \)\{0,1\}/etc/|\1%config(noreplace) /etc/|'
        [ ! -f "/build/$name.scripts" ] || cat "/build/$name.scripts"
    } >"/build/$name.spec"
    rpmbuild -bb --quiet --define "_rpmdir /srv/rpm" --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.rpm' \
        --define '__os_install_post %{nil}' --define '_binaries_in_noarch_packages_terminate_build 0' \
        --define '_topdir /build/rpmbuild' --define '_build_id_links none' "/build/$name.spec" >&2
}
scripts() { cat >"/build/$1.scripts"; }
unit_scripts() { # NAME UNIT…: as %systemd_post, %systemd_preun and %systemd_postun do
    name=$1
    shift
    scripts "$name" <<END
%post
[ \$1 -ne 1 ] || systemctl --no-reload preset $* >/dev/null 2>&1 || :
systemctl daemon-reload >/dev/null 2>&1 || :
%preun
[ \$1 -ne 0 ] || { systemctl --no-reload disable $*; systemctl stop $*; } >/dev/null 2>&1 || :
%postun
systemctl daemon-reload >/dev/null 2>&1 || :
END
}
sample_rules() { # PACKAGE TOOL ICMP: the rules that the package comes with
    written "$1" "/etc/sysconfig/$2" 600 <<END
# sample configuration for $2 service
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p $3 -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT
-A FORWARD -j REJECT
COMMIT
END
}
