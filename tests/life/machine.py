"""A machine as a hosting provider delivers it, with packages preinstalled: their installation is not tested here."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.lab.api import LabHost
from tests.life.world import PORTS

PACKAGES = {
    "firewall": "iptables-persistent",
    "fail2ban": "fail2ban python3-systemd",
    "updates": "unattended-upgrades",
}
PREPARE = """\
touch /root/begun
export DEBIAN_FRONTEND=noninteractive
apt-get install -qy {packages} </dev/null
if [ -e /lib/systemd/system/fail2ban.service ]; then systemctl -q disable --now fail2ban; fi
cat >/etc/systemd/system/listen@.service <<'EOF'
[Service]
ExecStart=/bin/sh -c 'nc -4 -lk %i & exec nc -6 -lk %i'
[Install]
WantedBy=multi-user.target
EOF
for port in {ports}; do systemctl -q enable listen@$port; done
"""
# Everything new on the disk, so that a second machine needs no package manager.
CHANGED = """\
find / -xdev \\( -path /tmp -o -path /var/log -o -path /var/tmp -o -path /root -o -path /run \\) -prune \
-o -cnewer /root/begun -print0 | tar -cf - --no-recursion --null -T - 2>/dev/null
"""


def prepare(host: LabHost, chapters: Sequence[str], folder: Path) -> None:
    """Install what `chapters` need and a listener on every port; `folder` keeps that for other machines."""
    wanted = [chapter for chapter in PACKAGES if chapter in chapters]
    kept = folder / f"prepared-{'-'.join(wanted)}.tar"
    if kept.exists():
        with kept.open("rb") as source:
            done = subprocess.run(host.enter_argv("tar -C / -xpf -"), stdin=source, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    else:
        packages = " ".join(PACKAGES[chapter] for chapter in wanted)
        host.exec(PREPARE.format(packages=packages, ports=" ".join(map(str, PORTS))))
        with kept.open("wb") as target:
            subprocess.run(host.enter_argv(CHANGED), stdout=target, check=True)
    host.exec("tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id")  # a different installation
    host.reboot()
