# Runs the check at boot if process 1 is SysV init.
#
# look: which check; empty if one script serves all (Red Hat). Its links then tell: before iptables and ip6tables (08),
# after them and before the network (10), or last of all.
# takes: folder look

[ "$1" = start ] || exit 0
[ -f "$folder/look" ] || exit 0
[ -n "$look" ] || case $0 in
    */S07*) look=sets ;;
    */S99*) look=second ;;
    *) look=first ;;
esac
sh "$folder/look" "$look"
