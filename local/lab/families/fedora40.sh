# Fedora 40: dnf 4, with dnf-automatic and its four timers.
release=40 in_words=Forty registered=dnf
manager() {
    adopted dnf /usr/bin/dnf-3
    make_rpm dnf 4.19.2-1 'Requires: rpm' 'Requires: python3'
}
automatic() {
    written dnf-automatic /usr/bin/dnf-automatic 755 <<'END'
#!/usr/bin/python3
import sys

from dnf.automatic.main import main

sys.exit(main(sys.argv[1:]))
END
    adopted dnf-automatic /etc/dnf/automatic.conf
    for kind in '' -install -download -notifyonly; do
        daily_unit dnf-automatic "dnf-automatic$kind" '/usr/bin/dnf-automatic /etc/dnf/automatic.conf --timer'
    done
    rm -f /etc/dnf/automatic.conf
    unit_scripts dnf-automatic dnf-automatic.timer
    make_rpm dnf-automatic 4.19.2-1 'Requires: dnf'
}
