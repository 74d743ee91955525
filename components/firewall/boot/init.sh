# What starts a look at boot where process 1 is SysV's init.
#
# look: which one; empty where one script serves all (Red Hat), whose links tell: before iptables and ip6tables (08), after
# them and before the network (10), last of all.
# takes: folder look

[ "$1" = start ] || exit 0
[ -f "$folder/look" ] || exit 0
[ -n "$look" ] || case $0 in
    */S07*) look=sets ;;
    */S99*) look=second ;;
    *) look=first ;;
esac
sh "$folder/look" "$look"
