#!/bin/sh
### BEGIN INIT INFO
# Provides: stockade-guard
# Required-Start: $local_fs
# Required-Stop:
# X-Start-Before: iptables-persistent networking ssh
# Default-Start: S
# Default-Stop:
# Short-Description: reverts what Stockade changed and nobody confirmed
### END INIT INFO
[ "$1" = start ] || exit 0
for b in /var/lib/stockade/guard/*/back; do [ ! -f "$b" ] || sh "$b" boot; done
