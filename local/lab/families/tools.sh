# The first step of what is made from Debian's own root. /srv/tools: the family's package manager as Debian packages; /srv/apt: Debian's repository.
set -eu
umask 022
export DPKG_FORCE=unsafe-io
printf 'path-exclude=/usr/share/%s/*\n' doc man locale info >/etc/dpkg/dpkg.cfg.d/lab
apt-get install -y -q --no-install-recommends /srv/tools/*.deb </dev/null
mkdir -p /build
