# The time daemon's unit, and the capabilities of process 1: a container may not set the clock.
#
# uses: hosts/system/services.sh
# takes: unit

section state svc_state "$unit"
section capable sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/1/status
