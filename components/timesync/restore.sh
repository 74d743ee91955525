# Restores the time daemon's unit; does nothing if its package is gone.
#
# uses: hosts/system/services.sh
# takes: unit enabled active

[ "$(svc_state "$unit")" = "$unit absent inactive" ] || svc_restore "$unit" "$enabled" "$active"
