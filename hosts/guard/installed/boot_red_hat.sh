#!/bin/sh
# chkconfig: 2345 01 99
# description: reverts what Stockade changed and nobody confirmed
[ "$1" = start ] || exit 0
for b in /var/lib/stockade/guard/*/back; do [ ! -f "$b" ] || sh "$b" boot; done
