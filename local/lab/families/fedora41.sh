# Fedora from 41 on: dnf 5, with dnf5-automatic and its one timer.
release=43 in_words='Forty Three' registered='librepo libdnf5 dnf5'
rm -f /srv/tools/*python3*.deb # the root's own release has the one that fits its modules
manager() {
    ln -s dnf5 /usr/bin/dnf
    ln -s dnf5 /usr/bin/yum
    plugin=$(echo /usr/lib/*/dnf5/plugins/automatic_cmd_plugin.so)
    for file in "$plugin" /usr/share/dnf5/dnf5-plugins/automatic.conf; do
        adopted dnf5-plugin-automatic "$file"
        rm "$file"
    done
    rm -rf /etc/dnf/automatic.conf /etc/dnf/aliases.d /etc/dnf/dnf-strict.conf # of dnf 4
    rm -f /etc/dnf/libdnf5-plugins/local.conf # a plugin that Fedora does not install by itself
    adopted librepo /usr/lib/*/librepo.so.0
    make_rpm librepo 1.20.0-4 'Requires: glibc'
    adopted libdnf5 /usr/lib/*/libdnf5.so.2
    make_rpm libdnf5 5.4.6.0-1 'Requires: librepo'
    adopted dnf5 /usr/bin/dnf5 /usr/bin/dnf /usr/bin/yum
    make_rpm dnf5 5.4.6.0-1 'Requires: libdnf5' 'Requires: rpm' 'Provides: dnf = 5.4.6.0-1' 'Provides: yum = 5.4.6.0-1'
}
automatic() {
    written dnf5-plugin-automatic /usr/bin/dnf-automatic 755 <<'END'
#!/bin/sh
exec dnf5 automatic "$@"
END
    for unit in dnf5-automatic dnf-automatic; do
        daily_unit dnf5-plugin-automatic "$unit" '/usr/bin/dnf5 automatic --timer'
    done
    mkdir -p /build/dnf5-plugin-automatic/etc/dnf
    : >/build/dnf5-plugin-automatic/etc/dnf/automatic.conf
    unit_scripts dnf5-plugin-automatic dnf5-automatic.timer
    ghost=/etc/dnf/automatic.conf
    make_rpm dnf5-plugin-automatic 5.4.6.0-1 'Requires: dnf5' 'Provides: dnf-automatic = 5.4.6.0-1' \
        'Obsoletes: dnf-automatic < 5' 'Provides: dnf5-command(automatic)'
    ghost=
}
