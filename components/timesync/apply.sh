# The time daemon is started at boot and now. Where the clock may not be set it cannot start.
#
# uses: hosts/system/services.sh
# takes: unit

svc_on "$unit"
svc_start "$unit" || :
