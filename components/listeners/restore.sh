# Removes net-tools if we installed it.
#
# uses: hosts/system/distro.sh hosts/packages/manager.sh
# takes: ours

known_distro
[ -z "$ours" ] || pkg_purge net-tools
