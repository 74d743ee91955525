# The start of a script that pulumi-command runs without a host session: shell options, a temporary directory, and
# non-interactive package managers.
#
# work    variable: a directory that is removed when the script ends

set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1
export PATH LC_ALL DEBIAN_FRONTEND APT_LISTCHANGES_FRONTEND UCF_FORCE_CONFFOLD NEEDRESTART_MODE NEEDRESTART_SUSPEND
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
