# Enables and starts the time daemon. It cannot start where setting the clock is not allowed.
#
# uses: hosts/system/services.sh
# takes: unit

svc_on "$unit"
svc_start "$unit" || :
