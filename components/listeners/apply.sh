# Installs net-tools if the host has neither ss nor netstat.
#
# uses: hosts/system/distro.sh hosts/packages/manager.sh

known_distro
if ! command -v ss >/dev/null && ! command -v netstat >/dev/null; then pkg_install net-tools; fi
