# The start of a script that pulumi-command runs, with nothing of a host session around it: shell options, a place for
# its files, and package managers that ask nothing.
#
# work    variable: a folder that goes with the script

set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1
export PATH LC_ALL DEBIAN_FRONTEND APT_LISTCHANGES_FRONTEND UCF_FORCE_CONFFOLD NEEDRESTART_MODE NEEDRESTART_SUSPEND
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
