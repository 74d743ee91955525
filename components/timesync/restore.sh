# The time daemon as it was; nothing where its package is gone.
#
# uses: hosts/system/services.sh
# takes: unit enabled active

[ "$(svc_state "$unit")" = "$unit absent inactive" ] || svc_restore "$unit" "$enabled" "$active"
